import type { LogFields, LogLevel } from "../domain/attempt.ts";
import { recordValue } from "../domain/event.ts";
import { type ClaimedRun, nextPage } from "../domain/run.ts";
import { parseApiUser, type Rejection } from "../domain/user.ts";
import { messageChain } from "../errors.ts";
import type { Log } from "../log.ts";
import { retry } from "../retry.ts";

export interface PageRequest {
  readonly seed: string;
  /** Counted from 1. */
  readonly page: number;
  /** From 1 to 5000. */
  readonly results: number;
  readonly nat: readonly string[];
}

/** One page as received: the text of each user as it was sent, and what it says, not judged. */
export interface Page {
  readonly payloads: readonly string[];
  readonly users: readonly unknown[];
}

/** Where users come from. */
export interface Source {
  fetch(request: PageRequest, signal: AbortSignal): Promise<Page>;
}

/** One page and what was found of each user in it: its id, or why it is none. */
export interface JudgedPage {
  /** Counted from 1, on and on also when the run begins anew. */
  readonly page: number;
  /** The JSON text of each. */
  readonly payloads: readonly string[];
  readonly users: readonly (JudgedUser | JudgedRejection)[];
}
export interface JudgedUser {
  readonly id: string;
  /** The value of the record that it becomes on the topic; else that is made when it gets there. */
  readonly value?: string;
}
export interface JudgedRejection {
  readonly rejection: Rejection;
}

/** Where pages are kept. */
export interface PageStore {
  /**
   * Keeps the page's users, queues the accepted ones for the topic and moves the run on, all or
   * nothing. Safe to repeat when the outcome is unknown. Rejects with code `fenced` when this (run,
   * attempt, worker) no longer holds the run.
   */
  commitPage(run: ClaimedRun, page: JudgedPage): Promise<void>;
}

/** Where an attempt tells what happens in it. */
export interface Notes {
  /** Resolves at once, unless so many lines wait to be kept that this one has to. */
  note(level: LogLevel, fields: LogFields, message: string): Promise<void>;
}

/** What became of a page. */
export interface PageResult {
  readonly users: number;
  readonly rejected: number;
  /**
   * How long each phase took, in milliseconds, with its waits: for the rate limit too. A page is
   * fetched while the one before is kept, so the phases of a run add up to more than it took.
   */
  readonly ms: Readonly<Record<"fetch" | "judge" | "commit", number>>;
}

export interface FetchOptions {
  readonly notes: Notes;
  /** Told of each page when it is committed. */
  readonly onPage?: ((page: PageResult) => void) | undefined;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * Fetches what is left of a run, page after page, the next one while one is kept: so the source and
 * the store do not wait for each other, and at most two pages are in memory. A crash before a page's
 * commit fetches that page again: the same seed and page give the same users. The store is waited
 * for, and a source that asks to come back later; any other failure of the source is thrown when the
 * pages before it are kept: the run is tried again as a whole.
 */
export async function sourceToRaw(
  run: ClaimedRun,
  source: Source,
  store: PageStore,
  options: FetchOptions,
): Promise<void> {
  const leaving = new AbortController();
  const signal = AbortSignal.any([options.signal, leaving.signal]);
  const readAfter = (pages: number) => {
    const reading = readPage({ ...run, pages }, source, { ...options, signal });
    // It is thrown where the page is waited for, and that may be long after.
    reading.catch(() => {});
    return reading;
  };
  let coming = readAfter(run.pages);
  try {
    for (let page = await coming; page; page = await coming) {
      coming = readAfter(page.number);
      await keepPage(run, page, store, options);
    }
  } finally {
    leaving.abort();
    await Promise.allSettled([coming]);
  }
}

interface ReadPage extends JudgedPage {
  /** Of the run, counted from 1. */
  readonly number: number;
  readonly ms: Pick<PageResult["ms"], "fetch" | "judge">;
}

/** The run's next page, judged; undefined after the last. */
async function readPage(
  run: ClaimedRun,
  source: Source,
  { notes, log, signal }: FetchOptions,
): Promise<ReadPage | undefined> {
  const next = nextPage(run);
  if (next === undefined) return;
  const onWait = ({ error, ms }: { readonly error: unknown; readonly ms: number }) =>
    notes.note("warn", { causes: messageChain(error), afterMs: ms }, "asked to come back later");
  const started = performance.now();
  const { payloads, users } = await retry(
    () => source.fetch({ seed: run.seed, nat: run.nat, ...next }, signal),
    // Being asked to come back later is no failure, and so no attempt.
    { what: "the API", log, signal, attempts: 1, baseMs: 500, maxMs: 30_000, onWait },
  );
  const fetched = performance.now();
  return {
    number: next.page,
    page: run.pagesBefore + next.page,
    payloads,
    users: users.map(judge),
    ms: { fetch: fetched - started, judge: performance.now() - fetched },
  };
}

async function keepPage(
  run: ClaimedRun,
  page: ReadPage,
  store: PageStore,
  { notes, onPage, log, signal }: FetchOptions,
): Promise<void> {
  const started = performance.now();
  await retry(() => store.commitPage(run, page), { what: "PostgreSQL", log, signal });
  const ms = { ...page.ms, commit: performance.now() - started };
  const users = page.users.length;
  const rejected = page.users.filter((user) => "rejection" in user).length;
  onPage?.({ users, rejected, ms });
  await notes.note("info", { page: page.number, users, rejected }, "page committed");
}

function judge(user: unknown): JudgedUser | JudgedRejection {
  const judged = parseApiUser(user);
  return "user" in judged ? { id: judged.user.id, value: recordValue(judged.user) } : judged;
}
