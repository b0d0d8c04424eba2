import { isClean, type Verification } from "../../lib/flow/verify.ts";
import { differences, type Stations } from "../fixtures/faults/invariant.ts";
import { openStations } from "../own-stations.ts";
import { runScript, type Settings } from "../scripts.ts";

export interface Verdict {
  readonly verification: Verification;
  readonly runs: Readonly<Record<string, number>>;
  /** What a comparison found that shares no code with `verify`, and what was left undone. */
  readonly differences: readonly string[];
  readonly clean: boolean;
}

/** Compares the stations when all work is at its end. */
export async function judge(settings: Settings, poison: number): Promise<Verdict> {
  const { stdout, stderr } = await runScript("verify", ["--json", "--ids"], settings);
  if (stdout === "") throw new Error(`verify: ${stderr}`);
  const verification = JSON.parse(stdout) as Verification;
  await using stations = await openStations(settings);
  const wrong = await differences(stations);
  const { pending, onTheWay, deadLetters } = verification;
  if (pending + onTheWay > 0) wrong.push(`${pending} pending, ${onTheWay} on the way`);
  if (deadLetters !== poison) wrong.push(`${deadLetters} dead letters, ${poison} poison records`);
  return {
    ...{ verification, runs: await runsByState(stations), differences: wrong },
    clean: isClean(verification) && wrong.length === 0,
  };
}

async function runsByState({ sql }: Stations): Promise<Record<string, number>> {
  const rows = await sql<{ state: string; runs: number }[]>`
    select state, count(*) as runs from runs group by state order by state`;
  return Object.fromEntries(rows.map(({ state, runs }) => [state, runs]));
}
