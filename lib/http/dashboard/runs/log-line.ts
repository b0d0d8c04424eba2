import type { LogFields, RunLogLine } from "../../../domain/attempt.ts";
import { h } from "../dom.ts";
import { utc } from "../format.ts";

const clock = new Intl.DateTimeFormat(undefined, {
  ...{ hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 },
});

/** When, in which attempt, how serious, what, and its fields. */
export function lineOf({ at, attempt, level, message, fields }: RunLogLine): HTMLElement {
  return h(
    "li",
    { "data-level": level },
    h("time", { datetime: at, title: utc(at) }, clock.format(new Date(at))),
    h("span", { class: "log-attempt", title: `Attempt ${attempt}` }, attempt),
    h("span", { class: "log-level" }, level),
    h("span", { class: "log-text" }, message, fieldsOf(fields)),
  );
}

function fieldsOf(fields: LogFields) {
  return Object.entries(fields).map(([name, value]) => {
    const text = Array.isArray(value) ? value.join(": ") : String(value);
    return h("span", { class: "log-field" }, ` ${name}=`, h("span", {}, text));
  });
}
