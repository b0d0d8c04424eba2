import { ApiError } from "../api.ts";
import { fill, h } from "../dom.ts";
import { form } from "../form.ts";
import { button } from "../parts.ts";
import { toast } from "../toast.ts";
import { scheduleFields } from "./fields.ts";
import { nextTimes } from "./next-times.ts";
import {
  changeSchedule,
  isStale,
  type PartOptions,
  readSchedule,
  type SchedulePart,
  type ScheduleView,
} from "./patch.ts";
import { changesOf, rebased, textsOf, wordsFor } from "./texts.ts";

/** After the last key: else each of them would be asked about. */
const typingMs = 300;

/** The form that changes the schedule. While it is filled in, it shows what times that would give. */
export function scheduleForm(first: ScheduleView, { show, signal }: PartOptions): SchedulePart {
  /** The schedule that the form is about: what it says otherwise is a change. */
  let from = first;
  let typing: ReturnType<typeof setTimeout> | undefined;
  const { fields, zones, texts, put } = scheduleFields();
  const notice = h("p", { class: "notice", role: "alert", hidden: true });
  const preview = nextTimes(signal, (error) => {
    if (!(error instanceof ApiError)) return;
    for (const { path, message } of error.errors) {
      if (path === "cron" || path === "timezone") fields[path].fault(message);
    }
  });
  const save = h("button", { class: "button primary", type: "submit" }, "Save the schedule");
  const undo = button("Undo", () => take(from));

  const look = () => {
    const untouched = Object.keys(changesOf(texts(), from)).length === 0;
    undo.disabled = untouched;
    save.disabled = untouched;
    const { cron, timezone } = texts();
    preview.element.hidden = cron === from.cron && timezone === from.timezone;
    if (!preview.element.hidden) preview.show({ cron, timezone }, { title: "Would run at" });
  };
  const take = (schedule: ScheduleView) => {
    from = schedule;
    put(textsOf(schedule));
    for (const each of Object.values(fields)) each.fault("");
    notice.hidden = true;
    look();
  };
  const submit = async () => {
    try {
      const changed = await changeSchedule(changesOf(texts(), from), from);
      take(changed);
      show(changed);
      toast("The schedule is saved.");
    } catch (error) {
      if (!isStale(error)) throw error;
      show(await readSchedule(signal));
    }
  };
  /** What was typed stays; the rest becomes what somebody else has made of it, which is said. */
  const merge = (theirs: ScheduleView) => {
    const { merged, changed, kept } = rebased(texts(), { from, theirs });
    if (kept.length === 0) return take(theirs);
    from = theirs;
    put(merged);
    fill(
      notice,
      `Somebody else has changed the schedule meanwhile: ${wordsFor(changed, theirs)}. `,
    );
    notice.append("What you have filled in is still here: look at it, and save it again.");
    notice.hidden = false;
    look();
  };

  const made = form(
    { fields, submit },
    h("div", { class: "card-head" }, h("h2", {}, "Change it")),
    notice,
    h(
      "div",
      { class: "fields" },
      Object.values(fields).map(({ element }) => element),
    ),
    zones,
    preview.element,
    h("div", { class: "row" }, save, undo),
  );
  made.addEventListener("input", () => {
    clearTimeout(typing);
    for (const each of [fields.cron, fields.timezone]) each.fault("");
    save.disabled = false;
    typing = setTimeout(look, typingMs);
  });
  signal.addEventListener("abort", () => clearTimeout(typing));
  take(first);
  return {
    element: h("section", { class: "card", "aria-label": "Change the schedule" }, made),
    show: (schedule: ScheduleView) => {
      if (schedule.version > from.version) merge(schedule);
    },
  };
}
