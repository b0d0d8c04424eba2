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

/**
 * One page as received: the text of the list of users, and the same users, parsed but not judged.
 */
export interface Page {
  readonly payloads: string;
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
  /** The text of a JSON array with as many entries as `users`. */
  readonly payloads: string;
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
  /** How long each phase took, in milliseconds, with its waits: for the rate limit too. */
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
 * Fetches what is left of a run, page after page. A crash before a page's commit fetches that page
 * again: the same seed and page give the same users. The store is waited for, and a source that asks
 * to come back later; any other failure of the source is thrown: the run is tried again as a whole.
 */
export async function sourceToRaw(
  run: ClaimedRun,
  source: Source,
  store: PageStore,
  { notes, onPage, log, signal }: FetchOptions,
): Promise<void> {
  const onWait = ({ error, ms }: { readonly error: unknown; readonly ms: number }) =>
    notes.note("warn", { causes: messageChain(error), afterMs: ms }, "asked to come back later");
  let pages = run.pages;
  for (;;) {
    const next = nextPage({ ...run, pages });
    if (next === undefined) return;
    const started = performance.now();
    const page = await retry(
      () => source.fetch({ seed: run.seed, nat: run.nat, ...next }, signal),
      // Being asked to come back later is no failure, and so no attempt.
      { what: "the API", log, signal, attempts: 1, baseMs: 500, maxMs: 30_000, onWait },
    );
    const fetched = performance.now();
    const users = page.users.map(judge);
    const judged = { page: run.pagesBefore + next.page, payloads: page.payloads, users };
    const known = performance.now();
    await retry(() => store.commitPage(run, judged), { what: "PostgreSQL", log, signal });
    const rejected = users.filter((user) => "rejection" in user).length;
    const ms = {
      fetch: fetched - started,
      judge: known - fetched,
      commit: performance.now() - known,
    };
    onPage?.({ users: users.length, rejected, ms });
    const counts = { page: next.page, users: users.length, rejected };
    await notes.note("info", counts, "page committed");
    pages = next.page;
  }
}

function judge(user: unknown): JudgedUser | JudgedRejection {
  const judged = parseApiUser(user);
  return "user" in judged ? { id: judged.user.id, value: recordValue(judged.user) } : judged;
}
