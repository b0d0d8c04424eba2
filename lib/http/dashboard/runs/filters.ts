import { type Run, type RunState, runStates, type Trigger, triggers } from "../../../domain/run.ts";

/** Which runs are looked at. Nothing chosen means all of them. */
export interface Filters {
  readonly states: readonly RunState[];
  readonly triggers: readonly Trigger[];
  /** A span up to now; it moves on with the time. */
  readonly since: Since | undefined;
  /** Of a fixed range, ISO 8601: from the first on, and before the second. */
  readonly from: string | undefined;
  readonly to: string | undefined;
}

export type Since = (typeof spans)[number];
export const spans = ["1h", "24h", "7d", "30d"] as const;

const hours: Readonly<Record<Since, number>> = { "1h": 1, "24h": 24, "7d": 168, "30d": 720 };

export const noFilters: Filters = {
  ...{ states: [], triggers: [], since: undefined, from: undefined, to: undefined },
};

/** The filters that an address names; what it says wrongly counts as not said. */
export function filtersOf(query: URLSearchParams): Filters {
  const since = spans.find((span) => span === query.get("since"));
  return {
    states: chosen(query.get("state"), runStates),
    triggers: chosen(query.get("trigger"), triggers),
    since,
    from: since ? undefined : momentOf(query.get("from")),
    to: since ? undefined : momentOf(query.get("to")),
  };
}

/** The filters as an address keeps them: the same ones come back from it. */
export function addressOf({ states, triggers, since, from, to }: Filters): URLSearchParams {
  return given({ state: states.join(), trigger: triggers.join(), since, from, to });
}

/** The filters as the list of runs is asked by. */
export function queryOf(filters: Filters, now: number): URLSearchParams {
  const { from, to } = range(filters, now);
  const { states, triggers } = filters;
  return given({ state: states.join(), trigger: triggers.join(), from, to });
}

/** Whether a run is one of these, as the service would say. */
export function passes(run: Run, filters: Filters, now: number): boolean {
  const { from, to } = range(filters, now);
  const at = Date.parse(run.logicalTime ?? run.createdAt);
  return (
    (filters.states.length === 0 || filters.states.includes(run.state)) &&
    (filters.triggers.length === 0 || filters.triggers.includes(run.trigger)) &&
    (from === undefined || at >= Date.parse(from)) &&
    (to === undefined || at < Date.parse(to))
  );
}

/** True where nothing is left out. */
export function isAll({ states, triggers, since, from, to }: Filters): boolean {
  return states.length + triggers.length === 0 && !since && !from && !to;
}

/** The list with one more choice, or without it. */
export function toggled<Name>(list: readonly Name[], name: Name, order: readonly Name[]): Name[] {
  return order.filter((each) => (each === name) !== list.includes(each));
}

function range({ since, from, to }: Filters, now: number) {
  if (since === undefined) return { from, to };
  return { from: new Date(now - hours[since] * 3_600_000).toISOString(), to: undefined };
}

function chosen<Name extends string>(text: string | null, names: readonly Name[]): Name[] {
  const asked = text?.split(",") ?? [];
  return names.filter((name) => asked.includes(name));
}

function momentOf(text: string | null): string | undefined {
  const at = text === null ? Number.NaN : Date.parse(text);
  return Number.isNaN(at) ? undefined : new Date(at).toISOString();
}

function given(values: Readonly<Record<string, string | undefined>>): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value) query.set(name, value);
  return query;
}
