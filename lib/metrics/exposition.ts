import type { Figures } from "./registry.ts";

/** What `/metrics` answers with. */
export interface Exposition {
  readonly contentType: string;
  text(): Promise<string>;
}

/** How long an answer is good for: however many scrape, the servers are asked once in this time. */
const freshMs = 1000;

/**
 * The figures as text. Before each new one `refresh` is called, which asks those that must be asked
 * and knows how long that may take; it does not reject for a server that is down.
 */
export function createExposition(
  { text, contentType }: Pick<Figures, "text" | "contentType">,
  refresh: () => Promise<void>,
  now: () => Date,
): Exposition {
  let asking: { readonly ms: number; readonly answer: Promise<string> } | undefined;
  const ask = async () => {
    await refresh();
    return await text();
  };
  return {
    contentType,
    text: () => {
      const ms = now().getTime();
      // A clock that was set back makes no answer last.
      if (asking && ms >= asking.ms && ms - asking.ms < freshMs) return asking.answer;
      asking = { ms, answer: ask() };
      return asking.answer;
    },
  };
}
