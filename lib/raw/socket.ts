import { EventEmitter } from "node:events";
import { connect as dial, isIP, type Socket } from "node:net";
import { connect as secure } from "node:tls";
import type { Secured } from "./tls.ts";

/** Where the server is, and how TLS with it is to be. */
export interface Address {
  readonly host: readonly string[];
  readonly port: readonly number[];
  /** A Unix socket. */
  readonly path?: string | false | undefined;
  readonly ssl: Secured["ssl"];
}

/**
 * Makes the driver's sockets, with the deadline that it lacks (3.4.9): one on which the server owes
 * an answer and has said nothing for `answerMs` fails with ETIMEDOUT. So a call to a server that is
 * gone without a word rejects, and the pool makes a new connection in its place. A connection that
 * idles, in a transaction or out of it, is owed nothing.
 */
export function socketMaker(address: Address, answerMs: number): () => EventEmitter {
  let next = 0;
  return () => openSocket(address, next++ % address.host.length, answerMs);
}

/** As Linux counts it: a peer that is gone is noticed some ten seconds later. */
const keepAliveMs = 30_000;

/**
 * As much of a socket as the driver uses. It can be written to at once. Its end is always an error,
 * and failing and closing are one step: what is asked between the two the driver (3.4.9) would
 * never answer, and what ends without an error before it was ready it would try for ever.
 */
function openSocket(address: Address, at: number, answerMs: number): EventEmitter {
  const driver = new EventEmitter();
  const host = address.host[at] ?? "";
  const plain = address.path ? dial(address.path) : dial(address.port[at] ?? 5432, host);
  plain.setKeepAlive(true, keepAliveMs);
  const early: Buffer[] = [];
  let ready: Socket | undefined;
  let started = false;
  let isOver = false;
  let lastWords: Error | undefined;
  const close = (error: Error = lastWords ?? failure("ECONNRESET", "the connection has ended")) => {
    if (isOver) return;
    isOver = true;
    Object.assign(driver, { readyState: "closed" });
    debt.stop();
    plain.destroy();
    // By itself: whoever holds a transaction has heard of it before anything else happens.
    setImmediate(() => {
      driver.emit("error", error);
      // Else the driver keeps the server's last error, for the next connection's first query.
      if (debt.paid) driver.emit("data", ended);
      // What it took up upon that.
      driver.emit("error", error);
      driver.emit("close", true);
    });
  };
  const debt = createDebt(answerMs, () => {
    close(failure("ETIMEDOUT", `no answer within ${answerMs / 1000} s`));
  });
  plain.on("error", close);
  void secured(plain, address.ssl, host).then((socket) => {
    ready = socket;
    ready.on("error", close);
    ready.on("close", () => close());
    ready.on("drain", () => driver.emit("drain"));
    ready.on("end", () => close());
    ready.on("data", (chunk: Buffer) => {
      debt.heard(chunk);
      lastWords = debt.refused ? serverError(chunk) : undefined;
      driver.emit("data", chunk);
    });
    for (const chunk of early.splice(0)) ready.write(chunk);
  }, close);
  return Object.assign(driver, {
    readyState: "open",
    write: (chunk: Buffer) => {
      if (isOver) return true;
      const said = started ? chunk : startupIn(chunk);
      started = true;
      debt.said(said);
      if (ready) return ready.write(said);
      early.push(said);
      return true;
    },
    end: (chunk: Buffer) => {
      debt.said(chunk);
      if (ready && !isOver) ready.end(chunk);
      else close();
    },
    pause: () => ready?.pause(),
    resume: () => ready?.resume(),
    destroy: () => close(),
  });
}

/**
 * The driver keeps what it had to say when a connection ended, says it first on the next one, and
 * waits to say anything until it is a kilobyte: hence `startupPadding`, and only the end counts.
 */
function startupIn(chunk: Buffer): Buffer {
  for (let at = 0; at + 8 <= chunk.length; at++) {
    const isStartup = chunk.readUInt32BE(at + 4) === protocolVersion;
    if (isStartup && chunk.readUInt32BE(at) === chunk.length - at) return chunk.subarray(at);
  }
  return chunk;
}

/** 3.0 */
const protocolVersion = 0x0003_0000;

/** Makes the start a kilobyte: blanks are no options for the server. */
export const startupPadding = " ".repeat(1024);

