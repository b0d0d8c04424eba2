import { deadLettersContract } from "../../contracts/dead-letters.ts";
import { ledgerContract } from "../../contracts/ledger.ts";
import { outboxContract } from "../../contracts/outbox.ts";
import { publisherContract } from "../../contracts/publisher.ts";
import { recordSourceContract } from "../../contracts/record-source.ts";
import { runsContract } from "../../contracts/runs.ts";
import { sinkContract } from "../../contracts/sink.ts";
import { sourceContract } from "../../contracts/source.ts";
import { createFakeDeadLetters } from "../../fakes/dead-letters.ts";
import { createFakeLedger, type Settled } from "../../fakes/ledger.ts";
import { createFakeOutbox } from "../../fakes/outbox.ts";
import { createFakePublisher } from "../../fakes/publisher.ts";
import { createFakeTopic } from "../../fakes/record-source.ts";
import { createFakeRuns } from "../../fakes/runs.ts";
import { createFakeSink } from "../../fakes/sink.ts";
import { createFakeSource } from "../../fakes/source.ts";
import { record } from "../../users.ts";

const closed = { [Symbol.asyncDispose]: async () => {} };

outboxContract("the fake outbox", async () => {
  const outbox = createFakeOutbox();
  let raw = 0;
  return {
    ...closed,
    outbox,
    add: async (users) => {
      const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
      const trace = { traceparent, tracestate: null };
      outbox.add(
        ...users.map((payload) => ({ raw: ++raw, run: 1, version: 100 + raw, payload, trace })),
      );
    },
    waiting: async () => outbox.pending.length,
    lose: async () => outbox.lose(),
    rejected: async () => outbox.rejected.map(({ reason }) => reason),
  };
});

runsContract("the fake runs", async () => {
  const runs = createFakeRuns();
  return {
    ...closed,
    runs,
    kept: async () =>
      runs.pages.flatMap(({ page }) => page.users.map((user) => ("id" in user ? user.id : null))),
    silence: async (id) => runs.silence(id),
    due: async () => runs.due(),
  };
});

publisherContract("the fake publisher", async () => {
  const publisher = createFakePublisher();
  const values = async () => publisher.published.map(({ value }) => JSON.parse(String(value)));
  return { ...closed, publisher, values };
});

recordSourceContract("the fake topic", async () => {
  const topic = createFakeTopic();
  let offset = 0;
  return {
    ...closed,
    add: async (values) => {
      topic.add(...values.map((value) => record({ offset: offset++, value: Buffer.from(value) })));
    },
    member: async (options) => ({ ...topic.open(options), ...closed }),
  };
});

sinkContract("the fake sink", async () => {
  const sink = createFakeSink();
  return {
    ...closed,
    sink,
    indexAddresses: async () => {},
    rows: async () => [...sink.rows.values()],
  };
});

deadLettersContract("the fake dead letters", async () => {
  const deadLetters = createFakeDeadLetters();
  const found = async () =>
    deadLetters.letters.map(({ record, attempts, stage, rejection }) => ({
      ...{ topic: record.topic, partition: record.partition, offset: record.offset, attempts },
      ...{ stage, reason: rejection.reason, path: rejection.path },
      ...{ key: record.key?.toString() ?? null, value: record.value?.toString() ?? null },
    }));
  return { ...closed, deadLetters, found };
});

sourceContract("the fake source", async () => ({ ...closed, source: createFakeSource() }));

ledgerContract("the fake ledger", async (raws) => {
  const all = [...raws];
  const receive = async (more: typeof raws) => void all.push(...more);
  const settled: Settled[] = [];
  const settle = async (more: readonly Settled[]) => void settled.push(...more);
  return { ...closed, ledger: createFakeLedger(all, settled), receive, settle };
});
