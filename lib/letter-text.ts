import type { ReceivedRecord } from "./domain/event.ts";
import type { LetterInfo } from "./domain/letter-filter.ts";
import { asciiControls, jsonLine, printable } from "./printable.ts";

/** Bytes as they can be shown: as JSON where they are JSON, as text where they are text. */
export interface ShownBytes {
  readonly as: "json" | "text" | "base64" | "nothing";
  readonly value: unknown;
}

/** A letter with all that is known of it. */
export interface ShownLetter extends LetterInfo {
  /** The record's own time, ISO 8601; null for rejected rows. */
  readonly recordAt: string | null;
  /** Where the letter itself is on the dead-letter topic. */
  readonly letter: { readonly partition: number; readonly offset: number } | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly key: ShownBytes;
  readonly value: ShownBytes;
  /** How large the value is, where it had to be left out. */
  readonly leftOutBytes: number | null;
}

/** One line: id, time, stage, attempts, reason. */
export function letterLine({ id, at, stage, attempts, state, reason }: LetterInfo): string {
  const settled = state === "open" ? [] : [state];
  const parts = [id, at, stage || "-", `attempt ${attempts}`, ...settled, reason];
  return printable(parts.join("  "));
}

/** A letter as it is shown: `payload` is that of a rejected row. */
export function shownLetter(
  { info, stored }: { readonly info: LetterInfo; readonly stored?: Stored },
  payload: unknown,
): ShownLetter {
  if (!stored) {
    const nothing = { recordAt: null, letter: null, headers: {}, leftOutBytes: null };
    const value =
      payload === undefined ? shownBytes(null) : ({ as: "json", value: payload } as const);
    return { ...info, ...nothing, key: shownBytes(null), value };
  }
  const { at, record, leftOutBytes } = stored;
  return {
    ...info,
    recordAt: new Date(record.timestampMs).toISOString(),
    letter: { partition: at.partition, offset: at.offset },
    headers: shownHeaders(record.headers),
    key: shownBytes(record.key),
    value: shownBytes(record.value),
    leftOutBytes,
  };
}

interface Stored {
  readonly at: { readonly partition: number; readonly offset: number };
  readonly record: ReceivedRecord;
  readonly leftOutBytes: number | null;
}

/** Writes letters page by page, each on a line, or as one JSON array: any number of them. */
export function createLetterList(json: boolean, write: (text: string) => Promise<void>) {
  let listed = 0;
  return {
    add: async (letters: readonly LetterInfo[]) => {
      const lines = letters.map((letter, at) => {
        if (!json) return `${letterLine(letter)}\n`;
        return `${listed + at === 0 ? "[" : ","}${jsonLine(letter)}\n`;
      });
      listed += letters.length;
      await write(lines.join(""));
    },
    end: async () => {
      if (json) await write(listed === 0 ? "[]\n" : "]\n");
      else if (listed === 0) await write("no letters\n");
    },
  };
}

/** What was done to letters: counts in words, or as JSON. */
export function doneText(done: object, dryRun: boolean, json: boolean): string {
  if (json) return `${JSON.stringify({ ...done, dryRun })}\n`;
  const counts = Object.entries(done).map(([name, count]) => `${count} ${name}`);
  return `${counts.join(", ")}${dryRun ? " (dry run: nothing is changed)" : ""}\n`;
}

/** Everything, on many lines. */
export function letterText({ headers, key, value, letter, ...info }: ShownLetter): string {
  const place = letter && `${letter.partition}/${letter.offset}`;
  const facts = Object.entries({ ...info, "letter at": place })
    .filter(([, fact]) => fact !== null)
    .map(([name, fact]) => `${name.padEnd(12)} ${printable(String(fact))}`);
  const named = Object.entries(headers).map(([name, text]) => printable(`  ${name}: ${text}`));
  return [
    ...facts,
    ...(named.length > 0 ? ["headers", ...named] : []),
    `key, ${bytesText(key)}`,
    `value, ${bytesText(value)}`,
    "",
  ].join("\n");
}

function shownBytes(bytes: Buffer | null): ShownBytes {
  if (bytes === null) return { as: "nothing", value: null };
  try {
    const text = utf8.decode(bytes);
    try {
      const value: unknown = JSON.parse(text);
      return isDeep(text) ? { as: "text", value: text } : { as: "json", value };
    } catch {
      return { as: "text", value: text };
    }
  } catch {
    return { as: "base64", value: bytes.toString("base64") };
  }
}

/** Levels of nesting that are shown: whatever writes a deeper value again may run out of its stack. */
const mostLevels = 100;

/** True of JSON that is nested deeper than that. */
function isDeep(json: string): boolean {
  let levels = 0;
  for (const [sign] of json.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/g)) {
    if (sign === "[" || sign === "{") levels += 1;
    if (sign === "]" || sign === "}") levels -= 1;
    if (levels > mostLevels) return true;
  }
  return false;
}

/** Headers as text; those that are no text as "base64:…". */
function shownHeaders(headers: ReceivedRecord["headers"]): Record<string, string> {
  const entries = Object.entries(headers).map(([name, bytes]) => {
    const { as, value } = shownBytes(bytes);
    return [name, as === "base64" ? `base64:${value}` : bytes.toString()];
  });
  return Object.fromEntries(entries);
}

function bytesText({ as, value }: ShownBytes): string {
  if (as === "nothing") return "none";
  const text =
    as === "json" ? asciiControls(JSON.stringify(value, null, 2)) : printable(String(value));
  return `${as}:\n${text}`;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
