import type { RunLogLine } from "../../../domain/attempt.ts";
import { ask, isTrouble } from "../api.ts";
import { loadAsLive } from "../as-live.ts";
import { fill, h, say } from "../dom.ts";
import { count } from "../format.ts";
import { openLive } from "../live.ts";
import { empty, failed, loading } from "../parts.ts";
import { followEnd } from "./follow-end.ts";
import { lineOf } from "./log-line.ts";
import { createTail, mostLines } from "./tail.ts";

interface LogPage {
  readonly lines: readonly RunLogLine[];
  readonly more: boolean;
}

/** The most that the service gives at once. */
const pageLines = 1000;

/** What the attempts of a run tell, as they tell it. */
export function logOf(run: number, signal: AbortSignal) {
  const tail = createTail();
  const lines = linesOf();
  const place = h("div", { class: "log-place" }, loading("the log", "8rem"));
  let asking = false;
  let missed = false;

  function show(fresh: readonly RunLogLine[]): void {
    const known = tail.lines.length;
    if (known === 0) fill(place, empty("Nothing told yet"));
    else if (!lines.box.isConnected) fill(place, lines.box);
    lines.add(fresh, { known, dropped: tail.dropped });
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
  // A stream of its own: lines of all runs are many, and nobody else wants them.
  const live = openLive(`?types=log&run=${run}`, signal);
  const onLine = (line: RunLogLine) => {
    if (asking || !tail.follows(line)) askOn();
    else show(tail.append([line]));
  };
  live.on("log", onLine, signal);
  loadAsLive({ live, signal }, { load: askOn, unanswered: () => tail.lines.length === 0 });
  return {
    element: h("div", {}, h("div", { class: "card-head" }, h("h2", {}, "Log"), lines.head), place),
  };
}

/** The lines as they are shown: the newest ones, the last one at the end. */
function linesOf() {
  const list = h("ol", { class: "log-lines" });
  const about = { role: "log", "aria-live": "off", "aria-label": "Log, the newest line last" };
  const box = h("div", { class: "log", tabindex: 0, ...about }, list);
  const note = h("span", { class: "muted small" });
  const follow = followEnd(box);
  return {
    box,
    head: [note, follow.button],
    add: (
      fresh: readonly RunLogLine[],
      { known, dropped }: { readonly known: number; readonly dropped: number },
    ) => {
      list.append(...fresh.map(lineOf));
      while (list.childElementCount > mostLines) list.firstElementChild?.remove();
      const words = known === 1 ? "1 line" : `${count(known)} lines`;
      say(note, dropped > 0 ? `the newest ${words}; ${count(dropped)} before them` : words);
      follow.added();
    },
  };
}

function pathAfter(run: number, cursor: string | undefined): string {
  const after = cursor === undefined ? "" : `&cursor=${cursor}`;
  return `/api/runs/${run}/log?limit=${pageLines}${after}`;
}