/** An error of the server, and that it is ready in a failed transaction. */
const ended = Buffer.concat([
  message("E", "SFATAL\0VFATAL\0C08006\0Mthe connection has ended\0\0"),
  message("Z", "E"),
]);

function message(type: string, text: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(4 + text.length);
  return Buffer.concat([Buffer.from(type), length, Buffer.from(text)]);
}

/** What the server says before it ends a connection. */
function serverError(chunk: Buffer): Error {
  const field = (name: string) =>
    new RegExp(`\\0${name}([^\\0]+)\\0`).exec(chunk.toString())?.[1] ?? "";
  const error = failure(
    field("C") || "ECONNRESET",
    field("M") || "the server ended the connection",
  );
  return Object.assign(error, { severity: "FATAL" });
}

/** Enough for a process that was frozen to hear what lies waiting, before it gives up. */
const beats = 10;

/**
 * What the server owes: one "ready for query" (Z) for the start, for every query (Q) and for every
 * sync (S); something, at least, for anything else we say.
 */
function createDebt(answerMs: number, onLate: () => void) {
  let owed = 0;
  let silent = 0;
  let started = false;
  let paid = false;
  let refused = false;
  let timer: ReturnType<typeof setInterval> | undefined;
  const stop = () => {
    clearInterval(timer);
    timer = undefined;
  };
  const beat = () => {
    silent += 1;
    if (silent >= beats) onLate();
  };
  const say = messages((type) => {
    if (type === "Q" || type === "S") owed += 1;
  });
  const hear = messages((type) => {
    if (type === "Z") owed -= 1;
    paid ||= type === "Z";
    refused = paid && (type === "E" || (refused && type !== "Z"));
    // A suspended portal (s) waits for us.
    if (owed <= 0 && (type === "Z" || type === "s")) stop();
  });
  return {
    /** True when the server has been ready for a query once. */
    get paid() {
      return paid;
    },
    /** True when its last word since then was an error. */
    get refused() {
      return refused;
    },
    stop,
    said: (chunk: Buffer) => {
      // The first message of all has no type.
      if (started) say(chunk);
      else owed = 1;
      started = true;
      silent = 0;
      timer ??= setInterval(beat, answerMs / beats).unref();
    },
    heard: (chunk: Buffer) => {
      silent = 0;
      hear(chunk);
    },
  };
}

/** Reads a stream of messages, in chunks cut anywhere: a type, a length of four bytes, the rest. */
function messages(onMessage: (type: string) => void): (chunk: Buffer) => void {
  const head = Buffer.alloc(5);
  let filled = 0;
  let left = 0;
  return (chunk) => {
    for (let at = 0; at < chunk.length; ) {
      if (filled < head.length) {
        head[filled++] = chunk[at++] ?? 0;
        if (filled < head.length) continue;
        // The length counts itself.
        left = head.readUInt32BE(1) - 4;
      }
      const step = Math.min(left, chunk.length - at);
      left -= step;
      at += step;
      if (left > 0) continue;
      filled = 0;
      onMessage(String.fromCharCode(head[0] ?? 0));
    }
  };
}

/** SSLRequest: its length, then the number that stands for it. */
const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

/** The socket once it can be used: the same one, or TLS over it. */
async function secured(plain: Socket, ssl: Secured["ssl"], host: string): Promise<Socket> {
  await happens(plain, "connect");
  if (!ssl) return plain;
  plain.write(sslRequest);
  const answer = await happens<Buffer>(plain, "data");
  if (answer[0] !== "S".charCodeAt(0)) {
    if (ssl === "prefer") return plain;
    throw failure("CONNECT_TLS", "the server has no TLS");
  }
  const socket = secure({
    socket: plain,
    ...(isIP(host) ? {} : { servername: host }),
    ...(ssl === "prefer" ? { rejectUnauthorized: false } : ssl),
  });
  await happens(socket, "secureConnect");
  return socket;
}

/** The next such event; rejects when the socket fails or closes before that. */
function happens<T>(socket: Socket, event: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const closed = () => reject(failure("ECONNRESET", "the connection has ended"));
    socket.once("error", reject).once("close", closed);
    socket.once(event, (value: T) => {
      socket.off("error", reject).off("close", closed);
      resolve(value);
    });
  });
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
