import { PipelineError } from "../../errors.ts";
import { sleep } from "../../sleep.ts";
import { createSchedule, type Fault, parseFaults, spoil } from "./faults.ts";
import { createRandom } from "./random.ts";
import { allNations, createUsers } from "./users.ts";

export interface FakeApiOptions {
  /** Users that may be asked for in five minutes, by all clients together; 0 for no limit. */
  readonly limit?: number;
  /** In the order of the requests, or asked for at each one. */
  readonly faults?: readonly Fault[] | (() => Fault | undefined);
  readonly now?: () => Date;
}

export type FakeApi = (request: Request) => Promise<Response>;

/**
 * Answers as version 1.4 of randomuser.me does, its silent corrections included, at `/api/` and
 * `/api/1.4/`, in JSON only. Misbehaves for the faults of the options, and for a single request by
 * the query parameter `fault` or the header `x-fault`, which win.
 */
export function createFakeApi({
  limit = 0,
  faults = [],
  now = () => new Date(),
}: FakeApiOptions = {}): FakeApi {
  const nextFault = typeof faults === "function" ? faults : createSchedule(faults);
  const counter = createCounter(limit, now);
  return async (request) => {
    const url = new URL(request.url);
    if (!/^\/api(\/|\/1\.4\/?)?$/.test(url.pathname)) return plain(404, "Not Found");
    try {
      const fault = requested(request, url) ?? nextFault();
      if (fault?.kind === "429" || counter.exceeded()) return tooMany(counter.users());
      const results = resultsOf(url.searchParams.get("results"));
      counter.add(results);
      if (fault?.kind === "slow") await sleep(fault.amount, request.signal).catch(() => {});
      return instead(fault, request.signal) ?? page(url.searchParams, results, now(), fault);
    } catch (error) {
      if (error instanceof PipelineError) return plain(400, error.message);
      throw error;
    }
  };
}

function requested(request: Request, url: URL): Fault | undefined {
  const text = url.searchParams.get("fault") ?? request.headers.get("x-fault");
  return text === null ? undefined : parseFaults(text)[0];
}

/** Anything but a whole number from 1 to 5000 becomes 1, without a word. */
function resultsOf(text: string | null): number {
  const number = Number(text || 1);
  return Number.isInteger(number) && number >= 1 && number <= 5000 ? number : 1;
}

function pageOf(text: string | null): number {
  const number = Number(text) || 1;
  return number < 0 || number > 10_000 ? 1 : number;
}

/** One unknown nationality, and none of them counts. */
function natOf(text: string | null): string[] {
  const codes = (text ?? "").toUpperCase().split(",").filter(Boolean);
  return codes.every((code) => allNations.includes(code)) ? codes : [];
}

function page(
  query: URLSearchParams,
  results: number,
  now: Date,
  fault: Fault | undefined,
): Response {
  const given = query.get("seed") ?? "";
  const seed = given === "" ? crypto.randomUUID().replaceAll("-", "").slice(0, 16) : given;
  const at = pageOf(query.get("page"));
  const carried = seed.length === 18 ? allNations[Number.parseInt(seed.slice(-2), 16)] : undefined;
  if (seed.length === 18 && carried === undefined) return plain(500, "Internal Server Error");
  const nat = carried === undefined ? natOf(query.get("nat")) : [carried];
  const gender = given === "" ? genderOf(query.get("gender")) : {};
  const users = createUsers({ seed, page: at, results, nat, now, ...gender });
  const info = { seed, results, page: at, version: "1.4" };
  const sent = fault ? spoil(users, fault, createRandom(`${seed}${at}fault`)) : users;
  return json(200, body(JSON.stringify({ results: sent, info }), fault));
}

function genderOf(text: string | null) {
  return text === "male" || text === "female" ? ({ gender: text } as const) : {};
}

/** What comes in place of an answer. */
function instead(fault: Fault | undefined, gone: AbortSignal): Promise<Response> | Response | null {
  switch (fault?.kind) {
    case "500":
      return plain(500, "Internal Server Error");
    case "html":
      return new Response(proxyPage, { headers: { "content-type": "text/html; charset=utf-8" } });
    case "reset":
      // A body that fails at once makes the server close the connection.
      return json(200, new ReadableStream({ start: (body) => body.error() }));
    case "huge":
      return json(200, new ReadableStream({ pull: (body) => body.enqueue(spaces) }));
    case "hang":
      return new Promise((resolve) => {
        gone.addEventListener("abort", () => resolve(plain(499, "Client Closed Request")));
      });
    default:
      return null;
  }
}

function body(text: string, fault: Fault | undefined): string | ReadableStream<Uint8Array> {
  const half = text.slice(0, Math.floor(text.length / 2));
  if (fault?.kind === "truncated") return half;
  if (fault?.kind !== "stall") return text;
  return new ReadableStream({ start: (stream) => stream.enqueue(new TextEncoder().encode(half)) });
}

const spaces = new Uint8Array(64 * 1024).fill(0x20);
const proxyPage = `<!DOCTYPE html>
<html><head><title>502 Bad Gateway</title></head>
<body><h1>502 Bad Gateway</h1><p>cloudflare</p></body></html>
`;

function tooMany(users: number): Response {
  const error = `Whoa, ease up there cowboy. You've requested ${users} users in the last minute. Help us keep this service free and spare some bandwidth for other users please :)`;
  return json(429, JSON.stringify({ error }));
}

function json(status: number, body: string | ReadableStream): Response {
  const headers = {
    "content-type": "application/json; charset=utf-8",
    "cache-control": "no-cache",
  };
  return new Response(body, { status, headers });
}

function plain(status: number, text: string): Response {
  return new Response(text, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}

/** As the API counts: it refuses once the limit is reached, and starts again every five minutes. */
function createCounter(limit: number, now: () => Date) {
  let users = 0;
  let since = now().getTime();
  return {
    users: () => users,
    add(more: number) {
      users += more;
    },
    exceeded() {
      if (now().getTime() - since >= 5 * 60_000) {
        users = 0;
        since = now().getTime();
      }
      return limit > 0 && users >= limit;
    },
  };
}
