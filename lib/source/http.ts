import { PipelineError, type PipelineErrorOptions } from "../errors.ts";

export interface HttpLimits {
  /** For the whole call, the body included. */
  readonly timeoutMs: number;
  /** Of the body, decompressed. */
  readonly maxBytes: number;
}

export interface HttpCall extends HttpLimits {
  /** Told the status as soon as there is one. */
  readonly onStatus?: (status: number) => void;
  readonly signal: AbortSignal;
}

/**
 * GETs JSON as text: a 2xx answer with a body that is UTF-8 and not too large. Every other outcome
 * is a `PipelineError` whose message names the address without user, password and query; an abort
 * of the signal rejects at once with its reason.
 */
export async function getJsonText(url: URL, call: HttpCall): Promise<string> {
  call.signal.throwIfAborted();
  const ending = new AbortController();
  const abort = () => ending.abort(call.signal.reason);
  call.signal.addEventListener("abort", abort, { once: true });
  const timer = setTimeout(() => ending.abort(outOfTime), call.timeoutMs);
  try {
    const headers = { accept: "application/json" };
    const response = await fetch(url, { headers, signal: ending.signal });
    call.onStatus?.(response.status);
    if (!response.ok) throw await unwelcome(response, url);
    const type = response.headers.get("content-type") ?? "application/json";
    if (!/[/+]json\b/i.test(type)) {
      const start = excerpt(await beginning(response));
      throw new PipelineError("bad_response", `${shown(url)} answered ${type}, not JSON: ${start}`);
    }
    return await wholeText(response, url, call.maxBytes);
  } catch (error) {
    call.signal.throwIfAborted();
    if (ending.signal.aborted) {
      const message = `${shown(url)} did not answer in full within ${call.timeoutMs / 1000} s`;
      throw new PipelineError("timeout", message, { cause: error });
    }
    throw translated(error, url);
  } finally {
    clearTimeout(timer);
    call.signal.removeEventListener("abort", abort);
  }
}

/** A body as text; `bad_response` when it is larger than allowed or not UTF-8. */
export async function wholeText(response: Response, url: URL, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    // Leaving the loop cancels the body, and so ends the transfer.
    if (bytes > maxBytes) {
      const message = `${shown(url)} sent more than ${maxBytes} bytes: ${excerpt(text)}`;
      throw new PipelineError("bad_response", message);
    }
    text += decoded(() => decoder.decode(chunk, { stream: true }), url);
  }
  return text + decoded(() => decoder.decode(), url);
}

/** The address as it may stand in a message: user, password and query may hold secrets. */
export function shown(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

/**
 * The first 120 characters, on one line, without control characters: fit for a terminal and a
 * table.
 */
export function excerpt(text: string): string {
  const line = text
    .slice(0, 500)
    .replace(/[\s\p{Cc}]+/gu, " ")
    .trim();
  return line === "" ? "nothing" : line.length > 120 ? `${line.slice(0, 120)}…` : line;
}

/** `Retry-After` in seconds or as a date, at most an hour; undefined when it says neither. */
export function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  const ms = /^\s*\d+\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), longestMs);
}

/** True when no byte of the request can have reached the server. */
export function neverSent(error: unknown): boolean {
  return error instanceof PipelineError && unreachable.has(systemCode(error.cause) ?? "");
}

const longestMs = 3_600_000;
const outOfTime = new DOMException("out of time", "TimeoutError");
const unreachable = new Set([
  ..."ECONNREFUSED ENOTFOUND EAI_AGAIN EHOSTUNREACH ENETUNREACH".split(" "),
]);
/** What an error page may cost; only its beginning is told. */
const pageBytes = 4096;

/** A status other than 2xx, in our words. */
async function unwelcome(response: Response, url: URL): Promise<PipelineError> {
  const { status, headers } = response;
  const said = excerpt(errorField(await beginning(response)));
  const waitMs = retryAfterMs(headers.get("retry-after"), Date.now());
  const options: PipelineErrorOptions = waitMs === undefined ? {} : { retryAfterMs: waitMs };
  const message = `${shown(url)} answered ${status}`;
  if (status === 429)
    return new PipelineError("rate_limited", `${message}, too many requests: ${said}`, options);
  if (status === 408) return new PipelineError("timeout", `${message}: ${said}`, options);
  if (status >= 500) return new PipelineError("unavailable", `${message}: ${said}`, options);
  if (status >= 400) return new PipelineError("refused", `${message}: ${said}`);
  return new PipelineError("bad_response", `${message}, not a page of users: ${said}`);
}

/** The API's own errors are `{"error": "…"}`. */
function errorField(body: string): string {
  try {
    const { error } = JSON.parse(body);
    return typeof error === "string" ? error : body;
  } catch {
    return body;
  }
}

function decoded(decode: () => string, url: URL): string {
  try {
    return decode();
  } catch (cause) {
    throw new PipelineError("bad_response", `${shown(url)} sent what is not UTF-8`, { cause });
  }
}

async function beginning(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length >= pageBytes) break;
  }
  return text;
}

/** Bun's fetch tells what went wrong by the `code` of a TypeError. */
function translated(error: unknown, url: URL): unknown {
  if (error instanceof PipelineError) return error;
  const code = systemCode(error);
  if (code === undefined) return error;
  const [ours, words] = /^TooManyRedirects$/.test(code)
    ? (["bad_response", "redirects without end"] as const)
    : /zlib|brotli|zstd|decompress/i.test(code)
      ? (["bad_response", "sent a body that does not decompress"] as const)
      : (["unavailable", unavailable[code] ?? "could not be asked"] as const);
  return new PipelineError(ours, `${shown(url)} ${words}`, { cause: error });
}

const unavailable: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refused the connection",
  ECONNRESET: "closed the connection before the end of its answer",
  ENOTFOUND: "could not be found: its host name is unknown",
};

function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}
