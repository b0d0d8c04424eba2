import type { Config } from "../config.ts";
import { latestUsers } from "../flow/latest-users.ts";
import { createLetterDesk } from "../flow/letter-desk.ts";
import { watchPipeline } from "../flow/watch-pipeline.ts";
import type { Log } from "../log.ts";
import type { RawStore } from "../raw/postgres.ts";
import { createDesks } from "../schedule/desk.ts";
import { lookIntoTable } from "../sink/look.ts";
import { watchTopics } from "../topic/figures.ts";
import { letterTopic, openReplay } from "../topic/letters.ts";
import { openReader } from "../topic/reader.ts";

export interface DeskOptions {
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * What the service shows of all stations, and lets people change. Beside the raw store nothing is
 * connected before it is asked for.
 */
export async function openDesks(
  { topic, sink }: Pick<Config, "topic" | "sink">,
  raw: RawStore,
  { log, signal }: DeskOptions,
) {
  await using opening = new AsyncDisposableStack();
  const topics = opening.use(watchTopics(topic, { log, signal }));
  const table = opening.use(lookIntoTable(sink, signal));
  const pipeline = watchPipeline({ raw, topic: topics, now: () => new Date(), log });
  const owned = opening.move();
  return {
    ...createDesks(raw),
    pipeline,
    letters: createLetterDesk((signal) => openLetters(topic, raw, { log, signal }), {
      log,
      signal,
    }),
    users: { latest: (limit: number) => latestUsers({ raw, table, pipeline }, limit) },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The stations of letters; Kafka is connected to where it is needed. */
async function openLetters(config: Config["topic"], raw: RawStore, options: DeskOptions) {
  await using opening = new AsyncDisposableStack();
  const index = opening.use(await raw.openLetterIndex());
  const reader = once(async () => opened.use(await openReader(config, options)));
  const sender = once(async () => opened.use(await openReplay(config, options)));
  const topic = async () => letterTopic(await reader(), config, options);
  const opened = opening.move();
  return {
    index,
    ...{ rejected: raw.rejected, outbox: raw.outbox },
    topic: {
      read: async function* () {
        yield* (await topic()).read();
      },
      deleteBefore: async (offsets: ReadonlyMap<number, number>) =>
        (await topic()).deleteBefore(offsets),
    },
    users: {
      name: config.name,
      send: async (records: Parameters<Awaited<ReturnType<typeof openReplay>>["send"]>[0]) =>
        (await sender()).send(records),
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function once<T>(open: () => Promise<T>): () => Promise<T> {
  let opening: Promise<T> | undefined;
  return () => {
    opening ??= open();
    return opening;
  };
}
