/** HTTP as bytes, for what no well-behaved client sends. */
export interface RawAnswer {
  /** 0 when the connection was closed without an answer. */
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Sends the parts, one after the other, and reads until the server closes or the answer is whole. */
export async function rawHttp(
  url: string,
  parts: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>,
): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  const bytes: Buffer[] = [];
  const ended = Promise.withResolvers<void>();
  const drained = { now: Promise.withResolvers<void>() };
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data: (_, part) => {
        bytes.push(part);
        if (isWhole(Buffer.concat(bytes).toString("latin1"))) ended.resolve();
      },
      drain: () => drained.now.resolve(),
      close: () => ended.resolve(),
      error: () => ended.resolve(),
    },
  });
  let open = true;
  ended.promise.then(() => {
    open = false;
    drained.now.resolve();
  });
  for await (const part of parts) {
    let rest = typeof part === "string" ? Buffer.from(part, "latin1") : Buffer.from(part);
    while (open && rest.length > 0) {
      const written = socket.write(rest);
      if (written < 0) break;
      rest = rest.subarray(written);
      if (rest.length > 0) {
        drained.now = Promise.withResolvers<void>();
        await Promise.race([drained.now.promise, ended.promise]);
      }
    }
    if (!open) break;
  }
  await ended.promise;
  socket.terminate();
  return answerOf(Buffer.concat(bytes).toString("latin1"));
}

/** A request that ends the connection; `lines` follow the first one. */
export function request(first: string, lines: readonly string[] = [], body = ""): string[] {
  const length = body === "" ? [] : [`Content-Length: ${body.length}`];
  const all = [`${first} HTTP/1.1`, ...lines, ...length, "Connection: close", "", body];
  return [all.join("\r\n")];
}

function isWhole(text: string): boolean {
  const head = text.indexOf("\r\n\r\n");
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(text)?.[1];
  return head >= 0 && length !== undefined && text.length >= head + 4 + Number(length);
}

function answerOf(text: string): RawAnswer {
  const [head = "", ...rest] = text.split("\r\n\r\n");
  const [first = "", ...lines] = head.split("\r\n");
  const headers = lines.map((line) => [
    line.slice(0, line.indexOf(":")).toLowerCase(),
    line.slice(line.indexOf(":") + 1).trim(),
  ]);
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1] ?? 0),
    headers: Object.fromEntries(headers),
    body: rest.join("\r\n\r\n"),
  };
}
