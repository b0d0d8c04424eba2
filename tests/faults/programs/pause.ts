import type { Option } from "../../../lib/run.ts";

export const pauseOptions = {
  point: { type: "string", value: "NAME", about: "the crash point to pause at" },
  time: { type: "string", value: "N", about: "the how manieth time it is passed (1)" },
} as const satisfies Record<string, Option>;

/**
 * The process at one of its crash points: the first time there it says so, "at NAME", and stands
 * still, until it is continued after having been stopped, or told to end. Being killed there is what
 * it is for. Other loops of the process go on, as they would at that moment.
 */
export function createPause(
  { point, time = "1" }: { readonly point?: string; readonly time?: string },
  signal: AbortSignal,
): (at: string) => Promise<void> {
  let passed = 0;
  return async (at) => {
    if (at !== point) return;
    passed += 1;
    if (passed !== Number(time) || signal.aborted) return;
    const continued = new Promise<void>((resolve) => {
      process.once("SIGCONT", () => resolve());
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    // Only now: who reads this may stop and continue the process at once.
    process.stdout.write(`at ${point}\n`);
    await continued;
  };
}
