import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer, type Server, Socket } from "node:net";
import { type FaultProxy, openProxy } from "../proxy.ts";
import { until } from "../until.ts";

/** A server that sends back what it gets, unless it is told to read nothing. */
let server: Server;
let address: string;
const served = new Set<Socket>();
let reads = true;

beforeAll(async () => {
  server = createServer((socket) => {
    served.add(socket);
    socket.on("close", () => served.delete(socket)).on("error", () => {});
    if (reads) socket.pipe(socket);
    else socket.pause();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const at = server.address();
  address = `127.0.0.1:${typeof at === "object" ? at?.port : ""}`;
});
afterAll(() => {
  for (const socket of served) socket.destroy();
  server.close();
});

interface Client extends Disposable {
  readonly socket: Socket;
  /** All that came back so far. */
  text(): string;
  /** "open", "ended" by a goodbye, or the error's code. */
  state(): string;
}

function dial(proxy: FaultProxy): Client {
  const socket = new Socket();
  let text = "";
  let state = "connecting";
  const error = (reason: Error) => {
    state = String(Reflect.get(reason, "code"));
  };
  socket
    .on("connect", () => {
      state = "open";
    })
    .on("data", (bytes) => {
      text += bytes.toString();
    })
    .on("end", () => {
      state = "ended";
    })
    .on("error", error)
    .connect(proxy.port, "127.0.0.1");
  return { socket, text: () => text, state: () => state, [Symbol.dispose]: () => socket.destroy() };
}

async function openedProxy(): Promise<FaultProxy> {
  const proxy = await openProxy(address);
  await proxy.open();
  return proxy;
}

/** A client whose bytes come back. */
async function talking(proxy: FaultProxy): Promise<Client> {
  const client = dial(proxy);
  client.socket.write("hello");
  await until(() => client.text() === "hello");
  return client;
}

describe("a link", () => {
  test("passes every byte in order, both ways, and counts them", async () => {
    await using proxy = await openedProxy();
    using client = dial(proxy);
    const sent = Array.from({ length: 40_000 }, (_, at) => `${at},`).join("");
    client.socket.write(sent);
    await until(() => client.text().length === sent.length);
    expect(client.text()).toBe(sent);
    expect(proxy.counts).toEqual({
      ...{ accepted: 1, standing: 1, bytesUp: sent.length, bytesDown: sent.length, held: 0 },
    });
    client.socket.end();
    await until(() => client.state() === "ended" && proxy.counts.standing === 0);
    await until(() => served.size === 0);
  });

  test("delays by latency and jitter, in order, and loses nothing when it is mended", async () => {
    await using proxy = await openedProxy();
    using client = await talking(proxy);
    await proxy.set({ latencyMs: 200, jitterMs: 100 });
    const since = performance.now();
    for (const part of ["a", "b", "c", "d"]) client.socket.write(part);
    await until(() => client.text() === "helloabcd");
    expect(performance.now() - since).toBeGreaterThan(400);
    await proxy.set({ latencyMs: 3_600_000 });
    client.socket.write("held");
    await until(() => proxy.counts.held === 4);
    expect(client.text()).toBe("helloabcd");
    await proxy.open();
    await until(() => client.text() === "helloabcdheld");
    expect(client.state()).toBe("open");
  });

  test("passes no more than its bytes in a second", async () => {
    await using proxy = await openedProxy();
    using client = await talking(proxy);
    await proxy.set({ bytesPerSecond: 20_000 });
    const since = performance.now();
    client.socket.write("x".repeat(10_000));
    await until(() => client.text().length === 10_005);
    expect(performance.now() - since).toBeGreaterThan(450);
  });

  test("that is refused cuts what stands, lets nobody in, and keeps its port", async () => {
    await using proxy = await openedProxy();
    using client = await talking(proxy);
    await proxy.set({ broken: "refused" });
    await until(() => client.state() === "ECONNRESET");
    using second = dial(proxy);
    await until(() => second.state() === "ECONNREFUSED");
    await proxy.open();
    using third = await talking(proxy);
    expect(third.state()).toBe("open");
  });

  test("that is reset resets what stands and each new one at its first byte", async () => {
    await using proxy = await openedProxy();
    using client = await talking(proxy);
    await proxy.set({ broken: "reset" });
    await until(() => client.state() === "ECONNRESET");
    using second = dial(proxy);
    await until(() => second.state() === "open");
    second.socket.write("hello");
    await until(() => second.state() === "ECONNRESET");
    await until(() => served.size === 0);
  });

  test("that is cut resets what stands and passes new ones", async () => {
    await using proxy = await openedProxy();
    using client = await talking(proxy);
    proxy.cut();
    await until(() => client.state() === "ECONNRESET" && served.size === 0);
    using second = await talking(proxy);
    expect(second.state()).toBe("open");
  });

  test("half-open: the server is gone, the client is not told and not answered", async () => {
    await using proxy = await openedProxy();
    using client = await talking(proxy);
    await proxy.set({ broken: "half-open" });
    await until(() => served.size === 0);
    using second = dial(proxy);
    await until(() => second.state() === "open");
    client.socket.write("x".repeat(100_000));
    second.socket.write("hello");
    await until(() => client.socket.writableLength === 0);
    expect([client.state(), second.state(), second.text()]).toEqual(["open", "open", ""]);
    expect(proxy.counts).toMatchObject({ standing: 2, bytesUp: 5, held: 0 });
    await proxy.open();
    await until(() => client.state() === "ECONNRESET");
  });

  test("a black hole swallows what both sides send, and resets what has lost bytes after it", async () => {
    await using proxy = await openedProxy();
    using silent = await talking(proxy);
    using client = await talking(proxy);
    await proxy.set({ broken: "black hole" });
    client.socket.write("x".repeat(1_000_000));
    for (const socket of served) socket.write("y");
    using second = dial(proxy);
    second.socket.write("hello");
    await until(() => client.socket.writableLength === 0 && second.state() === "open");
    expect([client.text(), second.text(), served.size]).toEqual(["hello", "", 2]);
    expect(proxy.counts).toMatchObject({ standing: 3, bytesUp: 10, held: 0 });
    await proxy.open();
    await until(() => client.state() === "ECONNRESET" && silent.state() === "ECONNRESET");
    await until(() => served.size === 0);
  });

  test("that is frozen moves nothing and loses nothing", async () => {
    await using proxy = await openedProxy();
    using client = await talking(proxy);
    await proxy.set({ broken: "frozen" });
    client.socket.write(" and more");
    using second = dial(proxy);
    second.socket.write("new");
    await until(() => second.state() === "open" && second.socket.writableLength === 0);
    expect([client.text(), second.text()]).toEqual(["hello", ""]);
    await proxy.open();
    await until(() => client.text() === "hello and more" && second.text() === "new");
  });

  test("of a server that hangs up tells the client after its last byte", async () => {
    await using proxy = await openedProxy();
    using client = await talking(proxy);
    await proxy.set({ latencyMs: 50 });
    for (const socket of served) socket.end("goodbye");
    await until(() => client.state() === "ended");
    expect(client.text()).toBe("hellogoodbye");
  });

  test("of a server that is down resets its clients", async () => {
    await using proxy = await openProxy("127.0.0.1:9");
    await proxy.open();
    using client = dial(proxy);
    await until(() => client.state() === "ECONNRESET");
    await until(() => proxy.counts.standing === 0);
  });

  test("holds little when the other side does not read, and pauses the sender", async () => {
    await using proxy = await openedProxy();
    reads = false;
    using client = dial(proxy);
    const most = 64 * 1024 * 1024;
    client.socket.write(Buffer.alloc(most));
    let passed = -1;
    // Still, over a while in which megabytes could have passed.
    await until(() => {
      const before = passed;
      passed = proxy.counts.bytesUp;
      return passed === before && proxy.counts.held > 1_000_000;
    });
    reads = true;
    expect(proxy.counts.held).toBeLessThan(2 * 1024 * 1024);
    expect(proxy.counts.bytesUp).toBeLessThan(most / 2);
    for (const socket of served) socket.resume();
    await until(() => proxy.counts.bytesUp === most);
  });
});
