import type { Socket } from "node:net";
import { sleep } from "../lib/sleep.ts";
import type { LinkFault } from "./proxy.ts";

/** One direction of a proxy's connection. */
export interface Flow {
  /** Bytes read and not passed on. */
  held(): number;
  /** The fault is another one now. */
  changed(): void;
}

export interface FlowOptions {
  readonly fault: () => LinkFault;
  readonly random: () => number;
  readonly passed: (bytes: number) => void;
  /** Told when bytes, or the end of them, were taken and will never be passed on. */
  readonly swallowed: () => void;
}

interface Piece {
  readonly bytes: Buffer | "end";
  /** When it came, and how much of the jitter is its share, from 0 to 1. */
  readonly at: number;
  readonly late: number;
}

/** Reading pauses above this and goes on below half of it. */
const mostHeld = 1024 * 1024;
/** The longest that a timer can wait: until it is woken. */
const forever = 2 ** 31 - 1;

/** Passes on what `from` sends to `to`, in order, as the fault of the moment lets it. */
export function createFlow(from: Socket, to: Socket, options: FlowOptions): Flow {
  const { fault, random, passed, swallowed } = options;
  const queue: Piece[] = [];
  let held = 0;
  let pumping = false;
  /** When the next byte may pass, by the limit of bytes in a second. */
  let freeAt = 0;
  let waiting = new AbortController();

  const isFrozen = () => fault().broken === "frozen";
  const isSwallowing = () => fault().broken !== undefined && !isFrozen();
  const wait = async (ms: number) => {
    waiting = new AbortController();
    await sleep(Math.min(ms, forever), waiting.signal).catch(() => {});
  };
  const read = () => {
    if (isFrozen() || held > mostHeld) from.pause();
    else if (held < mostHeld / 2) from.resume();
  };
  const put = (bytes: Buffer | "end") => {
    if (isSwallowing()) return swallowed();
    queue.push({ bytes, at: performance.now(), late: random() });
    held += sizeOf(bytes);
    read();
    if (!pumping) void pump();
  };
  /** How long the next piece has to wait still. */
  const waitMs = ({ at, late }: Piece) => {
    if (isFrozen()) return forever;
    const { latencyMs = 0, jitterMs = 0 } = fault();
    return Math.max(at + latencyMs + jitterMs * late, freeAt) - performance.now();
  };
  const passOn = async (bytes: Buffer) => {
    const { bytesPerSecond = Number.POSITIVE_INFINITY } = fault();
    // In pieces of a twentieth of a second, so that a limit is a stream and not a burst.
    const most = Math.max(1, Math.floor(Math.min(bytesPerSecond / 20, bytes.length)));
    const piece = bytes.subarray(0, most);
    if (most < bytes.length) queue.unshift({ bytes: bytes.subarray(most), at: 0, late: 0 });
    freeAt = Math.max(performance.now(), freeAt) + (1000 * most) / bytesPerSecond;
    held -= most;
    passed(most);
    if (!to.write(piece)) await emptied(to);
    read();
  };
  const pump = async () => {
    pumping = true;
    while (queue[0] !== undefined && !to.destroyed) {
      const ms = waitMs(queue[0]);
      if (ms > 0) {
        await wait(ms);
        continue;
      }
      const { bytes } = queue.shift() ?? {};
      if (bytes === "end") to.end();
      else if (bytes) await passOn(bytes);
    }
    pumping = false;
  };

  from.on("data", put).on("end", () => put("end"));
  return {
    held: () => held,
    changed: () => {
      if (isSwallowing() && queue.length > 0) {
        queue.length = 0;
        held = 0;
        swallowed();
      }
      freeAt = 0;
      read();
      waiting.abort();
    },
  };
}

function sizeOf(bytes: Buffer | "end"): number {
  return bytes === "end" ? 0 : bytes.length;
}

/** Resolves when what was written has gone out, or never will. */
function emptied(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off("drain", done).off("close", done);
      resolve();
    };
    socket.on("drain", done).on("close", done);
  });
}
