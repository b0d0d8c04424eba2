import { createServer, type Server, Socket } from "node:net";
import { freePorts } from "../lib/local/ports.ts";
import { createFlow, type Flow } from "./proxy-flow.ts";

/** What is wrong with a link. Nothing is, by default: every byte passes at once. */
export interface LinkFault {
  /** Every byte arrives so much later, in each direction; order is kept. */
  readonly latencyMs?: number;
  /** Up to so much later still, another time for each piece. */
  readonly jitterMs?: number;
  /** The most that passes in a second, in each direction. */
  readonly bytesPerSecond?: number;
  readonly broken?: Broken;
}

/**
 * Ways for a link to be broken.
 * - refused: nobody listens; connections that stand are cut.
 * - reset: connections that stand are reset (RST), and so is each new one at its first byte.
 * - half-open: the server has hung up and the client is not told; nothing it sends is answered.
 * - black hole: connections are accepted, and all that either side sends is swallowed.
 * - frozen: nothing moves and nothing is lost, as between networks that are parted for a while.
 */
export type Broken = "refused" | "reset" | "half-open" | "black hole" | "frozen";

/** A server's address with a link that can go wrong, and be mended, while it is in use. */
export interface FaultProxy extends AsyncDisposable {
  /** "127.0.0.1:port", on a port of its own, which it keeps. */
  readonly address: string;
  readonly port: number;
  readonly counts: ProxyCounts;
  /** From now on the link is like this, for connections that stand too. */
  set(fault: LinkFault): Promise<void>;
  /** From now on every byte passes. Connections that have lost some are reset. */
  open(): Promise<void>;
  /** Resets every connection that stands; new ones pass. */
  cut(): void;
}

export interface ProxyCounts {
  /** Connections accepted so far, and those that stand. */
  readonly accepted: number;
  readonly standing: number;
  /** Bytes passed on so far: to the server, and from it. */
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** Bytes held now; at most a megabyte a direction and connection, then reading pauses. */
  readonly held: number;
}

export interface ProxyOptions {
  /** Refused by default, until it is opened: a server that comes later. */
  readonly fault?: LinkFault;
  /** For jitter; the same numbers give the same delays. */
  readonly random?: () => number;
}

/** A proxy before "host:port". Disposing resets what stands. */
export async function openProxy(
  target: string,
  { fault: first = { broken: "refused" }, random = Math.random }: ProxyOptions = {},
): Promise<FaultProxy> {
  const [port = 0] = freePorts(1);
  const pairs = new Set<Pair>();
  const counts = { accepted: 0, up: 0, down: 0 };
  let fault: LinkFault = {};
  const passed = (way: "up" | "down", bytes: number) => {
    counts[way] += bytes;
  };
  const server = createServer({ allowHalfOpen: true }, (near) => {
    counts.accepted += 1;
    const closed = () => void pairs.delete(pair);
    const pair = pairUp(near, target, { fault: () => fault, random, passed, closed });
    pairs.add(pair);
    pair.changed();
  });
  const cut = () => {
    for (const pair of [...pairs]) pair.reset();
  };
  const set = async (next: LinkFault) => {
    fault = next;
    if (fault.broken === "refused" && server.listening) server.close();
    if (fault.broken === "refused" || fault.broken === "reset") cut();
    for (const pair of [...pairs]) pair.changed();
    if (fault.broken !== "refused" && !server.listening) await listening(server, port);
  };
  await set(first);
  return {
    address: `127.0.0.1:${port}`,
    port,
    get counts() {
      const held = [...pairs].reduce((sum, pair) => sum + pair.held(), 0);
      const { accepted, up: bytesUp, down: bytesDown } = counts;
      return { accepted, standing: pairs.size, bytesUp, bytesDown, held };
    },
    set,
    open: () => set({}),
    cut,
    [Symbol.asyncDispose]: () => set({ broken: "refused" }),
  };
}

/** A port of 127.0.0.1 where nothing listens. */
export async function refusedPort(): Promise<number> {
  const [port = 0] = freePorts(1);
  return port;
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      resolve();
    });
  });
}

interface PairOptions {
  readonly fault: () => LinkFault;
  readonly random: () => number;
  readonly passed: (way: "up" | "down", bytes: number) => void;
  /** Both connections are gone. */
  readonly closed: () => void;
}

/** A client's connection and the one to the server that stands for it. */
interface Pair {
  held(): number;
  /** The fault is another one now. */
  changed(): void;
  reset(): void;
}

function pairUp(near: Socket, target: string, options: PairOptions): Pair {
  const { fault, random, passed, closed } = options;
  const [host = "", port = ""] = target.split(":");
  const far = new Socket({ allowHalfOpen: true });
  /** True once something is gone for good: to pass on what comes after it would be another fault. */
  let damaged = false;
  let dialled = false;
  const reset = () => {
    near.resetAndDestroy();
    far.resetAndDestroy();
  };
  /** A side is gone, or bytes are: the other one hears of it unless the fault hides it. */
  const lost = () => {
    damaged = true;
    const { broken } = fault();
    if (broken === undefined || broken === "reset") reset();
  };
  const flow = (from: Socket, to: Socket, way: "up" | "down"): Flow =>
    createFlow(from, to, { fault, random, passed: (n) => passed(way, n), swallowed: lost });
  const flows = [flow(near, far, "up"), flow(far, near, "down")];
  for (const [one, other] of [[near, far] as const, [far, near] as const]) {
    one.on("error", lost).on("close", () => {
      if (near.destroyed && (far.destroyed || !dialled)) closed();
      else if (fault().broken === undefined) other.destroySoon();
      else damaged = true;
    });
  }
  const changed = () => {
    const { broken } = fault();
    const passes = broken === undefined || broken === "frozen";
    if (broken === "half-open") {
      damaged = true;
      far.destroy();
    }
    if (damaged && passes) return reset();
    if (!dialled && passes) {
      dialled = true;
      far.connect(Number(port), host);
    }
    for (const each of flows) each.changed();
  };
  return { held: () => flows.reduce((sum, each) => sum + each.held(), 0), changed, reset };
}
