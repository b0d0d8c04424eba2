import { type Context, Hono } from "hono";
import { messageChain } from "../errors.ts";
import type { Log } from "../log.ts";
import { sleep } from "../sleep.ts";
import type { Waiting } from "../waits.ts";
import { HealthAnswer } from "./answers.ts";
import { described } from "./describe.ts";
import { guardedApp, type Protection } from "./guards.ts";
import { type MetricsText, metricsRoutes } from "./metrics-routes.ts";
import { problem } from "./problem.ts";

/** What tells how the process is, and whether it can do its work. */
export interface Readiness {
  readonly metrics?: MetricsText | undefined;
  /** Its waits are what the process waits for at this moment. */
  readonly log: Pick<Log, "waits" | "conceal">;
  /** By what is asked: rejects, with the reason, when it does not answer. */
  readonly checks: Readonly<Record<string, () => Promise<void>>>;
  /** Where a token is needed, strangers are told no reasons: they name hosts and accounts. */
  readonly http: Protection;
}

/** Shorter than the time-out of those who ask: compose.yaml allows 5 s. */
const checkMs = 2000;

/** Is the process alive, can it do its work, how is it: `/healthz`, `/readyz` and `/metrics`. */
export function healthRoutes(readiness: Readiness): Hono {
  const app = new Hono();
  const healthy = {
    answers: { 200: ["It is", HealthAnswer] },
    open: true,
    tag: "service",
  } as const;
  app.get("/healthz", described({ ...healthy, summary: "Is the process alive?" }), (c) =>
    c.json({ status: "ok" }),
  );
  const ready = described({
    ...healthy,
    summary: "Can it do its work?",
    problems: { 503: "No: what it waits for, since when and why" },
  });
  app.get("/readyz", ready, async (c) => {
    const found = await waitedFor(readiness);
    return found.length === 0 ? c.json({ status: "ok" }) : notReady(c, readiness, found);
  });
  if (readiness.metrics) app.route("/", metricsRoutes(readiness.metrics));
  return app;
}

/** Says what the process waits for. */
export function notReady(
  c: Context,
  { log, http }: Readiness,
  found: readonly Waiting[],
): Response {
  const waitingFor = found.map(({ what, reason, since }) => ({
    // "Kafka at b:9092" names its host.
    what: http.token === "" ? what : what.replace(/ at .*$/, ""),
    since: since.toISOString(),
    ...(http.token === "" ? { reason: log.conceal(reason) } : {}),
  }));
  const detail = `waiting for ${waitingFor.map(({ what }) => what).join("; ")}`;
  return problem(c, { status: 503, title: "Not ready", detail, waitingFor });
}

/** The whole of a port where nothing but the checks and the metrics is served. */
export function createHealth(readiness: Readiness): Hono {
  const app = guardedApp(readiness.http);
  app.route("/", healthRoutes(readiness));
  app.notFound((c) => problem(c, { status: 404, title: "No such page", detail: c.req.path }));
  return app;
}

async function waitedFor({ log, checks }: Readiness): Promise<readonly Waiting[]> {
  const waiting = log.waits.now();
  const checked = await Promise.all(
    Object.entries(checks)
      .filter(([what]) => !waiting.some((wait) => wait.what === what))
      .map(async ([what, check]) => {
        const since = new Date();
        const reason = await failure(check);
        return reason === undefined ? [] : [{ what, reason, since }];
      }),
  );
  return [...waiting, ...checked.flat()];
}

async function failure(check: () => Promise<void>): Promise<string | undefined> {
  const done = new AbortController();
  const late = sleep(checkMs, done.signal).then(
    () => `no answer within ${checkMs / 1000} s`,
    () => undefined,
  );
  try {
    return await Promise.race([late, check().then(() => undefined)]);
  } catch (error) {
    return messageChain(error).join(": ");
  } finally {
    done.abort();
  }
}
