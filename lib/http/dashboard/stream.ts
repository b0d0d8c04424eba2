/* Server-sent events over fetch: unlike an EventSource it can say why it was refused, and be silent too long. */

export interface Told {
  readonly type: string;
  readonly data: unknown;
}

export interface Listening {
  /** Goes on after this event. */
  readonly lastId: string | undefined;
  readonly signal: AbortSignal;
  readonly onOpen: () => void;
  readonly onEvent: (event: Told) => void;
  /** The id to go on after the next time. */
  readonly onId: (id: string) => void;
}

/** Why a stream could not be opened. */
export class StreamRefused extends Error {
  readonly status: number;
  constructor(status: number, told: Told503 | null) {
    const { title = `the service answered ${status}`, waitingFor = [] } = told ?? {};
    const waits = waitingFor.map(({ what, reason }) => (reason ? `${what} (${reason})` : what));
    super(waits.length > 0 ? `waiting for ${waits.join("; ")}` : title);
    this.status = status;
  }
}

interface Told503 {
  readonly title?: string;
  readonly waitingFor?: readonly { readonly what: string; readonly reason?: string }[];
}

/** The service says something every ten seconds; a stream that is silent for longer than twice that is dead. */
const silenceMs = 25_000;

/** Reads events until the stream ends. Rejects when it cannot be opened, breaks or falls silent. */
export async function readEvents(path: string, options: Listening): Promise<void> {
  const silent = new AbortController();
  const watch = watchdog(() => silent.abort(new Error("the service fell silent")));
  const signal = AbortSignal.any([options.signal, silent.signal]);
  const { lastId } = options;
  try {
    const answer = await fetch(path, {
      headers: {
        accept: "text/event-stream",
        ...(lastId === undefined ? {} : { "last-event-id": lastId }),
      },
      signal,
    });
    if (!answer.ok || !answer.body) {
      throw new StreamRefused(answer.status, await answer.json().catch(() => null));
    }
    options.onOpen();
    await readBody(answer.body, options, watch.alive);
  } finally {
    watch.stop();
  }
}

async function readBody(
  body: ReadableStream<Uint8Array>,
  options: Pick<Listening, "onEvent" | "onId">,
  alive: () => void,
): Promise<void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    alive();
    const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) readBlock(block, options);
  }
}

/** Our own service's blocks: one line for each field, `name: value`. */
function readBlock(block: string, { onEvent, onId }: Pick<Listening, "onEvent" | "onId">): void {
  const fields = new Map<string, string>();
  for (const line of block.split("\n")) {
    const colon = line.indexOf(": ");
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 2));
  }
  const data = fields.get("data");
  if (data !== undefined) {
    onEvent({ type: fields.get("event") ?? "message", data: JSON.parse(data) });
  }
  // After the event: one that could not be dealt with is asked for again.
  const id = fields.get("id");
  if (id !== undefined) onId(id);
}

function watchdog(bite: () => void) {
  let timer = setTimeout(bite, silenceMs);
  return {
    alive: () => {
      clearTimeout(timer);
      timer = setTimeout(bite, silenceMs);
    },
    stop: () => clearTimeout(timer),
  };
}
