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
