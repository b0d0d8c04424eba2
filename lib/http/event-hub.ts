import type { Changes } from "../domain/change.ts";
import type { Log } from "../log.ts";
import { retry } from "../retry.ts";
import { sleep } from "../sleep.ts";
import { together } from "../together.ts";
import { createEventStreams, keptEvents } from "./event-streams.ts";
import { encoded, type Wanted } from "./event-text.ts";

/** What changed, by whichever process, in order. */
export interface EventFeed {
  newest(): Promise<number>;
  since(position: number, limit: number): Promise<Changes>;
  forget(options: { readonly keep: number }): Promise<void>;
  /** Resolves when there may be something new. */
  wait(signal: AbortSignal): Promise<void>;
}

export interface EventHubDeps {
  readonly feed: EventFeed;
  /** How the stations stand: told every two seconds while somebody listens. */
  readonly pipeline: { now(): Promise<object> };
  readonly log: Log;
}

/** One reader of what changes, for all streams of this process, however many. */
export interface EventHub {
  /** Reads while somebody listens, until the signal aborts; then every stream is ended. */
  run(signal: AbortSignal): Promise<void>;
  /**
   * A stream of events: those after `after`, else those from now on. Undefined when there are too
   * many already, or the hub does not run.
   */
  open(wanted: Wanted, after?: number): ReadableStream<Uint8Array> | undefined;
}

/** Streams at once, at some ten kilobytes each. */
const maxStreams = 4000;
const batchEvents = 500;
/** Between two reads: what comes in a burst goes out to all streams together. */
const pauseMs = 100;
const pipelineMs = 2000;
/** A third of what the server allows a connection to be silent (`idleTimeout`). */
const heartbeatMs = 10_000;
const forgetMs = 60_000;

export function createEventHub({ feed, pipeline, log }: EventHubDeps): EventHub {
  let running = false;
  const waiting = new Set<AbortController>();
  const streams = createEventStreams(() => {
    for (const each of waiting) each.abort();
  });

  /** Waits, but not when one more stream is opened. */
  async function unlessOpened(
    signal: AbortSignal,
    wait: (either: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const opened = new AbortController();
    waiting.add(opened);
    try {
      await wait(AbortSignal.any([signal, opened.signal]));
    } catch (error) {
      if (!opened.signal.aborted || signal.aborted) throw error;
    } finally {
      waiting.delete(opened);
    }
  }

  /** While nobody listens nothing is asked. */
  async function somebody(signal: AbortSignal): Promise<void> {
    while (streams.count === 0) {
      await unlessOpened(signal, (either) => sleep(forgetMs, either));
    }
  }

  async function read(signal: AbortSignal): Promise<void> {
    const patience = { what: "events in PostgreSQL", log, signal };
    for (;;) {
      await somebody(signal);
      const newest = await retry(() => feed.newest(), patience);
      const oldest = newest - keptEvents;
      // After a long time without streams; or this is another database than before.
      if (streams.position < oldest) streams.restart(oldest);
      if (streams.position > newest) streams.restart(newest);
      const { changes, position, more } = await retry(
        () => feed.since(streams.position, batchEvents),
        patience,
      );
      streams.tell(changes, position);
      if (more) continue;
      await unlessOpened(signal, async (either) => {
        streams.settle();
        await sleep(pauseMs, signal);
        await feed.wait(either);
      });
    }
  }

  async function tellPipeline(signal: AbortSignal): Promise<void> {
    const what = "the state of the stations";
    const now = await retry(() => pipeline.now(), { what, log, signal });
    const bytes = encoded({ type: "pipeline", data: now });
    streams.standing(bytes);
    streams.say(bytes, "pipeline");
  }

  async function every(ms: number, signal: AbortSignal, work: () => Promise<void> | void) {
    for (;;) {
      await work();
      await sleep(ms, signal);
    }
  }

  return {
    run: async (signal) => {
      running = true;
      const forget = () => feed.forget({ keep: keptEvents });
      const forgetting = { what: "events in PostgreSQL", log, signal };
      try {
        await together(signal, [
          read,
          (signal) => every(heartbeatMs, signal, () => streams.say(heartbeat)),
          (signal) => every(forgetMs, signal, () => retry(forget, { ...forgetting, signal })),
          (signal) =>
            every(pipelineMs, signal, async () => {
              await somebody(signal);
              await tellPipeline(signal);
            }),
        ]);
      } finally {
        running = false;
        streams.close();
      }
    },
    open: (wanted, after) =>
      running && streams.count < maxStreams ? streams.open(wanted, after) : undefined,
  };
}

const heartbeat = new TextEncoder().encode(": alive\n\n");
