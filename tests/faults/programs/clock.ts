/*
 * Preloaded into a process, this sets its clock wrong by CLOCK_SHIFT_SECONDS, as far as JavaScript
 * tells the time: the Kafka client, in C, has a clock of its own. Clocks that only measure are left
 * alone, as they are where a machine's clock is wrong.
 */
const shiftMs = 1000 * Number(process.env.CLOCK_SHIFT_SECONDS ?? 0);
const TrueDate = Date;

globalThis.Date = class extends TrueDate {
  constructor(...given: readonly unknown[]) {
    const args = given.length === 0 ? [TrueDate.now() + shiftMs] : given;
    super(...(args as [number]));
  }
  static override now(): number {
    return TrueDate.now() + shiftMs;
  }
} as DateConstructor;
