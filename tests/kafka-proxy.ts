import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/**
 * Between one broker and its clients. Understands just enough of the protocol to hold back one kind
 * of request, or the answer to it: a process is then in the middle of that, for as long as one likes.
 */
export interface KafkaProxy extends AsyncDisposable {
  /** "host:port": the broker's host, which has to be this machine. Clients are told of no other. */
  readonly address: string;
  /** Holds the next of this kind, and what follows on its connection, in place of any hold before. */
  hold(api: keyof typeof apis, what: "request" | "answer"): Hold;
}

export interface Hold {
  /** True while something is held. */
  readonly holding: boolean;
  /** Lets it go on its way. */
  release(): void;
}

/** Numbers of the protocol: https://kafka.apache.org/protocol#protocol_api_keys */
const apis = { offsetCommit: 8, joinGroup: 11, syncGroup: 14 } as const;
/** Metadata and FindCoordinator: their answers tell where brokers are. */
const addressing: readonly number[] = [3, 10];

export async function openKafkaProxy(broker: string): Promise<KafkaProxy> {
  const [host = "", port = ""] = broker.split(":");
  const sockets = new Set<Socket>();
  let held: Held | undefined;
  const pass = (frame: Buffer, to: Socket, kind: Kind) => {
    if (held?.api === kind.api && held.what === kind.what) held.to ??= to;
    if (held?.to === to) held.frames.push(frame);
    else to.write(frame);
  };

  const server = createServer((near) => {
    const far = connect(Number(port), host);
    for (const socket of [near, far]) {
      const end = () => [near, far].forEach((each) => void each.destroy());
      sockets.add(socket);
      socket.on("error", end).on("close", () => {
        sockets.delete(socket);
        end();
      });
    }
    const asked = new Map<number, number>();
    onFrames(near, (frame) => {
      const api = frame.readInt16BE(4);
      asked.set(frame.readInt32BE(8), api);
      pass(frame, far, { api, what: "request" });
    });
    onFrames(far, (frame) => {
      const api = asked.get(frame.readInt32BE(4)) ?? -1;
      asked.delete(frame.readInt32BE(4));
      if (addressing.includes(api)) readdress(frame, host, Number(port), own());
      pass(frame, near, { api, what: "answer" });
    });
  });
  const own = () => (server.address() as AddressInfo).port;
  server.listen(0, host);
  await once(server, "listening");

  return {
    address: `${host}:${own()}`,
    hold: (api, what) => {
      const mine: Held = { api: apis[api], what, frames: [] };
      held = mine;
      return {
        get holding() {
          return mine.to !== undefined;
        },
        release: () => {
          if (held === mine) held = undefined;
          for (const frame of mine.frames.splice(0)) mine.to?.write(frame);
        },
      };
    },
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

interface Kind {
  readonly api: number;
  readonly what: "request" | "answer";
}

interface Held extends Kind {
  readonly frames: Buffer[];
  to?: Socket;
}

/** Requests and answers alike begin with their length, 4 bytes that do not count themselves. */
function onFrames(socket: Socket, take: (frame: Buffer) => void): void {
  let bytes = Buffer.alloc(0);
  socket.on("data", (more: Buffer) => {
    bytes = Buffer.concat([bytes, more]);
    for (let size = 0; bytes.length >= 4; bytes = bytes.subarray(size)) {
      size = 4 + bytes.readInt32BE(0);
      if (bytes.length < size) return;
      take(bytes.subarray(0, size));
    }
  });
}

/** An address is the text of the host, then the port in 4 bytes. */
function readdress(frame: Buffer, host: string, from: number, to: number): void {
  const address = Buffer.from(`${host}....`);
  address.writeInt32BE(from, host.length);
  for (let at = frame.indexOf(address); at >= 0; at = frame.indexOf(address, at + 1)) {
    frame.writeInt32BE(to, at + host.length);
  }
}
