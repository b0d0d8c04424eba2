// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are texts of other files
/** One safety step taken away: a text that must occur once in the file, what stands there instead, and who must notice. */
export interface Mutant {
  /** The step, as it reads when it is there. */
  readonly step: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Test files of which at least one test must fail, and a pattern of test names to run only those. */
  readonly tests: readonly string[];
  readonly only?: string;
}

const unit = (name: string) => `tests/unit/${name}.test.ts`;
const integration = (name: string) => `tests/integration/${name}.test.ts`;

export const mutants: readonly Mutant[] = [
  {
    step: "a page is kept before the next one is asked for",
    file: "lib/flow/source-to-raw.ts",
    find: "await retry(() => store.commitPage(run, judged)",
    replace: "void retry(() => store.commitPage(run, judged)",
    tests: [unit("flow/source-to-raw")],
  },
  {
    step: "the outbox waits for the acknowledgement of the topic",
    file: "lib/flow/raw-to-topic.ts",
    find: "of await topic.publish(events))",
    replace: "of (void topic.publish(events), []))",
    tests: [unit("flow/raw-to-topic")],
  },
  {
    step: "a delivery waits for the broker's reports",
    file: "lib/topic/batch.ts",
    find: "count, lengths, bytes, resolve);",
    replace: "count, lengths, bytes, () => {});\n    resolve([]);",
    tests: [integration("topic/producer")],
  },
  {
    step: "all replicas acknowledge",
    file: "lib/topic/producer.ts",
    find: 'acks: "all",',
    replace: "acks: 1,",
    tests: [unit("topic/properties")],
  },
  {
    step: "rows leave the outbox with the transaction of who holds them",
    file: "lib/raw/outbox.ts",
    find: "await remove(tx, rows);",
    replace: "await remove(sql as never, rows);",
    tests: [integration("raw/outbox"), integration("flow/recovery")],
  },
  {
    step: "rows in hand are locked",
    file: "lib/raw/outbox.ts",
    find: " for update skip locked",
    replace: "",
    tests: [integration("raw/outbox"), integration("flow/recovery")],
  },
  {
    step: "a page, its outbox rows and the run's progress are one transaction",
    file: "lib/raw/runs.ts",
    find: "const [kept] = await tx<{ count: number }[]>`",
    replace: "const [kept] = await sql<{ count: number }[]>`",
    tests: [integration("raw/pages"), integration("raw/runs")],
  },
  {
    step: "pages are fenced by (run, attempt, worker)",
    file: "lib/raw/claims.ts",
    find: "and attempt = ${run.attempt} and worker = ${run.worker} and state",
    replace: "and state",
    tests: [integration("raw/runs")],
  },
  {
    step: "a page is kept once",
    file: "lib/raw/runs.ts",
    find: "where ${holding(tx, run)} and pages = ${page.page - 1}",
    replace: "where ${holding(tx, run)}",
    tests: [integration("raw/runs")],
  },
  {
    step: "a logical time is one run",
    file: "lib/raw/migrations/0001-users.sql",
    find: "create unique index runs_logical_time",
    replace: "create index runs_logical_time",
    tests: [integration("raw/runs")],
  },
  {
    step: "a run's seed comes from its logical time",
    file: "lib/domain/run.ts",
    find: 'return `at-${run.logicalTime.toISOString().replace(/[-:]|\\.\\d{3}/g, "")}`;',
    replace: "return `at-${Math.random()}-`;",
    tests: [unit("domain/run")],
  },
  {
    step: "the version is the write time",
    file: "lib/sink/upsert.ts",
    find: "user[column]), version];",
    replace: "user[column]), Date.now() * 1000];",
    tests: [integration("sink/cassandra")],
  },
  {
    step: "rows are written before offsets are committed",
    file: "lib/flow/topic-to-sink.ts",
    find: "const refused = await retry(() => sink.upsert(",
    replace: "void sink.upsert([]); const refused: never[] = []; void retry(() => sink.upsert(",
    tests: [unit("flow/topic-to-sink")],
  },
  {
    step: "a failed write fails the batch",
    file: "lib/sink/wave.ts",
    find: "if (failure) throw failure.reason;",
    replace: "",
    tests: [unit("sink/wave"), integration("sink/cassandra")],
  },
  {
    step: "dead letters are acknowledged before offsets are committed",
    file: "lib/flow/topic-to-sink.ts",
    find: "await retry(() => deadLetters.put(letters)",
    replace: "void retry(() => deadLetters.put(letters)",
    tests: [unit("flow/topic-to-sink")],
  },
  {
    step: "offsets are committed after the handler",
    file: "lib/topic/read-on.ts",
    find: "const early = await stayingInGroup(member, handle(records), pauseAfterMs);\n  offsets.done(marks);",
    replace:
      "offsets.done(marks);\n  const early = await stayingInGroup(member, handle(records), pauseAfterMs);",
    tests: [integration("topic/consumer")],
  },
  {
    step: "the client commits nothing by itself",
    file: "lib/topic/member.ts",
    find: '"enable.auto.commit": false,\n    "enable.auto.offset.store": false,',
    replace:
      '"enable.auto.commit": true,\n    "enable.auto.offset.store": true,\n    "auto.commit.interval.ms": 100,',
    tests: [integration("topic/consumer")],
  },
  {
    step: "a group without offsets reads from the first record",
    file: "lib/topic/member.ts",
    find: '"auto.offset.reset": "earliest",',
    replace: '"auto.offset.reset": "latest",',
    tests: [unit("topic/properties")],
  },
  {
    step: "a member that is busy goes on polling",
    file: "lib/topic/read-on.ts",
    find: "const early = await stayingInGroup(member, handle(records), pauseAfterMs);",
    replace: "await handle(records);\n  const early: never[] = [];",
    tests: [integration("topic/consumer")],
  },
  {
    step: "what is polled meanwhile is handled next",
    file: "lib/topic/read-on.ts",
    find: "const records = [...early, ...polled];",
    replace: "const records = [...polled];",
    tests: [unit("topic/read-on")],
  },
  {
    step: "an old owner commits nothing",
    file: "lib/topic/offsets.ts",
    find: "if (owned.get(mark.partition) === mark.owned) advance(mark.owned, mark.offset);",
    replace: "advance(mark.owned, mark.offset); owned.set(mark.partition, mark.owned);",
    tests: [unit("topic/offsets")],
  },
  {
    step: "a producer sends each record once per session",
    file: "lib/topic/producer.ts",
    find: '"enable.idempotence": true,',
    replace: '"enable.idempotence": false,',
    tests: [unit("topic/properties")],
  },
  {
    step: "bytes that are not UTF-8 are refused",
    file: "lib/domain/event.ts",
    find: 'new TextDecoder("utf-8", { fatal: true,',
    replace: 'new TextDecoder("utf-8", { fatal: false,',
    tests: [unit("domain/event")],
  },
  {
    step: "a text that is not Unicode is refused",
    file: "lib/domain/user.ts",
    find: "v.check((value) => value.isWellFormed()",
    replace: "v.check(() => true",
    tests: [unit("domain/user")],
  },
  {
    step: "a short answer of the API is no page",
    file: "lib/source/randomuser.ts",
    find: "if (users.length !== results) throw",
    replace: "if (users.length === -1) throw",
    tests: [integration("source/randomuser")],
  },
  {
    step: "without a token only names of this machine are answered",
    file: "lib/http/guards.ts",
    find: '  app.use(knownHostOnly({ loopback: token === "" && auth !== "off" }));\n',
    replace: "",
    tests: [integration("http/security")],
  },
  {
    step: "with a token everything needs it",
    file: "lib/http/auth.ts",
    find: "if (open || equal(given, token)) return next();",
    replace: "return next();",
    tests: [unit("http/app")],
  },
  {
    step: "beyond loopback a token is needed",
    file: "lib/http/listen.ts",
    find: "  requireProtection(config);\n",
    replace: "",
    tests: [integration("http/listen")],
  },
  {
    step: "verify reads how far the group is before the table",
    file: "lib/flow/verify.ts",
    find: "  const committed = await topic.committed(topic.name);\n",
    replace: "",
    tests: [unit("flow/verify")],
  },
  {
    step: "a relay makes sure that its rows are still its own",
    file: "lib/flow/raw-to-topic.ts",
    find: "    await stillOurs();\n",
    replace: "",
    tests: [unit("flow/raw-to-topic"), "tests/faults/zombie-relay.test.ts"],
  },
  {
    step: "a version far ahead is a dead letter",
    file: "lib/domain/event.ts",
    find: "const dayMs = 86_400_000;",
    replace: "const dayMs = Number.POSITIVE_INFINITY;",
    tests: [unit("domain/event")],
  },
  {
    step: "requests of other origins are refused",
    file: "lib/http/guards.ts",
    find: "  app.use(sameOriginOnly());\n",
    replace: "",
    tests: [integration("http/security")],
  },
  {
    step: "bodies are bounded",
    file: "lib/http/guards.ts",
    find: "  app.use(boundedBody());\n",
    replace: "",
    tests: [integration("http/security")],
  },
  {
    step: "a slow store gets fewer writes",
    file: "lib/sink/limit.ts",
    find: "limit = Math.max(1, limit * to);",
    replace: "",
    tests: [unit("sink/limit")],
  },
  {
    step: "after a failed write no new one starts",
    file: "lib/sink/wave.ts",
    find: "    !failure && !signal.aborted &&",
    replace: "    !signal.aborted &&",
    tests: [unit("sink/wave")],
  },
  {
    step: "a topic made again is read from its start",
    file: "lib/topic/member.ts",
    find: "return topicId !== undefined && offsets.outdated(topicId);",
    replace: "return false;",
    tests: [integration("topic/changes")],
    only: "made again",
  },
  {
    step: "records that expired unread are told of",
    file: "lib/topic/offsets.ts",
    find: "if (offset > at.offset) onGap({ partition, from: at.offset, to: offset });",
    replace: "",
    tests: [integration("topic/changes")],
    only: "expired",
  },
  {
    step: "a partition that comes back is read again",
    file: "lib/topic/rebalance.ts",
    find: "    else client().resume([...partitions]);\n",
    replace: "",
    tests: [unit("topic/rebalance")],
  },
];
