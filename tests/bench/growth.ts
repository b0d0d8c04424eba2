import { startFakeApi } from "../../lib/local/fake-api/server.ts";
import { atMost, type Row, short } from "./figures.ts";
import { script, startSide } from "./side.ts";
import type { Bench, Stage } from "./stage.ts";

/** More and more users by `ingest --once` and `consume --drain`: time per user and memory stay flat. */
export const growth: Stage = {
  name: "growth",
  steps: ({ sizes }) => 2 * sizes.growth.length,
  run: async (bench) => {
    await using api = startFakeApi();
    const found: Grown[] = [];
    for (const users of bench.sizes.growth) found.push(await grow(bench, api.url, users));
    const before = found.at(-2);
    return found.map((each) => rowOf(each, each === found.at(-1) ? before : undefined));
  },
};

interface Grown {
  readonly users: number;
  readonly ingest: Cost;
  readonly consume: Cost;
}
interface Cost {
  /** From the start of the process to its end. */
  readonly microsPerUser: number;
  readonly peakMb: number;
}

/** A run has so many users at most: more are several runs. */
const mostUsers = 1_000_000;

async function grow(bench: Bench, sourceUrl: string, users: number): Promise<Grown> {
  await using pipeline = await bench.pipeline();
  const settings = { ...pipeline.settings, SOURCE_URL: sourceUrl };
  const cost = async (command: Parameters<typeof script>, times = 1): Promise<Cost> => {
    bench.step(`growth: ${short(users)} users, ${command[0]}`);
    const since = performance.now();
    let peakMb = 0;
    for (let time = 0; time < times; time++) {
      await using side = startSide(script(...command), { settings, signal: bench.signal });
      await side.ended();
      peakMb = Math.max(peakMb, side.used().peakMb);
    }
    return { microsPerUser: ((performance.now() - since) * 1000) / users, peakMb };
  };
  const each = String(Math.min(users, mostUsers));
  const ingest = await cost(["ingest", "--once", "--results", each], Math.ceil(users / mostUsers));
  const consume = await cost(["consume", "--drain"]);
  return { users, ingest, consume };
}

/** Machines are noisy; what grows with the data grows by more than this from one size to the next. */
const flat = 1.3;

function rowOf({ users, ingest, consume }: Grown, before: Grown | undefined): Row {
  const micros = ingest.microsPerUser + consume.microsPerUser;
  const earlier = before && before.ingest.microsPerUser + before.consume.microsPerUser;
  return {
    stage: "growth",
    what: `${short(users)} users`,
    unit: "µs a user",
    ours: { median: micros, low: micros, high: micros },
    text: `ingest ${short(ingest.microsPerUser)}, consume ${short(consume.microsPerUser)} µs a user`,
    peakMb: Math.max(ingest.peakMb, consume.peakMb),
    checks: [
      atMost("ingest MB", ingest.peakMb, 150),
      atMost("consume MB", consume.peakMb, 200),
      ...(earlier ? [atMost("× the time of the size before", micros / earlier, flat)] : []),
    ],
  };
}
