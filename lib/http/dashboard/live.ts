import type { RunLogLine } from "../../domain/attempt.ts";
import type { Backfill } from "../../domain/backfill.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import type { Run } from "../../domain/run.ts";
import type { Schedule } from "../../domain/schedule.ts";
import { signedOutEvent } from "./api.ts";
import { readEvents, StreamRefused, type Told } from "./stream.ts";

/** What is told as it changes. `resync`: something was missed; ask for all that is shown anew. */
export interface LiveEvents {
  readonly run: Run;
  readonly log: RunLogLine;
  readonly schedule: Schedule;
  readonly backfill: Backfill;
  readonly pipeline: Pipeline;
  readonly resync: unknown;
  readonly connection: Connection;
}

/**
 * `waiting`: the service is there, and not ready. `paused`: nobody looks at the page, which keeps no
 * connection then.
 */
export interface Connection {
  readonly state: "connecting" | "live" | "lost" | "waiting" | "paused";
  /** Why it was lost, or what is waited for. */
  readonly reason?: string;
}

export interface Live {
  /** Calls `hear` for each event of this type until the signal aborts. */
  on<Type extends keyof LiveEvents>(
    type: Type,
    hear: (data: LiveEvents[Type]) => void,
    signal: AbortSignal,
  ): void;
  readonly connection: Connection;
}

/** A browser has six connections to one service, for all its tabs: those that nobody sees give theirs back. */
const hiddenMs = 30_000;
const retryMs = [500, 1000, 2000, 4000, 8000];

/**
 * Events of the service, from one stream at a time, until the signal aborts. A lost stream is opened
 * again, and goes on where it was lost.
 */
export function openLive(query: string, signal: AbortSignal): Live {
  const hearers = new Map<string, Set<(data: never) => void>>();
  let connection: Connection = { state: "connecting" };
  let lastId: string | undefined;

  const tell = ({ type, data }: Told) => {
    for (const hear of hearers.get(type) ?? []) hear(data as never);
  };
  const become = (now: Connection) => {
    connection = now;
    tell({ type: "connection", data: now });
  };

  async function keepOpen(): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      await seen(signal);
      const wasOpen = await readOnce();
      if (signal.aborted) return;
      failures = wasOpen ? 0 : failures + 1;
      if (connection.state !== "paused") {
        await pause(retryMs[Math.min(failures, retryMs.length - 1)] ?? 0, signal);
      }
    }
  }

  async function readOnce(): Promise<boolean> {
    const ending = new AbortController();
    const either = AbortSignal.any([signal, ending.signal]);
    const stopWatching = onceHidden(() => ending.abort());
    let opened = false;
    try {
      await readEvents(`/api/events${query}`, {
        lastId,
        signal: either,
        onOpen: () => {
          opened = true;
          become({ state: "live" });
          // Without a place to go on at nobody knows what was missed.
          if (lastId === undefined) tell({ type: "resync", data: {} });
        },
        onEvent: tell,
        onId: (id) => {
          lastId = id;
        },
      });
      become({ state: "lost", reason: "the service ended the connection" });
    } catch (error) {
      if (ending.signal.aborted) become({ state: "paused" });
      else if (!signal.aborted) become(without(error));
      if (error instanceof StreamRefused && error.status === 401) {
        dispatchEvent(new Event(signedOutEvent));
      }
    } finally {
      stopWatching();
    }
    return opened;
  }

  keepOpen().catch(reportError);
  return {
    get connection() {
      return connection;
    },
    on: (type, hear, until) => {
      const all = hearers.get(type) ?? new Set();
      hearers.set(type, all.add(hear));
      until.addEventListener("abort", () => all.delete(hear));
    },
  };
}

/** How things stand after this. */
function without(error: unknown): Connection {
  const waiting = error instanceof StreamRefused && error.status === 503;
  // Browsers say "Failed to fetch", "network error" and the like.
  const reason = error instanceof TypeError ? "no answer" : String((error as Error).message);
  return { state: waiting ? "waiting" : "lost", reason };
}

/** Resolves as soon as somebody may see the page. */
function seen(signal: AbortSignal): Promise<void> {
  if (document.visibilityState === "visible") return Promise.resolve();
  return new Promise((resolve) => {
    const once = { once: true };
    document.addEventListener("visibilitychange", () => resolve(), once);
    signal.addEventListener("abort", () => resolve(), once);
  });
}

/** Calls when nobody has seen the page for a while; gives what ends that. */
function onceHidden(call: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = () => {
    clearTimeout(timer);
    timer = document.visibilityState === "hidden" ? setTimeout(call, hiddenMs) : undefined;
  };
  document.addEventListener("visibilitychange", look);
  look();
  return () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", look);
  };
}

/** Waits; not when the network comes back. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    addEventListener("online", done);
    signal.addEventListener("abort", done);
  });
}
