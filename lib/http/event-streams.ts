import type { Change } from "../domain/change.ts";
import { createRecent, type Wanted } from "./event-text.ts";

/** The open streams of this process. What is sent to many is in memory once. */
export interface EventStreams {
  readonly count: number;
  /** The newest event that all streams have, but slow ones. */
  readonly position: number;
  /** A stream of what comes after `after`; without it of what comes from now on. */
  open(wanted: Wanted, after?: number): ReadableStream<Uint8Array>;
  /** Hands on what was read up to `position`. */
  tell(changes: readonly Change[], position: number): void;
  /** All is read: those that wait for that are told where they stand. */
  settle(): void;
  /** Goes on from here: whoever stands elsewhere is told so. */
  restart(position: number): void;
  /** What is no event, and is lost on who is slow. */
  say(bytes: Uint8Array, type?: Wanted["types"][number]): void;
  /** The same for who comes later too. */
  standing(bytes: Uint8Array): void;
  close(): void;
}

/** Events that a stream can go on after: some 2 MB. */
export const keptEvents = 2000;
/** What may wait for a slow client; more is kept back until it has taken that. */
const queuedBytes = 64 * 1024;

interface Stream {
  readonly wanted: Wanted;
  readonly key: string;
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
  /** It has all events up to here; undefined: it begins when all is read. */
  position: number | undefined;
  /** new: waits until all is read. slow: waits until its client has taken what is there. */
  state: "new" | "filling" | "slow" | "live";
}

/** `onOpen` is told when there is one more: it waits until what changed is read anew. */
export function createEventStreams(onOpen: () => void): EventStreams {
  const streams = new Set<Stream>();
  const recent = createRecent(keptEvents);
  let state: Uint8Array | undefined;

  /** Sends what the stream has not had, as far as its client takes it. */
  function fill(stream: Stream): void {
    // Not slow: what is put into it may ask for more at once.
    stream.state = "filling";
    for (const { position, bytes } of recent.after(stream.position, stream.wanted)) {
      if (!hasRoom(stream)) {
        stream.state = "slow";
        return;
      }
      stream.controller.enqueue(bytes);
      stream.position = position;
    }
    stream.position = recent.position;
    stream.state = "live";
    if (state && stream.wanted.types.includes("pipeline")) stream.controller.enqueue(state);
  }

  return {
    get count() {
      return streams.size;
    },
    get position() {
      return recent.position;
    },
    open: (wanted, after) => {
      const opened: { stream?: Stream } = {};
      const key = JSON.stringify(wanted);
      return new ReadableStream<Uint8Array>(
        {
          start: (controller) => {
            controller.enqueue(greeting);
            opened.stream = { wanted, key, controller, position: after, state: "new" };
            streams.add(opened.stream);
            onOpen();
          },
          pull: () => {
            if (opened.stream?.state === "slow") fill(opened.stream);
          },
          cancel: () => {
            if (opened.stream) streams.delete(opened.stream);
          },
        },
        { highWaterMark: queuedBytes, size: (bytes) => bytes?.byteLength ?? 0 },
      );
    },
    tell: (changes, position) => {
      const before = recent.position;
      recent.add(changes, position);
      const texts = new Map<string, Uint8Array>();
      for (const stream of streams) {
        if (stream.state !== "live") continue;
        const text = texts.get(stream.key) ?? joined(recent.after(before, stream.wanted));
        texts.set(stream.key, text);
        if (text.length > 0 && !hasRoom(stream)) {
          stream.state = "slow";
          continue;
        }
        if (text.length > 0) stream.controller.enqueue(text);
        stream.position = position;
      }
    },
    settle: () => {
      for (const stream of streams) if (stream.state === "new") fill(stream);
    },
    restart: (position) => {
      recent.restart(position);
      for (const stream of streams) if (stream.state === "live") fill(stream);
    },
    say: (bytes, type) => {
      for (const stream of streams) {
        const wanted = type === undefined || stream.wanted.types.includes(type);
        if (wanted && hasRoom(stream)) stream.controller.enqueue(bytes);
      }
    },
    standing: (bytes) => {
      state = bytes;
    },
    close: () => {
      for (const { controller } of streams) controller.close();
      streams.clear();
    },
  };
}

/** Who loses the connection comes back after two seconds. */
const greeting = new TextEncoder().encode("retry: 2000\n\n");

function hasRoom({ controller }: Stream): boolean {
  return (controller.desiredSize ?? 0) > 0;
}

function joined(parts: readonly { readonly bytes: Uint8Array }[]): Uint8Array {
  return new Uint8Array(Bun.concatArrayBuffers(parts.map(({ bytes }) => bytes)));
}
