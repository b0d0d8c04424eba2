/** A place in a trace, for what comes of it: the two headers of W3C Trace Context, level 1. */
export interface TraceContext {
  /** "00-", the trace's id, that of what comes before it in the trace, and whether it is recorded. */
  readonly traceparent: string;
  /** What tracing systems on the way have added, "a=1,b=2"; null where they have not. */
  readonly tracestate: string | null;
}

/**
 * Reads the headers of a request. Undefined where there are none, or a traceparent that the
 * specification has ignored; a tracestate that it has discarded is left out. Never throws.
 */
export function parseTraceContext(given: {
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
}): TraceContext | undefined {
  const [, version, trace, parent, flags = "", more] = shape.exec(given.traceparent ?? "") ?? [];
  if (version === undefined || version === "ff") return undefined;
  // Versions to come begin with the fields of this one; this one ends with them.
  if (version === "00" && more !== "") return undefined;
  if (/^0+$/.test(trace ?? "") || /^0+$/.test(parent ?? "")) return undefined;
  const known = Number.parseInt(flags, 16) & knownFlags;
  const traceparent = `00-${trace}-${parent}-0${known}`;
  return { traceparent, tracestate: parseTraceState(given.tracestate) };
}

/** The id of its trace: 32 hexadecimal digits. */
export function traceIdOf({ traceparent }: Pick<TraceContext, "traceparent">): string {
  return traceparent.slice(3, 35);
}

/** Whether what comes before it in the trace may be recorded. */
export function isRecorded({ traceparent }: Pick<TraceContext, "traceparent">): boolean {
  return (Number.parseInt(traceparent.slice(53), 16) & 1) === 1;
}

/** Lower case only; what may follow begins with a hyphen. */
const shape = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})((?:-.*)?)$/;

/** It is recorded; its id is random. All others are sent on as 0. */
const knownFlags = 3;

/** How much of it every system sends on, and what it leaves out first. */
const [mostCharacters, longMember, mostMembers] = [512, 128, 32];

function parseTraceState(given = ""): string | null {
  const members = given
    .split(",")
    .map((each) => each.replace(/^[ \t]+|[ \t]+$/g, ""))
    .filter((each) => each !== "");
  const keys = members.map((each) => each.slice(0, each.indexOf("=")));
  const isWrong = members.length > mostMembers || new Set(keys).size < keys.length;
  if (isWrong || !members.every((each) => member.test(each))) return null;
  return bounded(members).join(",") || null;
}

const key = "[a-z0-9][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13}";
/** Printable, but no comma and no equals sign; no blank at the end. */
const value = "[\\x20-\\x2b\\x2d-\\x3c\\x3e-\\x7e]{0,255}[\\x21-\\x2b\\x2d-\\x3c\\x3e-\\x7e]";
const member = new RegExp(`^(?:${key})=(?:${value})$`);

function bounded(members: readonly string[]): readonly string[] {
  const fits = (some: readonly string[]) => some.join(",").length <= mostCharacters;
  if (fits(members)) return members;
  let kept = members.filter((each) => each.length <= longMember);
  while (!fits(kept)) kept = kept.slice(0, -1);
  return kept;
}
