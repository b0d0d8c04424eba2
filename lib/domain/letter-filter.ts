/** What is told of every letter, wherever it is kept. */
export interface LetterInfo {
  /** "topic/partition/offset" of the record it is about, or "raw/ID" of the rejected row. */
  readonly id: string;
  readonly where: "topic" | "raw";
  readonly state: "open" | "replayed" | "purged";
  readonly stage: string;
  readonly path: string;
  readonly reason: string;
  readonly attempts: number;
  /** When it became a letter, ISO 8601. */
  readonly at: string;
  readonly topic: string | null;
  readonly partition: number | null;
  readonly offset: number | null;
  readonly raw: number | null;
  /** The run that fetched it; null where it was on the topic: its headers may tell. */
  readonly run: number | null;
}

/** Which letters are meant: those that everything given here is true of. */
export interface LetterFilter {
  readonly ids?: readonly string[];
  readonly where?: LetterInfo["where"];
  /** Part of the reason, in whatever case. */
  readonly reason?: string;
  readonly stage?: string;
  /** When it became a letter: from `fromMs`, before `toMs`. */
  readonly fromMs?: number;
  readonly toMs?: number;
  readonly partition?: number;
  /** Offsets of the records, both included. */
  readonly offsets?: { readonly first: number; readonly last: number };
}

/** True when the letter is meant. What only records of the topic have is true of no rejected row. */
export function matches(letter: LetterInfo, filter: LetterFilter): boolean {
  const { ids, where, reason, stage, fromMs, toMs, partition, offsets } = filter;
  const at = Date.parse(letter.at);
  return (
    (ids === undefined || ids.includes(letter.id)) &&
    (where === undefined || letter.where === where) &&
    (reason === undefined || letter.reason.toLowerCase().includes(reason.toLowerCase())) &&
    (stage === undefined || letter.stage === stage) &&
    (fromMs === undefined || at >= fromMs) &&
    (toMs === undefined || at < toMs) &&
    (partition === undefined || letter.partition === partition) &&
    (offsets === undefined || within(letter.offset, offsets))
  );
}

function within(offset: number | null, { first, last }: NonNullable<LetterFilter["offsets"]>) {
  return offset !== null && offset >= first && offset <= last;
}
