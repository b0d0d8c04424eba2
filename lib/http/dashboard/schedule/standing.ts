import { type Child, fill, h } from "../dom.ts";
import { count } from "../format.ts";
import { badge, busy, button, fact, time, timeAgo } from "../parts.ts";
import { toast, toastError } from "../toast.ts";
import { nextTimes } from "./next-times.ts";
import {
  changeSchedule,
  isStale,
  type PartOptions,
  readSchedule,
  type SchedulePart,
  type ScheduleView,
} from "./patch.ts";
import { labels, spoken } from "./texts.ts";

/** The schedule as it stands: when it runs next, and what pauses and resumes it. */
export function standing(first: ScheduleView, { show, signal }: PartOptions): SchedulePart {
  let now = first;
  const state = h("span", { role: "status" });
  const text = h("span", {});
  const facts = h("dl", { class: "facts" });
  const times = nextTimes(signal);
  const toggle: HTMLButtonElement = button("", () => busy(toggle, pauseOrResume()));
  async function pauseOrResume(): Promise<void> {
    const paused = !now.paused;
    try {
      show(await changeSchedule({ paused }, now));
      toast(paused ? "The schedule is paused." : "The schedule goes on.");
    } catch (error) {
      toastError(isStale(error) ? new Error(changedMeanwhile) : error);
      if (isStale(error)) show(await readSchedule(signal));
    }
  }
  return {
    element: h(
      "section",
      { class: "card live", "aria-label": "As it stands" },
      h("h2", { class: "sr" }, "As it stands"),
      h("div", { class: "card-head" }, h("div", { class: "schedule-next" }, state, text), toggle),
      h("div", { class: "schedule-standing" }, facts, times.element),
    ),
    show: (wanted: ScheduleView) => {
      now = wanted;
      fill(state, now.paused ? badge("paused", "warn") : badge("active", "good"));
      fill(text, nextText(now));
      fill(toggle, now.paused ? "Resume" : "Pause");
      toggle.classList.toggle("primary", now.paused);
      fill(facts, factsOf(now));
      times.show(now, { after: now.next, title: now.paused ? "Would run at" : "Next times" });
    },
  };
}

const changedMeanwhile =
  "Somebody else has changed the schedule meanwhile: look at how it is now, and press again.";

function nextText({ paused, next }: ScheduleView): Child {
  if (paused) return "No run is made until somebody resumes it.";
  if (next === null) return "No time is left.";
  return ["The next run ", h("strong", {}, timeAgo(next)), ", at ", time(next)];
}

function factsOf({
  cron,
  timezone,
  catchup,
  maxActiveRuns,
  overlap,
  active,
  watermark,
}: ScheduleView) {
  return [
    fact(labels.cron, h("code", {}, cron)),
    fact(labels.timezone, timezone),
    fact(labels.catchup, spoken[String(catchup)]),
    fact(labels.maxActiveRuns, `${count(active)} of ${count(maxActiveRuns)} active`),
    fact(labels.overlap, spoken[overlap]),
    fact("Dealt with up to", time(watermark)),
  ];
}
