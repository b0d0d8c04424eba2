import type { Log } from "../log.ts";
import { watchEventLoop } from "./event-loop.ts";
import type { Figures } from "./registry.ts";

export interface ProcessOptions {
  readonly log: Pick<Log, "waits">;
  readonly now: () => Date;
}

/**
 * What every process tells of itself: those that have one, under the names that all of Prometheus'
 * clients use. Until disposed.
 */
export async function addProcessFigures(
  figures: Figures,
  { log, now }: ProcessOptions,
): Promise<Disposable> {
  const version = await versionOf();
  const build = { version, bun: Bun.version };
  figures.info("pipeline_build_info", "Which version runs, and on which Bun; always 1", build);
  const started = (now().getTime() - process.uptime() * 1000) / 1000;
  figures.gauge(
    "process_start_time_seconds",
    "When the process started, in seconds since 1970",
    () => started,
  );
  figures.counter("process_cpu_seconds_total", "CPU time used, of user and system", {
    read: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  });
  figures.gauge("process_resident_memory_bytes", "Memory that the process occupies", () =>
    process.memoryUsage.rss(),
  );
  figures.gauge(
    "process_heap_bytes",
    "Memory of that which JavaScript's values occupy",
    () => process.memoryUsage().heapUsed,
  );
  addWaits(figures, { log, now });
  const delay = figures.histogram(
    "pipeline_event_loop_delay_seconds",
    "How late a timer of 100 ms rings: so long the process was busy with something else",
    { buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5] },
  );
  return watchEventLoop((ms) => delay.observe(ms / 1000));
}

function addWaits(figures: Figures, { log, now }: ProcessOptions): void {
  figures.counter(
    "pipeline_retries_total",
    "Failures that were waited out: what failed was tried again",
    { read: log.waits.failures },
  );
  figures.gauge(
    "pipeline_waiting_seconds",
    "How long the process has waited for something that is down; 0 while it waits for nothing",
    () => {
      const since = log.waits.now().map((wait) => now().getTime() - wait.since.getTime());
      return Math.max(0, ...since) / 1000;
    },
  );
}

/** As package.json says it. */
async function versionOf(): Promise<string> {
  const file = Bun.file(new URL("../../package.json", import.meta.url));
  const { version } = (await file.json()) as { readonly version: string };
  return version;
}
