import type { Letter, TopicRecord, UserTrace, Way, WayState } from "./domain/user-way.ts";
import { printable } from "./printable.ts";

/** A user's way for people: what stands now, then each time that it was received. */
export function traceText(trace: UserTrace): string {
  const { id, state, received, others, otherLetters, table } = trace;
  const parts = [
    `user ${id}: ${states[state]}`,
    fact("table", table ? `write time ${table.writeTime}, version ${table.version}` : "no row"),
    ...received.flatMap(wayLines),
    ...(others.length + otherLetters.length > 0
      ? ["", "of another producer, or of rows not kept"]
      : []),
    ...others.map((record) => fact("topic", recordText(record))),
    ...otherLetters.map((letter) => fact("dead letter", letterText(letter))),
  ];
  return `${parts.map((part) => printable(part)).join("\n")}\n`;
}

const states: Readonly<Record<WayState | "foreign", string>> = {
  rejected: "rejected before the topic",
  waiting: "waits in the outbox for the topic",
  onTopic: "on the topic, not consumed",
  deadLetter: "a dead letter, not in the table",
  purged: "was a dead letter, which was purged",
  inTable: "in the table",
  superseded: "replaced in the table by a newer state",
  missing: "MISSING: not waiting, not on the topic any more, no dead letter, not in the table",
  foreign: "not received here, but known further on",
};

function wayLines(way: Way): readonly string[] {
  const { raw, receivedAt, version, page, position, rejection, records, letter } = way;
  return [
    "",
    `received ${receivedAt}: ${states[way.state]}`,
    fact("run", runText(way)),
    ...(way.traceId === null ? [] : [fact("trace", way.traceId)]),
    fact("raw row", `${raw}, page ${page}, position ${position}, version ${version}`),
    ...(rejection ? [fact("rejected", rejectionText(rejection))] : []),
    ...(way.waiting ? [fact("outbox", "waits")] : []),
    ...records.map((record) => fact("topic", recordText(record))),
    ...(records.length > 0 || rejection ? [] : [fact("topic", "no record found")]),
    ...(letter ? [fact("dead letter", letterText(letter))] : []),
  ];
}

function runText({ run, trigger, runState, attempt }: Way): string {
  if (trigger === null) return `${run}, not kept any more`;
  const by = attempt === null ? "" : `, attempt ${attempt}`;
  return `${run}, ${trigger}${by}, ${runState}`;
}

function rejectionText({ stage, path, reason, at, purged }: NonNullable<Way["rejection"]>) {
  const where = path === "" ? "" : ` at ${path}`;
  return `${at}, stage ${stage}${where}: ${reason}${purged ? " (purged)" : ""}`;
}

function recordText({ partition, offset, at, consumed, replayed, traceId }: TopicRecord): string {
  const notes = [consumed ? "consumed" : "not consumed", ...(replayed ? ["sent again"] : [])];
  return `partition ${partition}, offset ${offset}, ${at}, ${[...notes, `trace ${traceId ?? "none"}`].join(", ")}`;
}

function letterText({ id, state, at, stage, reason, attempts }: Letter): string {
  const times = attempts === 1 ? "attempt 1" : `attempts ${attempts}`;
  const why = reason === null ? "" : `: ${reason}`;
  return (
    [id, state, ...(at ? [at] : []), ...(stage ? [`stage ${stage}`] : []), times].join(", ") + why
  );
}

function fact(name: string, text: string): string {
  return `  ${name.padEnd(12)}${text}`;
}
