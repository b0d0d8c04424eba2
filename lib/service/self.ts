import { hostname } from "node:os";

/** This process as others see it: a name that no other has had, and what it holds in memory. */
export function self(): { readonly worker: string; readonly memory: () => number } {
  const worker = `${hostname()}-${process.pid}-${crypto.randomUUID().slice(0, 8)}`;
  return { worker, memory: () => process.memoryUsage.rss() };
}
