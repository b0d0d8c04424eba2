import { until } from "./until.ts";

/** One event of a `text/event-stream`. */
export interface Told {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: Readonly<Record<string, unknown>> | undefined;
}

export interface Listener extends AsyncDisposable {
  /** What has come so far. */
  readonly told: readonly Told[];
  /** Bytes and comments too. */
  readonly bytes: number;
  readonly comments: number;
  readonly ended: boolean;
  /** The id to go on after, as a browser keeps it. */
  readonly lastId: string | undefined;
  /** Resolves when so many events with these names have come. */
  hears(event: string, count?: number): Promise<void>;
}

/** Reads a stream of events to its end, as it comes. */
export function listenTo(stream: ReadableStream<Uint8Array>): Listener {
  const reader = stream.getReader();
  const told: Told[] = [];
  const state = { bytes: 0, comments: 0, ended: false, lastId: undefined as string | undefined };
  const decoder = new TextDecoder();
  let rest = "";
  const read = async () => {
    for (;;) {
      const part = await reader.read();
      if (part.done) break;
      state.bytes += part.value.length;
      const blocks = (rest + decoder.decode(part.value, { stream: true })).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) note(block);
    }
    state.ended = true;
  };
  const note = (block: string) => {
    const lines = block.split("\n");
    const field = (name: string) =>
      lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
    if (block.startsWith(":")) state.comments += 1;
    state.lastId = field("id") ?? state.lastId;
    const data = field("data");
    if (data === undefined) return;
    told.push({ id: field("id"), event: field("event"), data: JSON.parse(data) });
  };
  const reading = read().catch(() => {
    state.ended = true;
  });
  const count = (event: string) => told.filter((each) => each.event === event).length;
  return {
    told,
    get bytes() {
      return state.bytes;
    },
    get comments() {
      return state.comments;
    },
    get ended() {
      return state.ended;
    },
    get lastId() {
      return state.lastId;
    },
    hears: (event, wanted = 1) =>
      until(() => count(event) >= wanted, { what: `${wanted} events named ${event}` }),
    [Symbol.asyncDispose]: async () => {
      await reader.cancel().catch(() => {});
      await reading;
    },
  };
}
