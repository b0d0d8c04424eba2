import { PipelineError } from "../../lib/errors.ts";
import { consume } from "./consume.ts";
import type { Row } from "./figures.ts";
import { growth } from "./growth.ts";
import { publish } from "./publish.ts";
import { raw } from "./raw.ts";
import { relay } from "./relay.ts";
import { sink } from "./sink.ts";
import type { Bench, Stage } from "./stage.ts";
import { startUp } from "./start-up.ts";
import { whole } from "./whole.ts";

/** In the order in which they are measured. */
const stages: readonly Stage[] = [publish, consume, sink, raw, relay, whole, startUp, growth];

export const stageNames = stages.map(({ name }) => name).join(",");

/** "publish,sink" in any order; all of them when not given. Fails with "usage". */
export function stagesFrom(text: string | undefined): readonly Stage[] {
  if (text === undefined) return stages;
  const names = text.split(",");
  const chosen = stages.filter(({ name }) => names.includes(name));
  if (chosen.length === new Set(names).size) return chosen;
  throw new PipelineError("usage", `--only ${text}: expected some of ${stageNames}`);
}

/** How often each side is measured, 3 times when not given. Fails with "usage". */
export function roundsFrom(text = "3"): number {
  if (/^[1-9]\d?$/.test(text)) return Number(text);
  throw new PipelineError("usage", `--rounds ${text}: expected a number from 1 to 99`);
}

/** Measures them one after the other. A stage that fails fails the bench: half a table misleads. */
export async function measure(stages: readonly Stage[], bench: Bench): Promise<Row[]> {
  const rows: Row[] = [];
  for (const stage of stages) rows.push(...(await stage.run(bench)));
  return rows;
}
