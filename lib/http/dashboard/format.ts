/* Numbers and times as the reader writes them; units are symbols, which need no language. */

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const oneDigit = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const twoDigits = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 2 });
const fine = new Intl.NumberFormat(undefined, { maximumFractionDigits: 3 });
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });

/** "12,345" */
export function count(value: number): string {
  return whole.format(value);
}

/** "12,345" as long as it is short, then "12.3M": for places that cannot grow. */
export function shortCount(value: number): string {
  return value < 1e7 ? whole.format(value) : short.format(value);
}

/** "1.2K": for the axes of plots. */
export function axisCount(value: number): string {
  return value < 1000 ? fine.format(value) : short.format(value);
}

/** "1,250/s", "0.4/s"; "–" while it is not known. */
export function rate(perSecond: number | null | undefined): string {
  if (perSecond === null || perSecond === undefined) return "–";
  return `${perSecond < 10 ? oneDigit.format(perSecond) : whole.format(perSecond)}/s`;
}

/** "0.8 ms", "850 ms", "4.2 s", "3 min 20 s", "2 h 5 min", "3 d 4 h"; "–" while it is not known. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 0.9995) return `${milliseconds(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${oneDigit.format(seconds)} s`;
  if (seconds < 59.5) return `${whole.format(seconds)} s`;
  const units = [
    [86_400, "d", 3600, "h"],
    [3600, "h", 60, "min"],
    [60, "min", 1, "s"],
  ] as const;
  for (const [large, name, small, smallName] of units) {
    const smalls = Math.round(seconds / small);
    const perLarge = large / small;
    if (smalls < perLarge) continue;
    const rest = smalls % perLarge;
    return `${whole.format(Math.floor(smalls / perLarge))} ${name}${rest ? ` ${rest} ${smallName}` : ""}`;
  }
  return `${whole.format(seconds)} s`;
}

/** "12 ms" without its unit: two digits below ten. */
export function milliseconds(ms: number): string {
  return ms < 10 ? twoDigits.format(ms) : whole.format(ms);
}

/** "1.4 MB" */
export function bytes(value: number): string {
  if (value < 1000) return `${whole.format(value)} B`;
  if (value < 1e6) return `${oneDigit.format(value / 1000)} kB`;
  return `${oneDigit.format(value / 1e6)} MB`;
}

/** "99.9%": never 100% before all of it is done. */
export function percent(part: number): string {
  const floored = Math.floor(Math.min(1, Math.max(0, part)) * 1000) / 10;
  return `${oneDigit.format(floored)}%`;
}

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const dayAndClock = new Intl.DateTimeFormat(undefined, {
  dateStyle: "medium",
  timeStyle: "medium",
});
const minute = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const dayAndMinute = new Intl.DateTimeFormat(undefined, {
  dateStyle: "medium",
  timeStyle: "short",
});

/** In the reader's zone: the time alone on the day of `now`, with the day else. */
export function moment(iso: string, now = new Date()): string {
  const at = new Date(iso);
  return at.toDateString() === now.toDateString() ? clock.format(at) : dayAndClock.format(at);
}

/** The same without seconds. */
export function shortMoment(iso: string, now = new Date()): string {
  const at = new Date(iso);
  return at.toDateString() === now.toDateString() ? minute.format(at) : dayAndMinute.format(at);
}

/** "2026-01-31 12:00:05 UTC": the time as the pipeline counts it, shown on hover. */
export function utc(iso: string): string {
  return `${new Date(iso).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** "just now", "12 s ago", "in 5 min" */
export function ago(iso: string, now = Date.now()): string {
  const seconds = (now - Date.parse(iso)) / 1000;
  if (Math.abs(seconds) < 1) return "just now";
  const text = coarse(Math.abs(seconds));
  return seconds < 0 ? `in ${text}` : `${text} ago`;
}

/** One unit is enough to tell how long ago something was. */
function coarse(seconds: number): string {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}
