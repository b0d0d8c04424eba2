import {
  type Pipeline,
  type Station,
  type StationHealth,
  stations as stationNames,
} from "../../../domain/pipeline.ts";
import { h, mark, say } from "../dom.ts";
import { duration, rate, shortCount } from "../format.ts";

const titles = {
  source: ["API", "randomuser.me"],
  raw: ["PostgreSQL", "raw_users"],
  topic: ["Kafka", "users_created"],
  table: ["Cassandra", "created_users"],
} as const satisfies Record<Station, readonly [string, string]>;

/** The way of the data: four stations, and what waits between them. */
export interface Stations {
  readonly element: HTMLElement;
  update(pipeline: Pipeline): void;
}

export function stations(): Stations {
  const at = {
    source: station("source"),
    raw: station("raw"),
    topic: station("topic"),
    table: station("table"),
  };
  const ways = {
    raw: way("fetch", (runs) => `${runs} queued`),
    topic: way("relay", (rows) => `${rows} waiting`),
    table: way("write", (records) => `lag ${records}`),
  };
  const element = h(
    "ol",
    { class: "stations live", "aria-label": "The way of the data" },
    at.source.element,
    ...(["raw", "topic", "table"] as const).flatMap((name) => [
      ways[name].element,
      at[name].element,
    ]),
  );
  return {
    element,
    update: (now) => {
      for (const name of stationNames) {
        at[name].health(now.stations[name], now.stuck?.station === name);
        at[name].figures(figures[name](now));
      }
      ways.raw.update(now.raw?.rowsPerSecond, now.runs?.queued);
      ways.topic.update(now.topic?.recordsPerSecond, now.raw?.pending);
      ways.table.update(now.table?.recordsPerSecond, now.table?.lag);
    },
  };
}

/** What a station shows; undefined while nobody can tell. */
interface Figures {
  readonly value: number;
  readonly unit: string;
  readonly rate?: number | null;
  readonly detail: string;
  /** Where the detail leads. */
  readonly link?: string;
}

const figures: Record<Station, (now: Pipeline) => Figures | undefined> = {
  source: ({ runs }) =>
    runs
      ? {
          value: runs.running,
          unit: runs.running === 1 ? "run running" : "runs running",
          detail: `${shortCount(runs.success)} succeeded · ${shortCount(runs.failed)} failed`,
          link: "#/runs",
        }
      : undefined,
  raw: ({ raw }) => {
    if (!raw) return undefined;
    const oldest = raw.oldestPendingSeconds;
    const waits = oldest === null ? "" : ` · oldest waits ${duration(oldest)}`;
    const detail = `${shortCount(raw.rejected)} rejected${waits}`;
    return { value: raw.rows, unit: "rows", rate: raw.rowsPerSecond, detail };
  },
  topic: ({ topic }) =>
    topic
      ? {
          value: topic.records,
          unit: "records",
          rate: topic.recordsPerSecond,
          detail: `${shortCount(topic.deadLetters)} dead letters`,
          link: "#/letters",
        }
      : undefined,
  table: ({ table, consumers }) => {
    if (!table) return undefined;
    const age = table.newestRowAgeSeconds;
    const workers = consumers?.length ?? 0;
    const detail = [
      `${shortCount(workers)} ${workers === 1 ? "consumer" : "consumers"}`,
      ...(age === null ? [] : [`newest row ${duration(age)} old`]),
    ].join(" · ");
    return { value: table.consumed, unit: "written", rate: table.recordsPerSecond, detail };
  },
};

function station(name: Station) {
  const [system, place] = titles[name];
  const parts = {
    state: h("span", { class: "station-state" }),
    value: h("span", { class: "station-value" }, "–"),
    unit: h("span", { class: "muted" }),
    rate: h("span", { class: "station-rate" }),
    detail: h("a", {}),
    error: h("p", { class: "station-error" }),
  };
  const element = h(
    "li",
    { class: "station", "data-station": name },
    h("div", { class: "station-head" }, h("h2", {}, system), parts.state),
    h("p", { class: "station-place mono" }, place),
    h("p", { class: "station-figure" }, parts.value, " ", parts.unit, parts.rate),
    h("p", { class: "station-detail" }, parts.detail),
    parts.error,
  );
  return {
    element,
    figures: (told: Figures | undefined) => {
      say(parts.value, told ? shortCount(told.value) : "–");
      say(parts.unit, told?.unit ?? "not known");
      say(parts.rate, told && told.rate !== undefined ? rate(told.rate) : "");
      say(parts.detail, told?.detail ?? "");
      mark(parts.detail, "href", told?.link);
    },
    health: ({ up, lastError }: StationHealth, stuck: boolean) => {
      const state = up === false ? "down" : stuck ? "stuck" : up ? "up" : "unknown";
      mark(element, "data-state", state);
      say(parts.state, state === "unknown" ? "not asked yet" : state);
      // Of one that works again it is history: the log of its run tells it.
      say(parts.error, up === false ? (lastError?.message ?? "") : "");
    },
  };
}

function way(verb: string, words: (waiting: string) => string) {
  const text = h("span", { class: "way-waiting" });
  const element = h(
    "li",
    { class: "way" },
    h("span", { class: "way-verb" }, verb),
    h("span", { class: "way-line", "aria-hidden": "true" }),
    text,
  );
  return {
    element,
    update: (perSecond: number | null | undefined, waiting: number | undefined) => {
      mark(element, "data-flows", (perSecond ?? 0) > 0);
      mark(element, "data-waits", (waiting ?? 0) > 0);
      say(text, waiting === undefined ? "" : words(shortCount(waiting)));
    },
  };
}
