import type { Config } from "../config.ts";
import type { ReceivedRecord } from "../domain/event.ts";
import type { TracedStations } from "../flow/trace-user.ts";
import { storedLetter } from "./letters.ts";
import { partitionOf } from "./partition.ts";
import type { Reader } from "./reader.ts";

/** By how much the clocks of PostgreSQL and of the brokers may differ. */
const clocksMs = 300_000;

/** Records of one user, on the topic and among the dead letters: those with its id as their key. */
export function userRecords(reader: Reader, config: Config["topic"]): TracedStations["topic"] {
  const committed = () => reader.committed(config.name);
  const since = (topic: string, fromMs: number) =>
    reader.offsetsAt(topic, Math.max(0, Math.floor(fromMs - clocksMs)));
  return {
    committed,
    records: async function* (id, { fromMs, everywhere }) {
      const from = await (fromMs === undefined ? committed() : since(config.name, fromMs));
      yield* ofUser(reader, config.name, { id, from, everywhere });
    },
    letters: async function* (id, { fromMs, everywhere }) {
      const { deadLetters } = config;
      const from = fromMs === undefined ? new Map() : await since(deadLetters, fromMs);
      const found = ofUser(reader, deadLetters, { id, from, everywhere });
      for await (const page of found) yield page.map(storedLetter);
    },
  };
}

interface Wanted {
  readonly id: string;
  /** By partition; where it is absent, from the first record kept. */
  readonly from: ReadonlyMap<number, number>;
  /** Also in other partitions than the key's. */
  readonly everywhere: boolean;
}

async function* ofUser(
  reader: Reader,
  topic: string,
  { id, from, everywhere }: Wanted,
): AsyncGenerator<readonly ReceivedRecord[]> {
  const partitions = [...(await reader.watermarks(topic)).keys()];
  const own = partitionOf(id, Math.max(1, partitions.length));
  const starts = partitions.map((partition) => {
    const isRead = everywhere || partition === own;
    return [partition, isRead ? (from.get(partition) ?? 0) : Number.POSITIVE_INFINITY] as const;
  });
  for await (const records of reader.read(topic, new Map(starts))) {
    yield records.filter(({ key }) => key?.toString("latin1").toLowerCase() === id);
  }
}
