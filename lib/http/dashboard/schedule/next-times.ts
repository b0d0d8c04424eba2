import { ask, isTrouble, reasonOf } from "../api.ts";
import { fill, h, say } from "../dom.ts";
import { time, timeAgo } from "../parts.ts";

/** What the times depend on. */
export interface Ticks {
  readonly cron: string;
  readonly timezone: string;
}

const shownTimes = 5;

export interface NextTimesShown {
  readonly title: string;
  /** The first of the times, where it is known: when it is over, they are others. */
  readonly after?: string | null;
}

/** The next logical times of a cron expression, asked for when that changes. */
export function nextTimes(signal: AbortSignal, onRefused?: (error: unknown) => void) {
  let shown = "";
  let asking = new AbortController();
  const heading = h("h3", {});
  const list = h("ol", { class: "next-times" });
  async function load(query: URLSearchParams): Promise<void> {
    asking.abort();
    asking = new AbortController();
    const either = AbortSignal.any([signal, asking.signal]);
    try {
      const { times } = await ask<{ readonly times: readonly string[] }>(
        `/api/schedule/next?${query}`,
        { signal: either },
      );
      fill(list, times.map(item));
    } catch (error) {
      if (!isTrouble(error, either)) return;
      // Else the times of before would stand for these settings.
      fill(list, h("li", { class: "muted" }, onRefused ? "–" : reasonOf(error)));
      onRefused?.(error);
      shown = "";
    }
  }
  return {
    element: h("div", {}, heading, list),
    show: ({ cron, timezone }: Ticks, { title, after }: NextTimesShown) => {
      say(heading, title);
      const query = new URLSearchParams({ cron, timezone, limit: String(shownTimes) });
      if (shown === `${query}${after}`) return;
      shown = `${query}${after}`;
      load(query).catch(reportError);
    },
  };
}

function item(iso: string): HTMLElement {
  return h("li", {}, time(iso), h("span", { class: "muted" }, " ", timeAgo(iso)));
}
