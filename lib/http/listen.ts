import type { Hono } from "hono";
import type { Config } from "../config.ts";
import { PipelineError } from "../errors.ts";
import type { Log } from "../log.ts";
import { sleep } from "../sleep.ts";
import { isLoopback } from "./auth.ts";
import { createHealth, notReady, type Readiness } from "./health.ts";
import type { MetricsText } from "./metrics-routes.ts";

/** What a server answers with: a Hono app is one. */
export interface Handler {
  fetch(request: Request): Response | Promise<Response>;
}

const closeMs = 5000;

export interface Listening extends AsyncDisposable {
  readonly url: string;
  /** Answers with another handler until that is disposed. */
  serve(handler: Handler): Disposable;
}

/**
 * Refuses to be reachable from other machines without a token, unless somebody says that it is
 * protected otherwise.
 */
export function requireProtection({ host, token, auth }: Config["http"]): void {
  if (token !== "" || auth === "off" || isLoopback(host)) return;
  throw new PipelineError(
    "usage",
    `HOST=${JSON.stringify(host)}: expected a loopback address, or API_TOKEN set, or API_AUTH=off where something in front protects the service`,
  );
}

export interface Place {
  readonly host: string;
  readonly port: number;
  /** The setting that chooses the port, for the message when it is taken. */
  readonly setting: string;
}

export interface EarlyOptions {
  readonly setting: "PORT" | "CONSUMER_PORT";
  /** What is served at first: the checks and metrics alone by default. */
  readonly app?: (readiness: Readiness) => Hono;
  readonly metrics?: MetricsText;
  readonly log: Log;
}

/**
 * Listens at once, with checks and metrics, so that what a start waits for can be asked of it. What it
 * serves then is served until that is disposed; after it the same again. Refuses to be reachable from other machines without protection.
 */
export function listenEarly(
  config: Config["http"],
  { setting, app = createHealth, metrics, log }: EarlyOptions,
): Listening {
  requireProtection(config);
  const server = listen(atStart(app, { log, metrics, checks: {}, http: config }), {
    host: config.host,
    port: setting === "PORT" ? config.port : config.consumerPort,
    setting,
  });
  const { url } = server;
  const starting = log.waits.begin(theStart, "not all servers have answered yet");
  log.info({ url }, "starting");
  return {
    ...server,
    serve: (handler) => {
      const serving = server.serve(handler);
      starting.over();
      log.info({ url }, "listening");
      return {
        [Symbol.dispose]: () => {
          serving[Symbol.dispose]();
          log.waits.begin("the end", "the process is stopping");
        },
      };
    },
  };
}

/** Says of all that is not served yet what it waits for. */
function atStart(make: (readiness: Readiness) => Hono, readiness: Readiness): Hono {
  const app = make(readiness);
  app.notFound((c) => {
    const all = readiness.log.waits.now();
    const others = all.filter(({ what }) => what !== theStart);
    return notReady(c, readiness, others.length > 0 ? others : all);
  });
  return app;
}

/** What is waited for until all else is there. */
const theStart = "the start";

/** Listens until disposed, which lets running requests end. */
export function listen(handler: Handler, { host, port, setting }: Place): Listening {
  let serving = handler;
  try {
    const server = Bun.serve({
      hostname: host,
      port,
      fetch: (request) => serving.fetch(request),
      // Seconds. Streams of events say something more often than this.
      idleTimeout: 30,
      // Routes are held to less; a body on its way to none of them is cut off here.
      maxRequestBodySize: 1024 * 1024,
      // Else two processes may share a port unawares.
      reusePort: false,
    });
    return {
      url: server.url.href,
      serve: (other) => {
        serving = other;
        return {
          [Symbol.dispose]: () => {
            serving = handler;
          },
        };
      },
      [Symbol.asyncDispose]: async () => {
        // Running requests may end; one that never does must not hold up the process.
        const late = sleep(closeMs).then(() => server.stop(true));
        await Promise.race([server.stop(), late]);
      },
    };
  } catch (cause) {
    const inUse = cause instanceof Error && Reflect.get(cause, "code") === "EADDRINUSE";
    const why = inUse ? `port ${port} is in use; ${setting}=… chooses another` : "cannot listen";
    throw new PipelineError("setup", `${host}:${port}: ${why}`, inUse ? {} : { cause });
  }
}
