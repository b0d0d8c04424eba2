import { runStates, triggers } from "../../../domain/run.ts";
import { h, mark } from "../dom.ts";
import { button } from "../parts.ts";
import { type Filters, isAll, noFilters, type Since, spans, toggled } from "./filters.ts";
import { stateShape } from "./icons.ts";
import { localOf, momentOf } from "./local-time.ts";

export interface FilterBar {
  readonly element: HTMLElement;
  show(filters: Filters): void;
}

/** Buttons for states and triggers, and a range of time; calls with the filters that are wanted. */
export function filterBar(first: Filters, change: (filters: Filters) => void): FilterBar {
  let now = first;
  const wanted = (changes: Partial<Filters>) => change({ ...now, ...changes });
  const states = runStates.map((state) =>
    toggle([stateShape(state), state], { "data-run-state": state }, () =>
      wanted({ states: toggled(now.states, state, runStates) }),
    ),
  );
  const by = triggers.map((trigger) =>
    toggle([trigger], {}, () => wanted({ triggers: toggled(now.triggers, trigger, triggers) })),
  );
  const range = rangeOf(wanted);
  const clear = button("Clear", () => change(noFilters), { kind: "quiet small" });
  const show = (filters: Filters) => {
    now = filters;
    for (const [n, state] of runStates.entries()) press(states[n], filters.states.includes(state));
    for (const [n, each] of triggers.entries()) press(by[n], filters.triggers.includes(each));
    range.show(filters);
    clear.style.setProperty("visibility", isAll(filters) ? "hidden" : "visible");
  };
  show(first);
  return {
    element: h(
      "div",
      { class: "filters", role: "group", "aria-label": "Filters" },
      h("div", { class: "filter-group", role: "group", "aria-label": "State" }, states),
      h("div", { class: "filter-group", role: "group", "aria-label": "Trigger" }, by),
      range.element,
      clear,
    ),
    show,
  };
}

type Words = Parameters<typeof h>[2];

function toggle(label: Words, props: object, press: () => void): HTMLButtonElement {
  return h(
    "button",
    { type: "button", class: "chip", "aria-pressed": "false", on: { click: press }, ...props },
    label,
  );
}

function press(chip: HTMLElement | undefined, pressed: boolean): void {
  if (chip) mark(chip, "aria-pressed", String(pressed));
}

const spanWords: Readonly<Record<Since, string>> = {
  ...{ "1h": "last hour", "24h": "last 24 hours", "7d": "last 7 days", "30d": "last 30 days" },
};

/** A span up to now, or two times of one's own. */
function rangeOf(wanted: (changes: Partial<Filters>) => void) {
  const options = [["", "any time"], ...spans.map((each) => [each, spanWords[each]])];
  const select = h(
    "select",
    { class: "input", "aria-label": "Time" },
    options.map(([value, text]) => h("option", { value }, text)),
    h("option", { value: "own" }, "from … to …"),
  );
  const from = h("input", { class: "input", type: "datetime-local", "aria-label": "From" });
  const to = h("input", {
    class: "input",
    type: "datetime-local",
    "aria-label": "To, before this",
  });
  const own = h("span", { class: "filter-own", hidden: true }, from, h("span", {}, "to"), to);
  select.addEventListener("change", () => {
    own.hidden = select.value !== "own";
    if (own.hidden) {
      const since = spans.find((each) => each === select.value);
      wanted({ since, from: undefined, to: undefined });
    } else from.focus();
  });
  own.addEventListener("change", () =>
    wanted({ since: undefined, from: momentOf(from.value), to: momentOf(to.value) }),
  );
  return {
    element: h("div", { class: "filter-range" }, select, own),
    show: (filters: Filters) => {
      const fixed = filters.from !== undefined || filters.to !== undefined;
      const choosing = select.value === "own" && own.contains(document.activeElement);
      select.value = filters.since ?? (fixed || choosing ? "own" : "");
      own.hidden = select.value !== "own";
      if (own.contains(document.activeElement)) return;
      from.value = localOf(filters.from);
      to.value = localOf(filters.to);
    },
  };
}
