import { type ClaimedRun, nextPage } from "../domain/run.ts";
import { parseApiUser, type Rejection } from "../domain/user.ts";
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

export interface FetchOptions {
  readonly log: Log;
  readonly signal: AbortSignal;
  /** How often one page is asked for before the run fails. */
  readonly attempts?: number;
}

/**
 * Fetches what is left of a run, page after page. A crash before a page's commit fetches that page
 * again: the same seed and page give the same users. The source is retried a few times, the store
 * for ever.
 */
export async function sourceToRaw(
  run: ClaimedRun,
  source: Source,
  store: PageStore,
  { log, signal, attempts = 5 }: FetchOptions,
): Promise<void> {
  let pages = run.pages;
  for (;;) {
    const next = nextPage({ results: run.results, pages });
    if (next === undefined) return;
    const page = await retry(
      () => source.fetch({ seed: run.seed, nat: run.nat, ...next }, signal),
      { what: "the API", log, signal, attempts, baseMs: 500, maxMs: 30_000 },
    );
    const judged = {
      page: run.pagesBefore + next.page,
      payloads: page.payloads,
      users: page.users.map(judge),
    };
    await retry(() => store.commitPage(run, judged), { what: "PostgreSQL", log, signal });
    log.info({ run: run.id, page: next.page, users: page.users.length }, "page committed");
    pages = next.page;
  }
}

function judge(user: unknown): JudgedUser | JudgedRejection {
  const judged = parseApiUser(user);
  return "user" in judged ? { id: judged.user.id } : judged;
}
