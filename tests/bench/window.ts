import { readFileSync } from "node:fs";
import type { Measured } from "./figures.ts";

/** What a side that runs in a process of its own measures of itself, and how it tells. */

export interface Window {
  /** Ends it, `records` having been done in it. */
  close(records: number): Measured;
}

/** Starts to measure: after everything is open and warm. */
export function openWindow(): Window {
  const since = performance.now();
  const before = process.cpuUsage();
  return {
    close: (records) => {
      const seconds = (performance.now() - since) / 1000;
      const { user, system } = process.cpuUsage(before);
      return { records, seconds, cpuSeconds: (user + system) / 1e6, peakMb: peakMb() };
    },
  };
}

/** A signal that never aborts. Not that of the tests' users, which load all that makes users up. */
export const never = new AbortController().signal;

/** The last line that a side prints is what it measured. */
export function tell(measured: unknown): void {
  process.stdout.write(`${JSON.stringify(measured)}\n`);
}

/** The most that was ever resident, in MB. Linux only; elsewhere what is now. */
export function peakMb(pid: number | "self" = "self"): number {
  try {
    const kb = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return Number(kb) / 1024;
  } catch {
    return pid === "self" ? process.memoryUsage.rss() / 2 ** 20 : 0;
  }
}
