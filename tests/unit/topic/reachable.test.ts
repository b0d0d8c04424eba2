import { expect, test } from "bun:test";
import { createServer } from "node:net";
import { freePorts } from "../../../lib/local/ports.ts";
import { reachable } from "../../../lib/topic/reachable.ts";
import { failureOf } from "../../failure.ts";
import { until } from "../../until.ts";
import { never } from "../../users.ts";

async function listening(host: string) {
  const sockets = { open: 0, all: 0 };
  const server = createServer((socket) => {
    sockets.open += 1;
    sockets.all += 1;
    socket.on("close", () => {
      sockets.open -= 1;
    });
    socket.resume();
  });
  const port = await new Promise<number>((resolve) => {
    server.listen(0, host, () => resolve(Number(Object(server.address()).port)));
  });
  return { port, sockets, [Symbol.dispose]: () => void server.close() };
}

test("one broker of several that takes a connection is enough, and it is closed again", async () => {
  using broker = await listening("127.0.0.1");
  const [closed] = freePorts(1);
  await reachable([`127.0.0.1:${closed}`, `127.0.0.1:${broker.port}`], never);
  await until(() => broker.sockets.all === 1 && broker.sockets.open === 0);
});

test("a broker has a name or an address of either kind", async () => {
  using four = await listening("127.0.0.1");
  await reachable([`localhost:${four.port}`], never);
  using six = await listening("::1");
  await reachable([`[::1]:${six.port}`], never);
});

test("where no broker does, what is said names each of them", async () => {
  const [one, other] = freePorts(2);
  const error = await failureOf(reachable([`127.0.0.1:${one}`, `127.0.0.1:${other}`], never));
  expect(error).toMatchObject({ code: "unavailable" });
  expect(error.message).toContain(`127.0.0.1:${one}: `);
  expect(error.message).toContain(`127.0.0.1:${other}: `);
});

test("it is no longer waited for when the signal aborts", async () => {
  const stop = new AbortController();
  using broker = await listening("127.0.0.1");
  const asking = failureOf(reachable([`127.0.0.1:${broker.port}`], stop.signal));
  stop.abort(new DOMException("stopped", "AbortError"));
  expect((await asking).message).toBe("stopped");
  const late = failureOf(reachable([`127.0.0.1:${broker.port}`], stop.signal));
  expect((await late).message).toBe("stopped");
});
