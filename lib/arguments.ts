import * as v from "valibot";
import type { RunRequest } from "./domain/run.ts";
import { invalid, NewRun } from "./domain/run-request.ts";
import { PipelineError } from "./errors.ts";

/** The options of `ingest`, all of which belong to `--once`. */
export interface GivenRun {
  readonly once?: boolean;
  readonly results?: string;
  readonly seed?: string;
  readonly nat?: string;
  readonly json?: boolean;
}

/** The run that `--results`, `--seed` and `--nat` ask for, judged like one asked for by HTTP. */
export function runRequest(
  given: GivenRun,
  defaults: Pick<RunRequest, "results" | "nat">,
): RunRequest {
  const { once = false, results, seed, nat } = given;
  if (!once && Object.keys(given).length > 0) {
    throw new PipelineError("usage", `--${Object.keys(given)[0]} goes with --once`);
  }
  const parsed = v.safeParse(NewRun, {
    ...(results === undefined ? {} : { results: Number(results) }),
    ...(seed === undefined ? {} : { seed }),
    ...(nat === undefined ? {} : { nat: nat.split(",").map((each) => each.trim().toLowerCase()) }),
  });
  if (!parsed.success) {
    const faults = invalid(parsed.issues).map(({ path, message }) => `--${path}=${message}`);
    throw new PipelineError("usage", faults.join("\n"));
  }
  const { output } = parsed;
  return {
    trigger: "manual",
    results: output.results ?? defaults.results,
    nat: output.nat ?? defaults.nat,
    ...(output.seed === undefined ? {} : { seed: output.seed }),
  };
}

/** The number of a run, as given on the command line. Fails with "usage". */
export function runId(text: string | undefined): number {
  if (text === undefined || !/^\d{1,15}$/.test(text)) {
    throw new PipelineError("usage", `${text ?? "no run"}: expected the number of a run`);
  }
  return Number(text);
}

/** The id of a user, as given on the command line, alone; in lower case. Fails with "usage". */
export function userId(given: readonly string[]): string {
  const [id = "", ...more] = given;
  const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
  if (more.length === 0 && uuid.test(id)) return id.toLowerCase();
  throw new PipelineError("usage", `${given.join(" ") || "no id"}: expected the id of one user`);
}

/** What `runs republish` is to send again: of a run, or of a span of time. Fails with "usage". */
export function republishSelection(given: {
  readonly run?: string;
  readonly from?: string;
  readonly to?: string;
}): { readonly run: number } | { readonly from: Date; readonly to: Date } {
  const { run, from, to } = given;
  if (run !== undefined && from === undefined && to === undefined) return { run: runId(run) };
  if (run !== undefined || from === undefined || to === undefined) {
    throw new PipelineError("usage", "expected --run N, or --from T and --to T");
  }
  const span = { from: new Date(from), to: new Date(to) };
  for (const [name, time] of Object.entries(span)) {
    if (Number.isNaN(time.getTime())) {
      throw new PipelineError("usage", `--${name}: expected a time such as 2026-01-31T12:00:00Z`);
    }
  }
  return span;
}
