import type { DueAlert } from "../domain/alert.ts";
import { messageChain, PipelineError } from "../errors.ts";
import type { Log } from "../log.ts";
import { backoffMs, retry } from "../retry.ts";
import { sleep } from "../sleep.ts";
import { together } from "../together.ts";
import type { AlertReceiver } from "../webhook.ts";

/** Alerts that are kept until they are sent. */
export interface AlertQueue {
  /** The oldest that is not sent, if its time has come; no other instance gets it for so long. */
  take(leaseMs: number): Promise<DueAlert | undefined>;
  sent(alert: DueAlert): Promise<void>;
  /** It is to be tried again after so many milliseconds. */
  again(alert: DueAlert, afterMs: number): Promise<void>;
  /** Makes an alert, once, when no run has succeeded for so long; tells whether it did. */
  missed(deadlineMs: number): Promise<boolean>;
  /** Resolves when there may be one to send: told so, or after a second. */
  wait(signal: AbortSignal): Promise<void>;
}

export interface AlertOptions {
  /** No run has succeeded for longer: that is an alert too. 0: never. */
  readonly deadlineMs: number;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Longer than a receiver may take to answer, so that two instances never send the same at once. */
const leaseMs = 30_000;
/** How late a missed deadline is noticed. */
const lookMs = 1000;
const longestMs = 300_000;

/**
 * Sends alerts until the signal aborts, each until its receiver has taken it, however often that
 * takes, in their order. At least once: one whose receiver has taken it just before a crash comes
 * again, under the same id. Without a receiver there is nothing to do.
 */
export async function sendAlerts(
  queue: AlertQueue,
  receiver: AlertReceiver | undefined,
  { deadlineMs, log, signal }: AlertOptions,
): Promise<void> {
  if (!receiver) return;
  await together(signal, [
    async (signal) => {
      const waiting = { what: "an alert to send", log, signal };
      for (;;) {
        const alert = await retry(() => queue.take(leaseMs), waiting);
        if (alert) await sendOne(alert, queue, receiver, { log, signal });
        else await queue.wait(signal);
      }
    },
    async (signal) => {
      if (deadlineMs === 0) return;
      for (;;) {
        const waiting = { what: "PostgreSQL", log, signal };
        if (await retry(() => queue.missed(deadlineMs), waiting)) {
          log.error({ seconds: deadlineMs / 1000 }, "no run has succeeded for too long");
        }
        await sleep(lookMs, signal);
      }
    },
  ]);
}

async function sendOne(
  alert: DueAlert,
  queue: AlertQueue,
  receiver: AlertReceiver,
  { log, signal }: Omit<AlertOptions, "deadlineMs">,
): Promise<void> {
  const { uid, type, tries } = alert;
  const waiting = { what: "PostgreSQL", log, signal };
  try {
    await receiver.send(alert, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof PipelineError)) throw error;
    const afterMs = error.retryAfterMs ?? backoffMs(tries, { baseMs: 1000, maxMs: longestMs });
    const reason = messageChain(error).join(": ");
    log.warn({ uid, type, tries, afterMs, reason }, "alert not sent, tried again");
    await retry(() => queue.again(alert, afterMs), waiting);
    return;
  }
  await retry(() => queue.sent(alert), waiting);
  log.info({ uid, type, tries }, "alert sent");
}
