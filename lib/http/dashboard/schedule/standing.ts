import { fill, h } from "../dom.ts";
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

/** The schedule as it stands: when it runs next, and what pauses and resumes it. */
export function standing(first: ScheduleView, { show, signal }: PartOptions): SchedulePart {
  let now = first;
  const head = h("div", { class: "schedule-next", role: "status" });
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
      h("div", { class: "card-head" }, head, toggle),
      h("div", { class: "schedule-standing" }, facts, times.element),
    ),
    show: (wanted: ScheduleView) => {
      now = wanted;
      fill(head, headOf(now));
      fill(toggle, now.paused ? "Resume" : "Pause");
      toggle.classList.toggle("primary", now.paused);
      fill(facts, factsOf(now));
      times.show(now, now.next ?? "");
    },
  };
}

const changedMeanwhile =
  "Somebody else has changed the schedule meanwhile: look at how it is now, and press again.";

function headOf({ paused, next }: ScheduleView) {
  if (paused) {
    return [badge("paused", "warn"), h("span", {}, "No run is made until somebody resumes it.")];
  }
  if (next === null) return [badge("active", "good"), h("span", {}, "No time is left.")];
  return [
    badge("active", "good"),
    h("span", {}, "The next run ", h("strong", {}, timeAgo(next)), ", at ", time(next)),
  ];
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
    fact("Cron", h("code", {}, cron)),
    fact("Time zone", timezone),
    fact("Missed times", catchup ? "all are made up for" : "only the newest is made up for"),
    fact("Runs at once", `${count(active)} of ${count(maxActiveRuns)} active`),
    fact("One too many", overlap === "queue" ? "waits its turn" : "is skipped"),
    fact("Dealt with up to", time(watermark)),
  ];
}
