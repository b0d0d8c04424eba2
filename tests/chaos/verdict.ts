import { readConfig } from "../../lib/config.ts";
import { isClean, type Verification } from "../../lib/flow/verify.ts";
import { connect } from "../../lib/raw/client.ts";
import { runScript, type Settings } from "../scripts.ts";

export interface Verdict {
  readonly verification: Verification;
  readonly differences: readonly string[];
  readonly clean: boolean;
}

/** Compares the stations with `verify`, and once more with a comparison that shares no code with it. */
export async function checked(settings: Settings, poison: number): Promise<Verdict> {
  const { stdout, stderr } = await runScript("verify", ["--json", "--ids"], settings);
  if (stdout === "") throw new Error(`verify: ${stderr}`);
  const verification = JSON.parse(stdout) as Verification;
  const differences: string[] = [];
  if (verification.deadLetters !== poison) {
    differences.push(`${verification.deadLetters} dead letters of ${poison} poison records`);
  }
  const { pending, onTheWay } = verification;
  if (pending + onTheWay > 0) differences.push(`${pending} pending, ${onTheWay} on the way`);
  return { verification, differences, clean: isClean(verification) && differences.length === 0 };
}

export async function runsByState(settings: Settings): Promise<Record<string, number>> {
  const sql = connect(readConfig(settings).raw.url);
  try {
    const rows = await sql<{ state: string; runs: number }[]>`
      select state, count(*) as runs from runs group by state order by state`;
    return Object.fromEntries(rows.map(({ state, runs }) => [state, runs]));
  } finally {
    await sql.end({ timeout: 5 });
  }
}
