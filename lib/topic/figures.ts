import type { Config } from "../config.ts";
import type { ConsumerFigures } from "../domain/consumer-figures.ts";
import type { TopicFigures } from "../flow/watch-pipeline.ts";
import type { TopicOptions } from "./kafka.ts";
import { openReader, type Reader } from "./reader.ts";
import { held } from "./watermarks.ts";

/** How the topics stand and how far the group has come. */
export interface TopicWatch extends AsyncDisposable {
  /** Waits for Kafka as long as it is down. */
  figures(): Promise<TopicFigures>;
}

/** Connects when it is first asked: most processes never are. */
export function watchTopics(config: Config["topic"], options: TopicOptions): TopicWatch {
  let opening: Promise<Reader> | undefined;
  return {
    figures: async () => {
      opening ??= openReader(config, options);
      const reader = await opening;
      const marks = await reader.watermarks(config.name);
      const letters = await reader.watermarks(config.deadLetters);
      const commits = await reader.commits(config.name, [...marks.keys()]);
      const committed = new Map(commits.map(({ partition, offset }) => [partition, offset]));
      const partitions = [...marks].map(([partition, { low, high }]) => {
        // Nothing was committed, or what was has expired meanwhile.
        const next = Math.max(low, committed.get(partition) ?? 0);
        return { partition, end: high, next, lag: Math.max(0, high - next) };
      });
      const sum = (what: "end" | "next" | "lag") =>
        partitions.reduce((sum, each) => sum + each[what], 0);
      return {
        topic: { records: held(marks), deadLetters: held(letters) },
        table: { consumed: sum("next"), lag: sum("lag") },
        partitions,
        written: sum("end"),
        consumers: lastWords(commits.flatMap(({ consumer }) => consumer ?? [])),
      };
    },
    [Symbol.asyncDispose]: async () => {
      const reader = await opening?.catch(() => undefined);
      await reader?.[Symbol.asyncDispose]();
    },
  };
}

/** The newest of what each consumer has said, on whichever partition. */
function lastWords(said: readonly ConsumerFigures[]): readonly ConsumerFigures[] {
  const newest = new Map<string, ConsumerFigures>();
  for (const each of said) {
    if (each.at > (newest.get(each.worker)?.at ?? "")) newest.set(each.worker, each);
  }
  return [...newest.values()];
}
