import { readConfig } from "../../lib/config.ts";
import { atLeast, atMost, type Measured, median, type Row, rate, rateRow } from "./figures.ts";
import { ourSide, runSide, script, startSide } from "./side.ts";
import { alternate, type Bench, limitOf, type Settings, type Stage, stepsOf } from "./stage.ts";

/**
 * The table's writer with rows in memory, and `consume --drain`, against the same driver in a plain
 * loop and against the best of the Rust program's settings.
 */
export const sink: Stage = {
  name: "sink",
  steps: (bench) =>
    5 +
    ("path" in bench.programs.store ? 3 + stepsOf(bench, 4) : stepsOf(bench, 3)) +
    stepsOf(bench, 2),
  run: async (bench) => {
    await using pipeline = await bench.pipeline();
    const { settings } = pipeline;
    const { warm, count } = bench.sizes.sink;
    const file = await bench.records({ count: warm + count });
    await fillTopic(bench, settings, bench.sizes.drain);
    const store = (setting: string) => (path: string) => {
      const { contactPoints, keyspace, table } = readConfig(settings).sink;
      const command = [path, contactPoints[0] ?? "", `${keyspace}.${table}`, file, setting];
      return runSide([...command, `${warm}`], { settings, signal: bench.signal });
    };
    const ours = (setting: string) => (): Promise<Measured> =>
      runSide(ourSide("sink", file, setting, warm), { settings, signal: bench.signal });
    // Makes the table, and warms the store.
    await ours("ours")();
    const driver = await best(
      bench,
      "driver",
      ["batches:8:64", "batches:8:128", "singly:256"],
      ours,
    );
    const rust = await bestOfRust(bench, store);
    const limit = limitOf(bench.programs.store, "Rust", store(rust));
    const measured = await alternate(bench, "sink", {
      ours: ours("ours"),
      ...limit.sides,
      drain: drain(bench, settings, 1),
      driver: ours(driver),
    });
    const names = { rust, driver, ...(limit.note ? { note: limit.note } : {}) };
    return [...rows(measured, names), await members(bench)];
  },
};

function rows(
  { ours = [], drain = [], driver = [], Rust }: Readonly<Record<string, readonly Measured[]>>,
  names: { readonly rust: string; readonly driver: string; readonly note?: string },
) {
  const against = Rust
    ? { limit: Rust, limitName: `Rust ${names.rust}` }
    : { ...(names.note ? { note: names.note } : {}) };
  const ofSink = median(drain.map((each, at) => rate(each) / rate(ours[at] ?? each)));
  const loop = { limit: driver, limitName: `driver ${names.driver}` };
  return [
    rateRow({ stage: "sink", what: "rows in memory", ours, ...against }, (row) => [
      atLeast("ratio", row.ratio?.median, 0.7),
      atMost("CPU µs", row.cpuMicros?.median, 20),
    ]),
    rateRow({ stage: "sink", what: "by the same driver", ours, ...loop }),
    rateRow({ stage: "sink", what: "consume --drain", ours: drain, ...against }, (row) => [
      atLeast("ratio", row.ratio?.median, 0.6),
      atLeast("of our sink", ofSink, 0.9),
      atMost("CPU µs", row.cpuMicros?.median, 25),
      atMost("MB", row.peakMb, 200),
    ]),
  ];
}

/** Whether a group of two takes more than one: until the store has no more to give. */
async function members(bench: Bench): Promise<Row> {
  await using pipeline = await bench.pipeline();
  const { settings } = pipeline;
  await fillTopic(bench, settings, bench.sizes.sink.count);
  const { one = [], two = [] } = await alternate(bench, "members", {
    one: drain(bench, settings, 1),
    two: drain(bench, settings, 2),
  });
  const what = { stage: "sink", what: "two of them in a group" };
  return rateRow({ ...what, ours: two, limit: one, limitName: "one" });
}

async function fillTopic(bench: Bench, settings: Settings, records: number): Promise<void> {
  bench.step("sink: filling a topic");
  const file = await bench.records({ count: Math.min(records, 200_000) });
  await runSide(ourSide("publish", file, 0, records), { settings, signal: bench.signal });
}

/** The script as users start it, so many members of a group that has read nothing yet. */
function drain({ signal }: Bench, settings: Settings, members: number) {
  let group = 0;
  return async (): Promise<Measured> => {
    const fresh = { ...settings, KAFKA_GROUP: `${settings.KAFKA_GROUP}-${members}-${group++}` };
    const done = await Promise.all(
      Array.from({ length: members }, async () => {
        const command = script("consume", "--drain", "--json");
        await using side = startSide(command, { settings: fresh, signal });
        const { rows, seconds } = await side.result<{ rows: number; seconds: number }>();
        return { rows, seconds, ...side.used() };
      }),
    );
    return {
      records: done.reduce((sum, { rows }) => sum + rows, 0),
      seconds: Math.max(...done.map(({ seconds }) => seconds)),
      cpuSeconds: done.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
      peakMb: Math.max(...done.map(({ peakMb }) => peakMb)),
    };
  };
}

type Setting = (setting: string) => () => Promise<Measured>;

/** The fastest of some settings, each tried once. */
async function best(bench: Bench, name: string, settings: readonly string[], run: Setting) {
  const tried: { setting: string; rate: number }[] = [];
  for (const setting of settings) {
    bench.step(`sink: choosing for ${name}, ${setting}`);
    tried.push({ setting, rate: rate(await run(setting)()) });
  }
  return tried.toSorted((a, b) => b.rate - a.rate)[0]?.setting ?? "";
}

async function bestOfRust(
  bench: Bench,
  store: (setting: string) => (path: string) => Promise<Measured>,
): Promise<string> {
  const { store: program } = bench.programs;
  if ("missing" in program) return "";
  const settings = ["batches:8:128", "batches:8:64", "singly:1024"];
  return await best(bench, "Rust", settings, (setting) => () => store(setting)(program.path));
}
