import { expect, test } from "bun:test";
import type { ConsumerFigures } from "../../../lib/domain/consumer-figures.ts";
import { type Flowing, type StationHealth, stuckAt } from "../../../lib/domain/pipeline.ts";

const at = "2026-01-31T12:01:00.000Z";
const since = "2026-01-31T12:00:00.000Z";
const up: StationHealth = { up: true, since, lastError: null };
const down: StationHealth = { up: false, since, lastError: { at, message: "refused" } };
const raw = { ...{ rows: 9, rejected: 0, pending: 0 }, oldestPendingSeconds: 60, rowsPerSecond: 0 };
const table = {
  ...{ consumed: 1, lag: 0, recordsPerSecond: 0, newestRowAt: null, newestRowAgeSeconds: null },
};
const flowing: Flowing = {
  ...{ at, raw, table, consumers: [] },
  stations: { source: up, raw: up, topic: up, table: up },
  idleSince: { topic: null, table: null },
};
const idle = new Date(since);
const justIdle = new Date("2026-01-31T12:00:51.000Z");

const consumer: ConsumerFigures = {
  ...{ worker: "one", at, startedAt: at, memoryBytes: 1e8, records: 2, rows: 1, deadLetters: 1 },
  ...{ batchRows: null, writeMs: null, endToEndMs: null, newestRowAt: null },
  ...{ waiting: null, lastError: null },
};
const waiting = { what: "the table", reason: "no node answers", since: at };

test("nothing is stuck where all is up and nothing waits", () => {
  expect(stuckAt(flowing)).toBeNull();
  expect(stuckAt({ ...flowing, idleSince: { topic: idle, table: idle } })).toBeNull();
  const unknown = { up: null, since: null, lastError: null };
  const stations = { source: unknown, raw: unknown, topic: unknown, table: unknown };
  const nothing = { ...flowing, raw: null, table: null, consumers: null };
  expect(stuckAt({ ...nothing, stations })).toBeNull();
});

test("records that wait for the table are stuck when none was committed for ten seconds", () => {
  const lagging = { ...flowing, table: { ...table, lag: 5 } };
  const stuck = (over: Partial<Flowing>) => stuckAt({ ...lagging, ...over });
  expect(stuck({ idleSince: { topic: null, table: justIdle } })).toBeNull();
  const idleSince = { topic: null, table: idle };
  const none = "no consumer is at work: `bun run consume` starts one";
  expect(stuck({ idleSince })).toEqual({ station: "table", since, why: none });
  const silent = "no consumer has committed anything";
  expect(stuck({ idleSince, consumers: [consumer] })).toMatchObject({ why: silent });
  expect(stuck({ idleSince, consumers: [consumer, { ...consumer, waiting }] })).toEqual({
    ...{ station: "table", since: at, why: "waiting for the table: no node answers" },
  });
});

test("rows that wait for the topic are stuck when none went there for ten seconds", () => {
  const pending = { ...flowing, raw: { ...raw, pending: 3 } };
  const stuck = (topic: Date) => stuckAt({ ...pending, idleSince: { topic, table: null } });
  expect(stuck(justIdle)).toBeNull();
  expect(stuck(idle)).toMatchObject({ station: "topic", since });
});

test.each(["source", "raw", "topic"] as const)(
  "%s is where it is stuck when that is down",
  (station) => {
    const stations = { ...flowing.stations, [station]: down };
    expect(stuckAt({ ...flowing, stations })).toEqual({ station, since, why: "refused" });
  },
);

test("of several places it is the one nearest to the table", () => {
  const all = {
    ...{ ...flowing, table: { ...table, lag: 5 } },
    idleSince: { topic: idle, table: idle },
    stations: { source: down, raw: down, topic: down, table: down },
  };
  expect(stuckAt(all)?.station).toBe("table");
  expect(stuckAt({ ...all, table: null })?.station).toBe("topic");
  const { source } = all.stations;
  const rawDown = { ...flowing.stations, source, raw: down };
  expect(stuckAt({ ...flowing, stations: rawDown })?.station).toBe("raw");
});
