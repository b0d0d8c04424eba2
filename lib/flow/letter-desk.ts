import type { LetterFilter, LetterInfo } from "../domain/letter-filter.ts";
import { PipelineError } from "../errors.ts";
import { type ShownLetter, shownLetter } from "../letter-text.ts";
import type { Log } from "../log.ts";
import { findLetters, type LetterOptions } from "./letters.ts";
import {
  type Purged,
  purgeLetters,
  type Replayed,
  type ReplayStations,
  replayLetters,
} from "./replay-letters.ts";

/** Letters as people work with them, a page or some at a time. */
export interface LetterDesk {
  /** The newest first, older than `after` if given, and how many there are in all. */
  list(query: LetterQuery): Promise<LetterPage>;
  /** Undefined when there is none. */
  show(id: string): Promise<ShownLetter | undefined>;
  /** Open letters, `limit` at most: as `replayLetters`. */
  replay(request: SettleRequest): Promise<Replayed>;
  /** Open letters, `limit` at most: as `purgeLetters`. */
  purge(request: SettleRequest): Promise<Purged>;
}

export interface LetterQuery {
  readonly filter: LetterFilter;
  readonly state: LetterOptions["state"];
  readonly limit: number;
  readonly after?: LetterCursor;
}

/** Where a letter stands among the others. */
export interface LetterCursor {
  readonly at: string;
  readonly id: string;
}

export interface LetterPage {
  readonly letters: readonly LetterInfo[];
  /** How many match in all. */
  readonly total: number;
  readonly next: LetterCursor | undefined;
}

export interface SettleRequest {
  readonly filter: LetterFilter;
  readonly limit: number;
  readonly dryRun: boolean;
}

/** What is opened for one question, and closed after it; `signal` ends all that is asked there. */
export type OpenLetters = (signal: AbortSignal) => Promise<ReplayStations & AsyncDisposable>;

export interface LetterDeskOptions {
  readonly log: Log;
  readonly signal: AbortSignal;
  /** What a question may take: less than the server lets a connection be silent (30 s). */
  readonly answerMs?: number;
}

/** Each question reads the whole dead-letter topic: one at a time, and so many wait. */
const mostWaiting = 8;

export function createLetterDesk(
  open: OpenLetters,
  { log, signal, answerMs = 25_000 }: LetterDeskOptions,
): LetterDesk {
  const inTurn = createTurns(mostWaiting);
  const ask = <T>(work: (stations: ReplayStations, signal: AbortSignal) => Promise<T>) => {
    const late = AbortSignal.timeout(answerMs);
    const either = AbortSignal.any([signal, late]);
    return inTurn(async () => {
      try {
        either.throwIfAborted();
        await using stations = await open(either);
        return await work(stations, either);
      } catch (error) {
        if (!late.aborted || signal.aborted) throw error;
        const [waiting] = log.waits.now();
        const reason = waiting ? `: waiting for ${waiting.what}: ${waiting.reason}` : "";
        const message = `letters, no answer within ${answerMs / 1000} s${reason}`;
        throw new PipelineError("timeout", message);
      }
    });
  };
  return {
    list: (query) => ask((stations, signal) => pageOf(stations, query, signal)),
    show: (id) =>
      ask(async (stations, signal) => {
        const where = id.startsWith("raw/") ? "raw" : "topic";
        const options = { filter: { ids: [id], where }, state: "all", limit: 1, signal } as const;
        for await (const [letter] of findLetters(stations, options)) {
          if (!letter) continue;
          const { where, raw } = letter.info;
          const payload = where === "raw" ? await stations.rejected.payload(raw ?? 0) : undefined;
          return shownLetter(letter, payload);
        }
        return undefined;
      }),
    replay: (request) =>
      ask((stations, signal) => replayLetters(stations, { ...request, log, signal })),
    purge: (request) =>
      ask((stations, signal) => purgeLetters(stations, { ...request, log, signal })),
  };
}

/** Keeps of all letters those of the page alone. */
async function pageOf(
  stations: ReplayStations,
  { filter, state, limit, after }: LetterQuery,
  signal: AbortSignal,
): Promise<LetterPage> {
  let total = 0;
  let newest: readonly LetterInfo[] = [];
  for await (const found of findLetters(stations, { filter, state, signal })) {
    total += found.length;
    const infos = found.map(({ info }) => info);
    const older = after ? infos.filter((info) => inOrder(after, info) < 0) : infos;
    newest = [...newest, ...older].toSorted(inOrder).slice(0, limit + 1);
  }
  const letters = newest.slice(0, limit);
  const last = newest.length > limit ? letters.at(-1) : undefined;
  return { letters, total, next: last && { at: last.at, id: last.id } };
}

/** The newest first; ids tell those of one moment apart. */
function inOrder(a: LetterCursor, b: LetterCursor): number {
  if (a.at !== b.at) return a.at < b.at ? 1 : -1;
  return a.id === b.id ? 0 : a.id < b.id ? -1 : 1;
}

/** One after the other; too many at once are refused. */
function createTurns(most: number) {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (waiting >= most) throw new PipelineError("unavailable", "letters, too many ask for them");
    waiting += 1;
    const turn = last.then(work).finally(() => {
      waiting -= 1;
    });
    last = turn.catch(() => {});
    return await turn;
  };
}
