import type uPlot from "uplot";
import { fill, h, say, uniqueId } from "../dom.ts";
import { axisCount } from "../format.ts";

export interface Line {
  readonly name: string;
  /** A custom property: "--raw". */
  readonly color: string;
  readonly dashed?: boolean;
}

export interface PlotOptions {
  readonly title: string;
  readonly lines: readonly Line[];
  /** A value as the legend says it: with its unit. */
  readonly text: (value: number) => string;
  readonly signal: AbortSignal;
}

/** Times in seconds since 1970, then the values of each line; null where nobody could tell. */
export type PlotData = readonly [readonly number[], ...(readonly (number | null)[])[]];

export interface Plot {
  readonly element: HTMLElement;
  draw(data: PlotData, span: Span): void;
}

const height = 150;

/**
 * Lines over time. Its legend is text that says what each line is at now, or where the pointer is;
 * all plots of the page share the pointer's time.
 */
export function plot({ title, lines, text, signal }: PlotOptions): Plot {
  const values = lines.map(() => h("span", { class: "plot-value" }, "–"));
  const when = h("span", { class: "plot-when" });
  const canvas = h("div", {
    class: "plot-canvas",
    "aria-hidden": "true",
    css: { height: `${height}px` },
  });
  const id = uniqueId();
  const legend = h(
    "ul",
    { class: "plot-legend" },
    lines.map(({ name, color, dashed = false }, n) =>
      h(
        "li",
        {},
        h("span", { class: "plot-mark", "data-dashed": dashed, css: { "--c": `var(${color})` } }),
        name,
        " ",
        values[n],
      ),
    ),
  );
  const element = h(
    "figure",
    { class: "card plot", "aria-labelledby": id },
    h("figcaption", { class: "plot-head" }, h("h3", { id }, title), when),
    legend,
    canvas,
  );

  let data: PlotData = [[], ...lines.map(() => [])];
  let span = { from: Date.now() / 1000 - 3600, to: Date.now() / 1000 };
  let chart: uPlot | undefined;

  /** What the lines are at the pointer; without one, at their end. */
  const tell = () => {
    const at = chart?.cursor.idx ?? undefined;
    for (const [n, each] of values.entries()) {
      const line = data[n + 1] ?? [];
      const value = at === undefined ? newest(line) : line[at];
      say(each, typeof value === "number" ? text(value) : "–");
    }
    const time = at === undefined ? undefined : data[0][at];
    say(when, time === undefined ? "" : clockOf(span).format(time * 1000));
  };
  const make = (Chart: typeof uPlot, width: number) => {
    chart?.destroy();
    fill(canvas);
    const options = chartOptions(lines, { width, span: () => span, tell });
    chart = new Chart(options, data as uPlot.AlignedData, canvas);
  };
  // The cards are there at once; what draws in them comes after the figures.
  const draw = async () => {
    const { default: Chart } = await import("uplot");
    if (signal.aborted) return;
    watchSize(canvas, signal, (width) => {
      if (chart) chart.setSize({ width, height });
      else make(Chart, width);
    });
    // What is drawn has its colours from the scheme.
    matchMedia("(prefers-color-scheme: dark)").addEventListener(
      "change",
      () => make(Chart, canvas.clientWidth),
      { signal },
    );
  };
  draw().catch(reportError);
  signal.addEventListener("abort", () => chart?.destroy());
  return {
    element,
    draw: (given, now) => {
      data = given;
      span = now;
      chart?.setData(data as uPlot.AlignedData);
      tell();
    },
  };
}

interface Span {
  readonly from: number;
  readonly to: number;
}

const daySeconds = 86_400;
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const minute = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const dayClock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const dayMinute = new Intl.DateTimeFormat(undefined, {
  ...{ weekday: "short", hour: "2-digit", minute: "2-digit" },
});

/** With the day where a time of day is there more than once. */
function clockOf({ from, to }: Span) {
  return to - from < daySeconds ? clock : dayClock;
}

function minuteOf({ from, to }: Span) {
  return to - from < daySeconds ? minute : dayMinute;
}

interface ChartOptions {
  readonly width: number;
  readonly span: () => Span;
  readonly tell: () => void;
}

/** What stands alone makes no line: it is shown as a point. */
const points: uPlot.Series.Points = {
  ...{ show: true, size: 4, width: 0 },
  fill: (chart, line) => chart.series[line]?.stroke as string,
  filter: ({ data }, line) => {
    const values = data[line] ?? [];
    const known = (n: number) => typeof values[n] === "number";
    return Array.from(values.keys()).filter((n) => known(n) && !known(n - 1) && !known(n + 1));
  },
};

function chartOptions(lines: readonly Line[], { width, span, tell }: ChartOptions): uPlot.Options {
  const muted = colorOf("--muted");
  const grid = { stroke: colorOf("--line"), width: 1 };
  const axis = {
    stroke: muted,
    font: `11px ${getComputedStyle(document.body).fontFamily}`,
    ticks: { show: false },
  };
  return {
    ...{ width, height, legend: { show: false }, padding: [8, 8, 0, 0] },
    cursor: {
      ...{ y: false, points: { size: 7 }, drag: { x: false, y: false } },
      sync: { key: "plots" },
    },
    scales: {
      x: { time: true, range: () => [span().from, span().to] },
      y: { range: (_, __, most) => [0, Math.max(most ?? 0, 1) * 1.1] },
    },
    axes: [
      {
        ...axis,
        grid,
        space: 80,
        size: 24,
        gap: 4,
        values: (_, at) => at.map((s) => minuteOf(span()).format(s * 1000)),
      },
      { ...axis, grid, space: 32, size: 44, gap: 4, values: (_, at) => at.map(axisCount) },
    ],
    series: [
      {},
      ...lines.map(({ name, color, dashed }) => ({
        ...{ label: name, stroke: colorOf(color), width: 1.75, points },
        ...(dashed ? { dash: [5, 4] } : {}),
      })),
    ],
    hooks: { setCursor: [tell] },
  };
}

/** The last step may have no sample yet. */
function newest(line: readonly unknown[]): unknown {
  return line.slice(-3).findLast((value) => value !== null);
}

/** A canvas takes colours, not names of them: an element knows what they are in this scheme. */
function colorOf(property: string): string {
  const probe = h("span", { css: { color: `var(${property})` } });
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function watchSize(of: HTMLElement, signal: AbortSignal, hear: (width: number) => void): void {
  const watch = new ResizeObserver(([entry]) => {
    const width = Math.floor(entry?.contentRect.width ?? 0);
    if (width > 0) hear(width);
  });
  watch.observe(of);
  signal.addEventListener("abort", () => watch.disconnect());
}
