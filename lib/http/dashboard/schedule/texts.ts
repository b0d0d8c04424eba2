import type { Schedule } from "../../../domain/schedule.ts";
import { numberOf } from "../runs/typed.ts";

/* The schedule as text in the fields of a form, and what was typed over it. */

/** What stands in the fields of the form, as text. */
export type Texts = Readonly<Record<(typeof names)[number], string>>;
export const names = ["cron", "timezone", "catchup", "maxActiveRuns", "overlap"] as const;
export type Settings = Pick<Schedule, (typeof names)[number]>;

export function textsOf(schedule: Settings): Texts {
  const { cron, timezone, catchup, maxActiveRuns, overlap } = schedule;
  return {
    ...{ cron, timezone, overlap },
    ...{ catchup: String(catchup), maxActiveRuns: String(maxActiveRuns) },
  };
}

/** What the texts say otherwise than the schedule: the body of the request that changes it. */
export function changesOf(texts: Texts, from: Settings): Readonly<Record<string, unknown>> {
  const before = textsOf(from);
  const body = {
    ...texts,
    catchup: texts.catchup === "true",
    maxActiveRuns: "",
    ...numberOf("maxActiveRuns", texts.maxActiveRuns),
  };
  return Object.fromEntries(
    names.filter((name) => texts[name] !== before[name]).map((name) => [name, body[name]]),
  );
}

/** What was typed over `from`, put over what somebody else has made of that. */
export function rebased(
  texts: Texts,
  { from, theirs }: { readonly from: Settings; readonly theirs: Settings },
) {
  const [before, after] = [textsOf(from), textsOf(theirs)];
  const kept = names.filter((name) => texts[name] !== before[name] && texts[name] !== after[name]);
  return {
    merged: { ...after, ...Object.fromEntries(kept.map((name) => [name, texts[name]])) } as Texts,
    /** What they have changed, and what differs from theirs still. */
    changed: names.filter((name) => before[name] !== after[name]),
    kept,
  };
}

/** "Cron is now 0 6 * * *, Max active runs is now 2" */
export function wordsFor(changed: readonly (keyof Texts)[], schedule: Settings): string {
  const texts = textsOf(schedule);
  const words = changed.map(
    (name) => `${labels[name]} is now ${spoken[texts[name]] ?? texts[name]}`,
  );
  return words.join(", ") || "it is paused or goes on";
}

export const labels: Readonly<Record<keyof Texts, string>> = {
  ...{ cron: "Cron", timezone: "Time zone", catchup: "Catchup" },
  ...{ maxActiveRuns: "Max active runs", overlap: "Overlap" },
};

export const spoken: Readonly<Record<string, string>> = {
  ...{ false: "off: the newest only", true: "on: all of them" },
  ...{ queue: "queue: it waits its turn", skip: "skip: it is skipped" },
};
