import type { MiddlewareHandler } from "hono";
import { sleep } from "../sleep.ts";
import { type Problem, problem } from "./problem.ts";

/** A request is some names and numbers: the largest, with 22 nationalities, is below 1 KiB. */
const maxBytes = 64 * 1024;

/** In full, however slowly its parts come. */
const withinMs = 10_000;

/** Reads the body before any route does, and refuses one that is too large or too slow. */
export function boundedBody(): MiddlewareHandler {
  return async (c, next) => {
    const { body, headers } = c.req.raw;
    if (body === null) return next();
    const told = Number(headers.get("content-length") ?? 0);
    const read = told > maxBytes ? tooLarge : await whole(body);
    if (read instanceof Blob) {
      c.req.raw = new Request(c.req.raw, { body: read });
      return next();
    }
    // What is left of it is not waited for.
    c.header("connection", "close");
    return problem(c, read);
  };
}

async function whole(body: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Blob | Problem> {
  const done = new AbortController();
  const late = sleep(withinMs, done.signal).then(
    () => tooSlow,
    () => tooSlow,
  );
  const reader = body.getReader();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  try {
    for (;;) {
      const part = await Promise.race([late, reader.read()]);
      if ("status" in part) return part;
      if (part.done) return new Blob(parts);
      bytes += part.value.length;
      if (bytes > maxBytes) return tooLarge;
      parts.push(part.value);
    }
  } catch {
    return { status: 400, title: "The body broke off" };
  } finally {
    done.abort();
    reader.cancel().catch(() => {});
  }
}

const tooLarge: Problem = { status: 413, title: "The body is larger than 64 KiB" };
const tooSlow: Problem = { status: 408, title: "The body did not come within 10 s" };
