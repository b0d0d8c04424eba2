import { h } from "../dom.ts";
import { selectField, textField } from "../form.ts";
import { setQuery } from "../router.ts";

/** What is listed, as the address says it. */
export interface Filter {
  readonly state: string;
  readonly where: string;
  readonly stage: string;
  readonly reason: string;
}

const states = [
  ["open", "Open"],
  ["replayed", "Replayed"],
  ["purged", "Purged"],
  ["all", "All"],
] as const;
const places = [
  ["", "Anywhere"],
  ["topic", "Dead letters of the topic"],
  ["raw", "Rejected before the topic"],
] as const;
const stages = [
  ["", "Any stage"],
  ["fetch", "fetch"],
  ["publish", "publish"],
  ["decode", "decode"],
  ["write", "write"],
] as const;
const typingMs = 300;

/** Fields that say what is listed; calls when that changes. Kept in the address. */
export function filterBar(query: URLSearchParams, change: (filter: Filter) => void) {
  const one = (name: keyof Filter) => query.get(name) ?? "";
  const state = selectField("State", states);
  const where = selectField("Where", places);
  const stage = selectField("Refused by", stages);
  const reason = textField("Reason contains", { type: "search", maxlength: 200 });
  state.input.value = states.some(([name]) => name === one("state")) ? one("state") : "open";
  where.input.value = places.some(([name]) => name === one("where")) ? one("where") : "";
  stage.input.value = stages.some(([name]) => name === one("stage")) ? one("stage") : "";
  reason.input.value = one("reason");
  const now = (): Filter => ({
    ...{ state: state.input.value, where: where.input.value },
    ...{ stage: stage.input.value, reason: reason.input.value.trim() },
  });
  const changed = () => {
    const filter = now();
    setQuery({ ...filter, state: filter.state === "open" ? null : filter.state });
    change(filter);
  };
  let timer: ReturnType<typeof setTimeout>;
  reason.input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(changed, typingMs);
  });
  for (const { input } of [state, where, stage]) input.addEventListener("change", changed);
  const fields = [state, where, stage, reason].map(({ element }) => element);
  return { element: h("div", { class: "fields", role: "search" }, fields), now };
}

/** As the service takes it: what is empty is left out. */
export function filterOf({ where, stage, reason }: Filter): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries({ where, stage, reason }).filter(([, value]) => value !== ""),
  );
}
