import { isTrouble } from "../api.ts";
import { loadAsLive } from "../as-live.ts";
import { fill, h } from "../dom.ts";
import { failed, loading } from "../parts.ts";
import type { View } from "../router.ts";
import { scheduleForm } from "./change.ts";
import { readSchedule, type SchedulePart, type ScheduleView } from "./patch.ts";
import { standing } from "./standing.ts";

/** `#/schedule`: when runs are made, and ways to change that. */
export const schedule: View = ({ live, signal }) => {
  const place = h("div", { class: "view" }, loading("the schedule", "24rem"));
  let parts: readonly SchedulePart[] = [];
  const show = (now: ScheduleView) => {
    if (parts.length === 0) {
      parts = [standing(now, { show, signal }), scheduleForm(now, { show, signal })];
      fill(place, ...parts.map(({ element }) => element));
    }
    for (const part of parts) part.show(now);
  };
  async function load(): Promise<void> {
    try {
      show(await readSchedule(signal));
    } catch (error) {
      if (isTrouble(error, signal) && parts.length === 0) fill(place, failed(error, loadNow));
    }
  }
  const loadNow = () => {
    load().catch(reportError);
  };
  live.on("schedule", loadNow, signal);
  // A run that is made, or has ended, moves the next time and the count.
  live.on("run", ({ trigger }) => trigger === "schedule" && loadNow(), signal);
  loadAsLive({ live, signal }, { load: loadNow, unanswered: () => parts.length === 0 });
  return h(
    "div",
    { class: "view" },
    h("div", { class: "view-head" }, h("h1", {}, "Schedule")),
    place,
  );
};
