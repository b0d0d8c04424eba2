/**
 * Shows how far a long work has come: one line rewritten on a terminal, else a line every ten
 * seconds.
 */
export interface Progress extends Disposable {
  /** So much is done; `note` stands at the end of the line. */
  show(done: number, note?: string): void;
  /** How many there are in all, or about how many, as far as known by now. */
  expect(total: number, how?: "about"): void;
  /** How often it is worth asking how far it is, in milliseconds; undefined where nobody looks. */
  readonly lookMs: number | undefined;
}

/** What it is shown on. */
export interface Screen {
  /** A line can be written over. */
  readonly isTerminal: boolean;
  readonly colours: boolean;
  /** Nobody wants to see it. */
  readonly quiet: boolean;
}

export interface ProgressOptions {
  readonly label: string;
  /** What is counted: "users". */
  readonly unit: string;
  /** How many there are in all, where that is known. */
  readonly total?: number;
  /** Not where it would be a line among those of a log, for ever. */
  readonly onTerminalOnly?: boolean;
  readonly screen: Screen;
  readonly write?: (text: string) => void;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}

/** Short work shows nothing. */
const quietMs = 2000;
const terminalMs = 200;
const pipedMs = 10_000;
/** A rate is that of so long: it tells how it goes now, not how it went at first. */
const rateMs = 10_000;
const barWidth = 24;

/** The screen of a process; with `NO_COLOR` set to anything it has no colours. */
export function screenOf(
  env: Readonly<Record<string, string | undefined>>,
  { isTTY, quiet }: { readonly isTTY: boolean; readonly quiet: boolean },
): Screen {
  const isTerminal = isTTY && env.TERM !== "dumb";
  return { isTerminal, colours: isTerminal && !env.NO_COLOR, quiet };
}

export function createProgress({
  label,
  unit,
  onTerminalOnly = false,
  screen,
  write = (text) => void process.stderr.write(text),
  now = () => performance.now(),
  ...options
}: ProgressOptions): Progress {
  const { isTerminal, colours, quiet } = screen;
  const wanted = !quiet && (isTerminal || !onTerminalOnly);
  const everyMs = isTerminal ? terminalMs : pipedMs;
  const since = now();
  const rate = createRate(since);
  let { total } = options;
  let isAbout = false;
  let shownAt = since + quietMs - everyMs;
  let open = false;
  return {
    lookMs: wanted ? (isTerminal ? 1000 : pipedMs) : undefined,
    expect: (all, how) => {
      total = all;
      isAbout = how === "about";
    },
    show: (done, note) => {
      const at = now();
      if (!wanted || at - shownAt < everyMs) return;
      shownAt = at;
      const perSecond = rate.of(at, done);
      const line = progressLine({ label, unit, done, total, isAbout, perSecond, note, colours });
      write(isTerminal ? `${rewrite}${line}` : `${line}\n`);
      open = isTerminal;
      stands = isTerminal;
    },
    [Symbol.dispose]: () => {
      if (open) write(rewrite);
      stands = false;
    },
  };
}

/** Back to the begin of the line, and what is there away. */
const rewrite = "\r\x1b[K";

/** Whether a line of progress stands on the terminal, of which a process has one. */
let stands = false;

/** What takes away the line of progress that stands where another line is to begin; it comes again. */
export function overProgress(): string {
  const text = stands ? rewrite : "";
  stands = false;
  return text;
}

/** The rate of the last seconds; anew where the count begins anew, as with another step of work. */
function createRate(since: number) {
  let samples = [{ at: since, done: 0 }];
  return {
    of: (at: number, done: number): number | undefined => {
      if (done < (samples.at(-1)?.done ?? 0)) samples = [];
      samples.push({ at, done });
      while ((samples[1]?.at ?? at) <= at - rateMs) samples.shift();
      const [first] = samples;
      const seconds = (at - (first?.at ?? at)) / 1000;
      return seconds > 0 ? (done - (first?.done ?? 0)) / seconds : undefined;
    },
  };
}

interface Standing {
  readonly label: string;
  readonly unit: string;
  readonly done: number;
  readonly total?: number | undefined;
  readonly isAbout?: boolean;
  readonly perSecond?: number | undefined;
  readonly note?: string | undefined;
  readonly colours?: boolean;
}

/** "ingest [#####.....] 12,000 of 20,000 users, 4,100/s, 2 s left" */
export function progressLine(standing: Standing): string {
  const { label, unit, done, total, isAbout, perSecond, note, colours = false } = standing;
  const all = total === undefined ? "" : ` of ${isAbout ? "about " : ""}${count(total)}`;
  const parts = [`${count(done)}${all} ${unit}`];
  if (perSecond !== undefined) parts.push(`${count(Math.round(perSecond))}/s`);
  if (total !== undefined && perSecond) {
    parts.push(`${duration(Math.max(0, Math.ceil((total - done) / perSecond)))} left`);
  }
  if (note) parts.push(note);
  const filled = total ? Math.round((barWidth * Math.min(done, total)) / total) : 0;
  const [full, rest] = ["#".repeat(filled), ".".repeat(barWidth - filled)];
  const bar = colours ? `${green}${full}${dim}${rest}${plain}` : `${full}${rest}`;
  return `${label}${total ? ` [${bar}]` : ""} ${parts.join(", ")}`;
}

const [green, dim, plain] = ["\x1b[32m", "\x1b[0m\x1b[2m", "\x1b[0m"];

function count(number: number): string {
  return number.toLocaleString("en");
}

/** "12 s", "3 min 5 s", "2 h 10 min" */
function duration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes === 0) return `${seconds} s`;
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${count(Math.floor(minutes / 60))} h ${minutes % 60} min`;
}
