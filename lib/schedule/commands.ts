import * as v from "valibot";
import { backfillText } from "../domain/backfill.ts";
import type { RunRequest } from "../domain/run.ts";
import { invalid } from "../domain/run-request.ts";
import { PipelineError } from "../errors.ts";
import type { Given } from "../run.ts";
import { backfillRequest, NewBackfill, ScheduleChange } from "../schedule-request.ts";
import type { Backfilled } from "./backfill.ts";
import type { BackfillDesk, ScheduleDesk, ScheduleView } from "./desk.ts";

/* `bun run runs` schedule, pause, resume, next and backfill. */

/** The options of these commands, beside `--from`, `--to` and `--dry-run`. */
export const scheduleOptions = {
  reprocess: { type: "string", value: "none|failed|completed", about: "backfill: none" },
  order: { type: "string", value: "oldest|newest", about: "backfill: which come first" },
  results: { type: "string", value: "N", about: "backfill: users of each new run (RESULTS)" },
  nat: { type: "string", value: "gb,us", about: "backfill: nationalities (NAT)" },
  running: { type: "boolean", about: "backfill cancel: also what is running" },
  cron: { type: "string", value: "C", about: "schedule: set it" },
  timezone: { type: "string", value: "Z", about: "schedule: set it" },
  catchup: { type: "string", value: "on|off", about: "schedule: make up for all missed times" },
  overlap: { type: "string", value: "queue|skip", about: "schedule: what comes too early" },
  "max-active": { type: "string", value: "N", about: "schedule, backfill: runs at once" },
  limit: { type: "string", value: "N", about: "next, backfill list: so many" },
} as const;

/** These options, as given. */
export interface GivenSchedule extends Given<typeof scheduleOptions> {
  readonly from?: string;
  readonly to?: string;
  readonly "dry-run"?: boolean;
}

export interface Desks {
  readonly schedule: ScheduleDesk;
  readonly backfills: BackfillDesk;
}

export interface CommandAnswer {
  readonly data: object;
  readonly text: string;
}

type Act = (desks: Desks) => Promise<CommandAnswer>;

/**
 * What a command line asks for, to be done when there is a connection; undefined when it is none of
 * these commands. Fails with `usage`.
 */
export function scheduleCommand(
  [action, ...rest]: readonly string[],
  given: GivenSchedule,
  defaults: Pick<RunRequest, "results" | "nat">,
): Act | undefined {
  switch (action) {
    case "schedule":
      return changed(changeOf(given));
    case "pause":
      return changed({ paused: true });
    case "resume":
      return changed({ paused: false });
    case "next":
      return next(limitOf(given, 5));
    case "backfill":
      return rest.length === 0 ? newBackfill(given, defaults) : oldBackfill(rest, given);
  }
  return undefined;
}

function changed(change: v.InferOutput<typeof ScheduleChange>): Act {
  return async ({ schedule }) => {
    const wanted = Object.keys(change).length > 0;
    const view = (wanted && (await schedule.change(change))) || (await schedule.get());
    return { data: view, text: scheduleText(view) };
  };
}

function next(count: number): Act {
  return async ({ schedule }) => {
    const times = await schedule.next(count);
    const paused = "none: the schedule is paused\n";
    return { data: times, text: times.map((time) => `${time}\n`).join("") || paused };
  };
}

function newBackfill(given: GivenSchedule, defaults: Pick<RunRequest, "results" | "nat">): Act {
  const { from, to, reprocess, order, results, nat } = given;
  if (from === undefined || to === undefined) {
    throw new PipelineError("usage", "backfill: expected --from T and --to T");
  }
  const asked = parsed(NewBackfill, {
    ...defined({ from, to, reprocess, order, results: numberOf(results) }),
    ...defined({ maxActiveRuns: numberOf(given["max-active"]) }),
    ...defined({ nat: nat?.split(",").map((each) => each.trim().toLowerCase()) }),
    dryRun: given["dry-run"] ?? false,
  });
  return async ({ backfills }) => {
    const { dryRun } = asked;
    const made = await backfills.create(backfillRequest(asked, defaults), { dryRun });
    return { data: { ...made, dryRun }, text: madeText(made) };
  };
}

function oldBackfill([verb, id]: readonly string[], given: GivenSchedule): Act {
  if (verb === "list") {
    const limit = limitOf(given, 25);
    return async ({ backfills }) => {
      const all = await backfills.list({ limit });
      return { data: all, text: all.map(backfillText).join("") };
    };
  }
  if (verb !== "show" && verb !== "cancel") {
    throw new PipelineError("usage", `backfill ${verb}: expected list, show ID or cancel ID`);
  }
  const number = idOf(id, `backfill ${verb}`);
  return async ({ backfills }) => {
    const found =
      verb === "show"
        ? await backfills.get(number)
        : await backfills.cancel(number, { running: given.running ?? false });
    if (!found) throw new PipelineError("refused", `there is no backfill ${number}`);
    return { data: found, text: backfillText(found) };
  };
}

function changeOf({ cron, timezone, catchup, overlap, ...given }: GivenSchedule) {
  if (catchup !== undefined && catchup !== "on" && catchup !== "off") {
    throw new PipelineError("usage", `--catchup=${catchup}: expected on or off`);
  }
  const flag = catchup === undefined ? undefined : catchup === "on";
  const maxActiveRuns = numberOf(given["max-active"]);
  const change = defined({ cron, timezone, catchup: flag, maxActiveRuns, overlap });
  return parsed(ScheduleChange, change);
}

/** Options are named as users type them. */
const names: Readonly<Record<string, string>> = { maxActiveRuns: "max-active", dryRun: "dry-run" };

function parsed<S extends v.GenericSchema>(schema: S, value: object): v.InferOutput<S> {
  const judged = v.safeParse(schema, value, { abortPipeEarly: true });
  if (judged.success) return judged.output;
  const faults = invalid(judged.issues).map(
    ({ path, message }) => `--${names[path] ?? path}=${message}`,
  );
  throw new PipelineError("usage", faults.join("\n"));
}

function defined(options: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

function idOf(text: string | undefined, what: string): number {
  if (text !== undefined && /^\d{1,15}$/.test(text)) return Number(text);
  throw new PipelineError(
    "usage",
    `${what}: ${text ?? "nothing"}: expected the number of a backfill`,
  );
}

function limitOf({ limit }: GivenSchedule, otherwise: number): number {
  if (limit === undefined) return otherwise;
  if (/^([1-9]\d?|100)$/.test(limit)) return Number(limit);
  throw new PipelineError("usage", `--limit=${limit}: expected a number from 1 to 100`);
}

function scheduleText(view: ScheduleView): string {
  const { cron, timezone, paused, catchup, maxActiveRuns, overlap, next, active } = view;
  const lines = [
    ["cron", cron],
    ["timezone", timezone],
    ["state", paused ? "paused" : "active"],
    ["catchup", catchup ? "on" : "off"],
    ["max active runs", `${maxActiveRuns} (${active} active)`],
    ["overlap", overlap],
    ["next", next ?? "none"],
  ] as const;
  return lines.map(([name, value]) => `${name.padEnd(17)}${value}\n`).join("");
}

function madeText({ backfill, runs }: Backfilled): string {
  if (backfill) return backfillText(backfill);
  const lines = runs.map(({ logicalTime, id, state }) =>
    id === null ? `${logicalTime} new\n` : `${logicalTime} run ${id}, now ${state}\n`,
  );
  return `${lines.join("")}${runs.length} runs to make or to begin again\n`;
}
