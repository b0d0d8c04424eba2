import { parsePlace } from "./domain/letter.ts";
import type { LetterFilter, LetterInfo } from "./domain/letter-filter.ts";
import { PipelineError } from "./errors.ts";
import type { Given } from "./run.ts";

/** The options of `dlq`. */
export const dlqOptions = {
  reason: { type: "string", value: "TEXT", about: "whose reason has this in it" },
  stage: { type: "string", value: "S", about: "refused by: fetch, publish, decode or write" },
  from: { type: "string", value: "T", about: "refused at this time or later (ISO 8601, UTC)" },
  to: { type: "string", value: "T", about: "refused before this time" },
  partition: { type: "string", value: "N", about: "of records of this partition" },
  offset: { type: "string", value: "A..B", about: "of records at these offsets, or at one" },
  origin: { type: "string", value: "ID", about: "of this record: topic/partition/offset" },
  where: { type: "string", value: "W", about: "topic: dead letters; raw: rejected rows" },
  state: { type: "string", value: "S", about: "list: open, replayed, purged or all (open)" },
  limit: { type: "string", value: "N", about: "no more than so many" },
  all: { type: "boolean", about: "replay, purge: every open one" },
  "dry-run": { type: "boolean", about: "replay, purge: change nothing, say what would be done" },
  json: { type: "boolean", about: "print JSON" },
} as const;

export interface DlqRequest {
  readonly action: Action;
  readonly filter: LetterFilter;
  readonly state: LetterInfo["state"] | "all";
  readonly limit?: number;
  readonly dryRun: boolean;
}
type Action = (typeof actions)[number];
const actions = ["list", "show", "replay", "purge"] as const;

/** What the command line asks for. What changes letters needs to be told which. */
export function dlqRequest(
  positionals: readonly string[],
  given: Given<typeof dlqOptions>,
): DlqRequest {
  const [first, ...ids] = positionals;
  const action = actions.find((name) => name === first);
  if (!action) throw wrong(`expected one of ${actions.join(", ")}`);
  const { state, limit, all = false, "dry-run": dryRun = false } = given;
  const filter = filterOf(given.origin === undefined ? ids : [...ids, given.origin], given);
  const filters = Object.keys(filter).length;
  const changing = action === "replay" || action === "purge";
  if (changing && all === filters > 0) {
    throw wrong(
      all
        ? "--all goes without a filter"
        : `${action} needs to know which letters: ids, a filter such as --reason, or --all`,
    );
  }
  if (!changing && dryRun) throw wrong("--dry-run goes with replay and purge");
  if (!changing && all) throw wrong("--all goes with replay and purge");
  if (action !== "list" && state !== undefined) throw wrong("--state goes with list");
  if (action === "show" && filter.ids?.length !== 1)
    throw wrong("show needs one id, as list has it");
  return {
    action,
    filter,
    state: action === "show" ? "all" : one("state", state ?? "open", states),
    ...(limit === undefined ? {} : { limit: whole("limit", limit, 1) }),
    dryRun,
  };
}

const states = ["open", "replayed", "purged", "all"] as const;

function filterOf(ids: readonly string[], given: Given<typeof dlqOptions>): LetterFilter {
  const { reason, stage, from, to, partition, offset, where } = given;
  const filter = {
    ...(ids.length > 0 ? { ids: ids.map(letterId) } : {}),
    ...(where === undefined ? {} : { where: one("where", where, ["topic", "raw"] as const) }),
    ...(reason === undefined ? {} : { reason }),
    ...(stage === undefined ? {} : { stage }),
    ...(from === undefined ? {} : { fromMs: instant("from", from) }),
    ...(to === undefined ? {} : { toMs: instant("to", to) }),
    ...(partition === undefined ? {} : { partition: whole("partition", partition, 0) }),
    ...(offset === undefined ? {} : { offsets: range(offset) }),
  };
  if (filter.fromMs !== undefined && filter.toMs !== undefined && filter.fromMs >= filter.toMs) {
    throw wrong(`--from=${from} is not before --to=${to}`);
  }
  return filter;
}

function letterId(id: string): string {
  if (parsePlace(id) || /^raw\/\d{1,15}$/.test(id)) return id;
  throw wrong(`${JSON.stringify(id)}: expected topic/partition/offset or raw/ID, as list has them`);
}

function one<T extends string>(option: string, text: string, of: readonly T[]): T {
  const found = of.find((each) => each === text);
  if (found === undefined) throw expected(option, text, of.join(", "));
  return found;
}

function whole(option: string, text: string, least: number): number {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : -1;
  if (number < least) throw expected(option, text, `a whole number from ${least} on`);
  return number;
}

/** "7", or "7..9" with both ends. */
function range(text: string): NonNullable<LetterFilter["offsets"]> {
  const [, first = "", last = first] = /^(\d{1,15})(?:\.\.(\d{1,15}))?$/.exec(text) ?? [];
  if (first === "" || Number(first) > Number(last)) {
    throw expected("offset", text, "an offset, or a range such as 100..200");
  }
  return { first: Number(first), last: Number(last) };
}

/** A day or a time in ISO 8601; UTC, unless it says otherwise. */
function instant(option: string, text: string): number {
  const [, day, time, zone = "Z"] =
    /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:\d\d)?)?$/.exec(
      text,
    ) ?? [];
  const ms = Date.parse(`${day}T${time ?? "00:00"}${zone}`);
  if (Number.isNaN(ms)) throw expected(option, text, "a time such as 2026-01-31T12:00:00Z");
  return ms;
}

function expected(option: string, text: string, what: string): PipelineError {
  return wrong(`--${option}=${JSON.stringify(text)}: expected ${what}`);
}

function wrong(message: string): PipelineError {
  return new PipelineError("usage", `${message}\nTry: bun run dlq --help`);
}
