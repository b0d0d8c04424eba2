import { nationalities } from "../../../domain/nationalities.ts";
import { h, say, uniqueId } from "../dom.ts";
import type { Field } from "../form.ts";

export interface NatField extends Field {
  /** Those that are chosen; none means all. */
  chosen(): readonly string[];
}

/** Nationalities to choose from, by the names that the reader's language has for them. */
export function natField(): NatField {
  const names = new Intl.DisplayNames(undefined, { type: "region" });
  const boxes = nationalities.map((code) => h("input", { type: "checkbox", value: code }));
  const items = nationalities
    .map((code, n) => ({ name: names.of(code.toUpperCase()) ?? code, box: boxes[n] }))
    .toSorted((a, b) => a.name.localeCompare(b.name))
    .map(({ name, box }) => h("label", { class: "check" }, box, name));
  const ids = { hint: uniqueId(), fault: uniqueId() };
  const told = h("span", { class: "muted" });
  const chosen = () => boxes.filter(({ checked }) => checked).map(({ value }) => value);
  const tell = () =>
    say(told, chosen().length === 0 ? "as set for the service" : chosen().join(", "));
  const fault = h("div", { class: "fault", id: ids.fault, hidden: true });
  const group = h(
    "fieldset",
    { class: "nats", "aria-describedby": `${ids.hint} ${ids.fault}`, on: { change: tell } },
    h("legend", { class: "sr" }, "Nationalities"),
    items,
  );
  tell();
  const details = h("details", {}, h("summary", {}, "Nationalities: ", told), group);
  return {
    element: h(
      "div",
      { class: "field" },
      details,
      h("div", { class: "hint", id: ids.hint }, "None chosen: as NAT says for the service."),
      fault,
    ),
    input: boxes[0] ?? group,
    fault: (message) => {
      say(fault, message);
      fault.hidden = message === "";
      if (message !== "") details.open = true;
    },
    chosen,
  };
}
