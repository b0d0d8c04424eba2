import type { ViewContext } from "./router.ts";

export interface AskedLive {
  readonly load: () => void;
  /** True while there is no answer to show. */
  readonly unanswered: () => boolean;
}

/**
 * Loads as soon as events come, else nobody would tell of what changes between the answer and the
 * first of them; when some were missed; and when the connection is back, if there was no answer.
 */
export function loadAsLive(
  { live, signal }: Pick<ViewContext, "live" | "signal">,
  { load, unanswered }: AskedLive,
): void {
  let asked = false;
  const loadNow = () => {
    asked = true;
    load();
  };
  live.on("resync", loadNow, signal);
  live.on(
    "connection",
    ({ state }) => {
      const back = state === "live" && asked && unanswered();
      if (back || (state === "lost" && !asked)) loadNow();
    },
    signal,
  );
  if (live.connection.state !== "connecting") loadNow();
}
