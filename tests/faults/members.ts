import { join } from "node:path";
import type { Config } from "../../lib/config.ts";
import { type RunningScript, startProgram } from "../scripts.ts";
import type { MadeTopics } from "../topics.ts";
import { until } from "../until.ts";

/** Members of a group, each a process of its own, and what all of them have dealt with. */
export interface Members extends AsyncDisposable {
  start(options?: MemberOptions): RunningScript;
  /** How often each record was dealt with, as "partition offset". */
  handled(): ReadonlyMap<string, number>;
}

export interface MemberOptions {
  readonly batchMs?: number;
  readonly batchRecords?: number;
}

export function openMembers({ config }: MadeTopics): Members {
  const started: RunningScript[] = [];
  return {
    start: ({ batchMs = 100, batchRecords = 40 } = {}) => {
      const path = join(import.meta.dir, "programs/member.ts");
      const sizes = [`--batch-ms=${batchMs}`, `--batch-records=${batchRecords}`];
      const member = startProgram(path, sizes, settingsOf(config));
      started.push(member);
      return member;
    },
    handled: () => {
      const times = new Map<string, number>();
      for (const { stdout } of started) {
        // A line that is not whole yet is not counted.
        for (const line of stdout.split("\n").slice(0, -1)) {
          times.set(line, (times.get(line) ?? 0) + 1);
        }
      }
      return times;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(started.map((member) => member[Symbol.asyncDispose]()));
    },
  };
}

function settingsOf(config: Config["topic"]) {
  return {
    KAFKA_BROKERS: config.brokers.join(","),
    KAFKA_TOPIC: config.name,
    KAFKA_GROUP: config.group,
    KAFKA_PROPERTIES: JSON.stringify(config.properties),
  };
}

/** Records whose values say nothing, over all partitions. */
export async function sendSome(topics: MadeTopics, count: number): Promise<void> {
  const key = () => crypto.randomUUID();
  await topics.send(Array.from({ length: count }, () => ({ key: key(), value: Buffer.from("x") })));
}

/** "partition offset" of every record there is. */
export async function everyRecord({ config, reader }: MadeTopics): Promise<readonly string[]> {
  const marks = [...(await reader.watermarks(config.name))];
  return marks.flatMap(([partition, { high }]) =>
    Array.from({ length: high }, (_, offset) => `${partition} ${offset}`),
  );
}

/** Resolves when the group has committed the end of every partition, and no more than that. */
export async function allCommitted(topics: MadeTopics, timeoutMs = 120_000): Promise<void> {
  const { config, reader } = topics;
  const reached = async () => {
    const committed = await reader.committed(config.name);
    const marks = [...(await reader.watermarks(config.name))];
    for (const [partition, { high }] of marks) {
      const offset = committed.get(partition) ?? 0;
      if (offset > high)
        throw new Error(`${partition}: ${offset} is committed, ${high} is the end`);
    }
    return marks.every(([partition, { high }]) => (committed.get(partition) ?? 0) === high);
  };
  await until(reached, { timeoutMs, what: "all is committed" });
}
