import type { History } from "../../../domain/history.ts";
import { ApiError, ask, isTrouble } from "../api.ts";
import { asked } from "../asked.ts";
import { h } from "../dom.ts";
import { count, duration, rate } from "../format.ts";
import { choices } from "../parts.ts";
import { setQuery, type ViewContext } from "../router.ts";
import { type PlotData, plot } from "./plot.ts";
import { merged } from "./steps.ts";

const spans = [
  ["15m", "15 min", 900],
  ["1h", "1 h", 3600],
  ["6h", "6 h", 21_600],
  ["24h", "24 h", 86_400],
  ["7d", "7 d", 604_800],
] as const;
const usual = "15m";
type Span = (typeof spans)[number][0];

/** How everything stood until now, brought up to date as samples are taken. */
export function plots({ live, signal, query }: ViewContext): HTMLElement {
  const all = everyPlot(signal);
  const grid = h(
    "div",
    { class: "plots live" },
    all.map(({ element }) => element),
  );
  let span: Span = spans.find(([name]) => name === query.get("span"))?.[0] ?? usual;
  let history: History | undefined;

  const secondsOf = () => spans.find(([name]) => name === span)?.[2] ?? 900;
  const show = (now: History) => {
    history = now;
    const to = Date.now() / 1000;
    for (const { draw, of } of all) draw([now.at, ...of(now)], { from: to - secondsOf(), to });
    return grid;
  };
  const place = asked<History>({
    what: "the plots",
    ask: () => ask(path(Date.now() / 1000 - secondsOf()), { signal }),
    show,
    height: "27rem",
    live,
    signal,
  });
  const goOn = async () => {
    const before = history;
    const last = before?.at.at(-2);
    if (!before || last === undefined) return place.again();
    const more = await ask<History>(path(last, before.stepSeconds), { signal });
    // Of another span by now: that is asked for already.
    if (signal.aborted || history !== before) return;
    show(merged(before, more, Date.now() / 1000 - secondsOf()));
  };
  const anew = every(() => Math.max(5, history?.stepSeconds ?? 5) * 1000, goOn, signal);
  const choose = (chosen: Span) => {
    span = chosen;
    history = undefined;
    setQuery({ span: chosen === usual ? null : chosen });
    place.again().catch(reportError);
    anew();
  };
  return h(
    "section",
    { "aria-labelledby": "over-time" },
    h(
      "div",
      { class: "card-head" },
      h("h2", { id: "over-time" }, "Over time"),
      choices(
        "Span of the plots",
        spans.map(([name, text]) => [name, text] as const),
        span,
        choose,
      ),
    ),
    place.element,
  );
}

function everyPlot(signal: AbortSignal) {
  const stations = [
    { name: "received", color: "--raw" },
    { name: "published", color: "--topic" },
    { name: "written", color: "--table" },
  ];
  const spread = [
    { name: "p50", color: "--raw" },
    { name: "p99", color: "--topic", dashed: true },
  ];
  const waits = [
    { name: "for the topic", color: "--topic" },
    { name: "for the table", color: "--table" },
  ];
  const ms = (value: number) => duration(value / 1000);
  const made = (
    title: string,
    lines: readonly { name: string; color: string; dashed?: boolean }[],
    text: (value: number) => string,
    of: (now: History) => PlotData extends readonly [unknown, ...infer Lines] ? Lines : never,
  ) => ({ ...plot({ title, lines, text, signal }), of });
  return [
    made("Rows per second", stations, rate, ({ rowsPerSecond: { raw, topic, table } }) => [
      raw,
      topic,
      table,
    ]),
    made("Waiting", waits, count, ({ pending, lag }) => [pending, lag]),
    made("Rows in a batch", spread, count, ({ batchRows: { p50, p99 } }) => [p50, p99]),
    made("Time to write a batch", spread, ms, ({ writeMs: { p50, p99 } }) => [p50, p99]),
    made("From received to in the table", spread, ms, ({ endToEndMs: { p50, p99 } }) => [p50, p99]),
  ];
}

function path(from: number, step?: number): string {
  const at = new Date(from * 1000).toISOString();
  return `/api/history?from=${at}${step === undefined ? "" : `&step=${step}`}`;
}

/**
 * Again and again while somebody looks. The frame says when the service is gone: here it is tried
 * again. What it gives begins the time to the next one anew.
 */
function every(ms: () => number, work: () => Promise<void>, signal: AbortSignal): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const turn = async () => {
    try {
      if (document.visibilityState === "visible") await work();
    } catch (error) {
      if (!(error instanceof ApiError) && isTrouble(error, signal)) reportError(error);
    }
    if (!signal.aborted) next();
  };
  const next = () => {
    clearTimeout(timer);
    timer = setTimeout(() => void turn(), ms());
  };
  signal.addEventListener("abort", () => clearTimeout(timer));
  next();
  return next;
}
