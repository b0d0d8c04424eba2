import { createHmac } from "node:crypto";
import { type Alert, alertBody } from "./domain/alert.ts";
import { PipelineError } from "./errors.ts";

export interface WebhookConfig {
  /** Empty: there is no receiver. */
  readonly url: string;
  /** Signs what is sent; nothing is signed when it is empty. */
  readonly secret: string;
}

/** Where alerts go. */
export interface AlertReceiver {
  /** Resolves when the receiver has taken it. */
  send(alert: Alert, signal: AbortSignal): Promise<void>;
}

/** For the whole call. */
const timeoutMs = 10_000;

/**
 * Sends alerts by HTTP as Standard Webhooks (standardwebhooks.com) say: with headers `webhook-id`,
 * `webhook-timestamp` and `webhook-signature`. Taken is what is answered with 2xx; anything else
 * rejects with `unavailable` or `timeout`, and no message names more of the address than its host:
 * the rest is often a secret.
 */
export function createWebhook(
  { url, secret }: WebhookConfig,
  now = () => new Date(),
): AlertReceiver | undefined {
  if (url === "") return undefined;
  const { origin } = new URL(url);
  return {
    async send(alert: Alert, signal: AbortSignal): Promise<void> {
      const body = alertBody(alert);
      const seconds = Math.floor(now().getTime() / 1000);
      const headers = {
        "content-type": "application/json",
        ...signed(alert.uid, seconds, body, secret),
      };
      const either = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      const request = { method: "POST", headers, body, redirect: "error", signal: either } as const;
      const status = await answered(url, request).catch((cause) => {
        signal.throwIfAborted();
        const late = either.aborted;
        const what = late ? `did not answer within ${timeoutMs / 1000} s` : "could not be reached";
        throw new PipelineError(late ? "timeout" : "unavailable", `${origin} ${what}`, {
          cause: late ? undefined : codeOf(cause),
        });
      });
      if (status < 200 || status > 299) {
        throw new PipelineError("unavailable", `${origin} answered ${status}`);
      }
    },
  };
}

/** The headers of a message: the key is what comes after `whsec_`, in base64, or the text itself. */
export function signed(id: string, seconds: number, body: string, secret: string) {
  const headers = { "webhook-id": id, "webhook-timestamp": String(seconds) };
  if (secret === "") return headers;
  const key = secret.startsWith("whsec_") ? Buffer.from(secret.slice(6), "base64") : secret;
  const hash = createHmac("sha256", key).update(`${id}.${seconds}.${body}`).digest("base64");
  return { ...headers, "webhook-signature": `v1,${hash}` };
}

/** The status; what the receiver says beside it is of no interest. */
async function answered(url: string, request: RequestInit): Promise<number> {
  const response = await fetch(url, request);
  await response.body?.cancel();
  return response.status;
}

/** What Bun's fetch says went wrong, without the address. */
function codeOf(cause: unknown): unknown {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "no answer";
  return new Error(code);
}
