import type { RunLogLine } from "../../../domain/attempt.ts";
import { ask, isTrouble } from "../api.ts";
import { fill, h, mark, say } from "../dom.ts";
import { count } from "../format.ts";
import { openLive } from "../live.ts";
import { button, empty, failed, loading } from "../parts.ts";
import { lineOf } from "./log-line.ts";
import { createTail, mostLines } from "./tail.ts";

interface LogPage {
  readonly lines: readonly RunLogLine[];
  readonly more: boolean;
}

/** The most that the service gives at once. */
const pageLines = 1000;
/** So near to the end one counts as being there. */
const endPx = 24;

/** What the attempts of a run tell, as they tell it. It follows the end, unless somebody scrolls up. */
export function logOf(run: number, signal: AbortSignal) {
  const tail = createTail();
  let following = true;
  let asking = false;
  let missed = false;
  const lines = h("ol", { class: "log-lines" });
  const box = h(
    "div",
    {
      ...{ class: "log", tabindex: 0, role: "log", "aria-live": "off" },
      ...{ "aria-label": "Log, the newest line last" },
    },
    lines,
  );
  const place = h("div", {}, loading("the log", "8rem"));
  const note = h("span", { class: "muted small" });
  const follow = button("", () => setFollowing(!following), { kind: "small" });

  function setFollowing(on: boolean): void {
    following = on;
    say(follow, on ? "Pause following" : "Follow");
    mark(follow, "aria-pressed", String(on));
    if (on) box.scrollTop = box.scrollHeight;
  }

  function show(fresh: readonly RunLogLine[]): void {
    lines.append(...fresh.map(lineOf));
    while (lines.childElementCount > mostLines) lines.firstElementChild?.remove();
    const known = tail.lines.length;
    if (known > 0 && !box.isConnected) fill(place, box);
    if (known === 0) fill(place, empty("Nothing told yet"));
    const words = known === 1 ? "1 line" : `${count(known)} lines`;
    say(note, tail.dropped > 0 ? `the newest ${words}; ${count(tail.dropped)} before them` : words);
    if (following) box.scrollTop = box.scrollHeight;
  }

  /** Asks for all lines after those that are there. */
  async function catchUp(): Promise<void> {
    missed = true;
    if (asking) return;
    asking = true;
    try {
      while (missed) {
        // Told of once more meanwhile, it asks once more.
        missed = false;
        const page = await ask<LogPage>(pathAfter(run, tail.cursor), { signal });
        missed ||= page.more;
        show(tail.append(page.lines));
      }
    } catch (error) {
      if (isTrouble(error, signal) && tail.lines.length === 0) fill(place, failed(error, askOn));
    } finally {
      asking = false;
    }
  }
  const askOn = () => {
    catchUp().catch(reportError);
  };

  box.addEventListener(
    "scroll",
    () => {
      const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < endPx;
      if (atEnd !== following) setFollowing(atEnd);
    },
    { passive: true },
  );
  const live = openLive(`?types=log&run=${run}`, signal);
  live.on(
    "log",
    (line) => {
      if (asking || !tail.follows(line)) askOn();
      else show(tail.append([line]));
    },
    signal,
  );
  live.on("resync", askOn, signal);
  setFollowing(true);
  askOn();
  return {
    element: h(
      "div",
      {},
      h("div", { class: "card-head" }, h("h2", {}, "Log"), note, follow),
      place,
    ),
  };
}

function pathAfter(run: number, cursor: string | undefined): string {
  const after = cursor === undefined ? "" : `&cursor=${cursor}`;
  return `/api/runs/${run}/log?limit=${pageLines}${after}`;
}
