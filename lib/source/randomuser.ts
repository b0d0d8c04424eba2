import * as v from "valibot";
import type { Config } from "../config.ts";
import { nationalities } from "../domain/nationalities.ts";
import { type ErrorCode, PipelineError } from "../errors.ts";
import type { RateLimit } from "../flow/rate-limit.ts";
import type { Page, PageRequest, Source } from "../flow/source-to-raw.ts";
import type { Log } from "../log.ts";
import { excerpt, getJsonText, type HttpLimits, neverSent, shown } from "./http.ts";
import { resultTexts } from "./result-texts.ts";

export interface SourceDeps extends Partial<HttpLimits> {
  readonly log: Log;
  readonly rateLimit: RateLimit;
  /** Told of each call when it has ended, unless it was given up. */
  readonly onCall?: ((call: SourceCall) => void) | undefined;
}

export interface SourceCall {
  /** What was answered, or the code of the failure where nothing was. */
  readonly status: number | ErrorCode;
  /** From the request to the end of the answer's body, in milliseconds. */
  readonly ms: number;
}

/** The API gives one user, silently, when asked for more. */
const maxResults = 5000;
/** The API gives the first page, silently, when asked for a later one. */
const maxPage = 10_000;

/**
 * Version 1.4 of randomuser.me, or whatever answers like it at the configured URL. One `fetch` is
 * one HTTP call, never repeated here: the caller knows by the error's code whether to try again.
 * The same request gives the same users. What would be answered with other users than those asked
 * for is refused before it is asked, or told as `bad_response` after.
 */
export function openSource(
  config: Pick<Config["source"], "url">,
  {
    log,
    timeoutMs = 30_000,
    // Six times the largest page: 5,000 users are 5.4 MB.
    maxBytes = 32 * 1024 * 1024,
    rateLimit,
    onCall,
  }: SourceDeps,
): Source {
  const base = new URL(config.url);
  return {
    async fetch(request, signal) {
      const url = pageUrl(base, request);
      const asked = performance.now();
      const booking = await rateLimit.take(request.results, signal);
      const waitedMs = Math.round(performance.now() - asked);
      if (waitedMs > 1000) log.info({ waitedMs, users: request.results }, "rate limit waited for");
      try {
        const body = await told(onCall, (onStatus) =>
          getJsonText(url, { timeoutMs, maxBytes, onStatus, signal }),
        );
        return pageOf(body, request, url);
      } catch (error) {
        if (notCounted(error)) await booking.giveBack();
        throw error;
      }
    },
  };
}

/**
 * The API puts seed and page number together without a sign between them (`run1` + `12` is `run11`
 * + `2`), and reads a seed of exactly 18 characters as one that carries a nationality: so a seed
 * never ends in a digit here, and is never 18 long.
 */
export function safeSeed(seed: string): string {
  const ended = /\d$/.test(seed) ? `${seed}-` : seed;
  return ended.length === 18 ? `${ended}-` : ended;
}

/** What the call gives; how it ended is told. */
async function told<T>(
  onCall: SourceDeps["onCall"],
  call: (onStatus: (status: number) => void) => Promise<T>,
): Promise<T> {
  const started = performance.now();
  let status: SourceCall["status"] | undefined;
  try {
    return await call((answered) => {
      status = answered;
    });
  } catch (error) {
    if (error instanceof PipelineError) status ??= error.code;
    throw error;
  } finally {
    if (status !== undefined) onCall?.({ status, ms: performance.now() - started });
  }
}

/** The address of one page, with what the configured URL's query already says. */
export function pageUrl(base: URL, { seed, page, results, nat }: PageRequest): URL {
  if (seed === "") throw refused("an empty seed gives other users each time");
  if (!within(results, maxResults)) throw refused(`${results} users at once, not 1 to 5000`);
  if (!within(page, maxPage)) throw refused(`page ${page}, not 1 to 10000`);
  const unknown = nat.filter((each) => !nationalities.includes(each.toLowerCase()));
  if (unknown.length > 0) throw refused(`nationality ${unknown.join(", ")}, unknown to the API`);
  const url = new URL(base);
  url.searchParams.set("results", String(results));
  url.searchParams.set("page", String(page));
  url.searchParams.set("seed", safeSeed(seed));
  if (nat.length > 0) url.searchParams.set("nat", nat.join(",").toLowerCase());
  return url;
}

function within(value: number, most: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= most;
}

function refused(what: string): PipelineError {
  return new PipelineError("refused", `the API cannot be asked for this: ${what}`);
}

/** The users in a body, if they are as many as were asked for. */
function pageOf(body: string, { results }: PageRequest, url: URL): Page {
  const bad = (what: string, options = {}) =>
    new PipelineError("bad_response", `${shown(url)} ${what}: ${excerpt(body)}`, options);
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (cause) {
    throw bad(`sent ${body.length} characters that are not JSON`, { cause });
  }
  const parsed = v.safeParse(Body, json);
  if (!parsed.success) throw bad("sent JSON without a list of results");
  const users = parsed.output.results;
  if (users.length !== results) throw bad(`sent ${users.length} users instead of ${results}`);
  return { payloads: resultTexts(body), users };
}

const Body = v.object({ results: v.array(v.unknown()) });

/** The API counts the users of a call when it takes the call on: not when it says 429. */
function notCounted(error: unknown): boolean {
  return neverSent(error) || (error instanceof PipelineError && error.code === "rate_limited");
}
