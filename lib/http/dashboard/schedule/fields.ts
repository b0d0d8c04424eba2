import { h } from "../dom.ts";
import { field, selectField, textField } from "../form.ts";
import { labels, names, spoken, type Texts } from "./texts.ts";

const choice = (...values: string[]) =>
  values.map((value) => [value, spoken[value] ?? value] as const);

/** The fields, empty; `texts` reads them, `put` fills them in. */
export function scheduleFields() {
  const zoneNames = Intl.supportedValuesOf("timeZone").map((value) => h("option", { value }));
  const plain = { spellcheck: "false", autocapitalize: "off" };
  const number = { type: "text", inputmode: "numeric", name: "maxActiveRuns", autocomplete: "off" };
  const fields = {
    cron: textField(
      labels.cron,
      { name: "cron", class: "mono", ...plain },
      "Minute, hour, day, month, weekday; of six, the first is seconds.",
    ),
    timezone: textField(
      labels.timezone,
      { name: "timezone", list: "time-zones", ...plain },
      "In which the expression is told: Europe/Berlin.",
    ),
    catchup: selectField(
      labels.catchup,
      choice("false", "true"),
      { name: "catchup" },
      "What is made up for after a pause or a stop.",
    ),
    maxActiveRuns: field(
      labels.maxActiveRuns,
      h("input", number),
      "Scheduled runs at once, from 1 to 100.",
    ),
    overlap: selectField(
      labels.overlap,
      choice("queue", "skip"),
      { name: "overlap" },
      "What becomes of a run while so many are active.",
    ),
  };
  return {
    fields,
    zones: h("datalist", { id: "time-zones" }, h("option", { value: "UTC" }), zoneNames),
    texts: () =>
      Object.fromEntries(names.map((name) => [name, fields[name].input.value.trim()])) as Texts,
    put: (texts: Texts) => {
      for (const name of names) fields[name].input.value = texts[name];
    },
  };
}
