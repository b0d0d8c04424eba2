import type { Config } from "../config.ts";
import { PipelineError } from "../errors.ts";
import { sleep } from "../sleep.ts";
import { isLoopback } from "./auth.ts";

/** What a server answers with: a Hono app is one. */
export interface Handler {
  fetch(request: Request): Response | Promise<Response>;
}

const closeMs = 5000;

export interface Listening extends AsyncDisposable {
  readonly url: string;
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

/** Listens until disposed, which lets running requests end. `setting` names the port's setting. */
export function listen(
  handler: Handler,
  {
    host,
    port,
    setting,
  }: { readonly host: string; readonly port: number; readonly setting: string },
): Listening {
  try {
    // Streams of events stay silent for longer than the default of 10 s.
    const server = Bun.serve({
      hostname: host,
      port,
      fetch: (r) => handler.fetch(r),
      idleTimeout: 120,
      // Else two processes may share a port unawares.
      reusePort: false,
    });
    return {
      url: server.url.href,
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
