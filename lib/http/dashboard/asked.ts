import { ApiError, isTrouble, reasonOf } from "./api.ts";
import { type Child, fill, h } from "./dom.ts";
import type { Live } from "./live.ts";
import { failed, loading } from "./parts.ts";

export interface Asking<Answer> {
  /** "the newest users", for those who hear the page. */
  readonly what: string;
  readonly ask: () => Promise<Answer>;
  /** Shows the answer: the first one, and each later one. Gives what to put in place, or what is there. */
  readonly show: (answer: Answer) => Child;
  /** The room to keep until there is an answer, so that nothing moves then. */
  readonly height?: string;
  readonly live: Live;
  readonly signal: AbortSignal;
}

export interface Asked<Answer> {
  readonly element: HTMLElement;
  /** Asks anew; what is shown stays until there is an answer. */
  again(): Promise<void>;
  /** Shows an answer that has come on another way. */
  take(answer: Answer): void;
}

/** What is refused is asked for again so often. */
const againMs = 5000;

/**
 * A place that shows what the service answers: loading, the answer, or what is wrong. Asks anew when
 * events were missed, and, where there was no answer, as soon as the connection is back.
 */
export function asked<Answer>(asking: Asking<Answer>): Asked<Answer> {
  const { what, ask, show, height, live, signal } = asking;
  const element = h("div", { css: { "min-height": height ?? "auto" } }, loading(what, height));
  let shown: Child;
  let fault: unknown;
  let newest = 0;

  const take = (answer: Answer) => {
    fault = undefined;
    element.style.removeProperty("min-height");
    const now = show(answer);
    if (now === shown && element.firstChild === now) return;
    shown = now;
    fill(element, now);
  };
  const refused = (error: unknown) => {
    const same = fault !== undefined && reasonOf(fault) === reasonOf(error);
    fault = error;
    setTimeout(() => {
      if (fault === error && !signal.aborted) void again();
    }, againMs);
    // The frame says that nothing answers: what is there stays until something does.
    const silent = error instanceof ApiError && [0, 503].includes(error.status) && !isLive(live);
    if (silent || (same && shown === undefined)) return;
    shown = undefined;
    fill(element, failed(error, again));
  };
  const again = async () => {
    newest += 1;
    const mine = newest;
    try {
      const answer = await ask();
      // A later question is answered by its own answer.
      if (mine === newest && !signal.aborted) take(answer);
    } catch (error) {
      if (isTrouble(error, signal) && mine === newest) refused(error);
    }
  };
  live.on("resync", () => void again(), signal);
  live.on(
    "connection",
    ({ state }) => {
      const neverAsked = newest === 0 && (state === "lost" || state === "waiting");
      if (neverAsked || (state === "live" && fault !== undefined)) void again();
    },
    signal,
  );
  // Not before events come, else nobody would tell of what changes between the answer and the first.
  if (live.connection.state !== "connecting") void again();
  return { element, again, take };
}

function isLive({ connection }: Live): boolean {
  return connection.state === "live";
}
