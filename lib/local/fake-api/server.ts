import { messageChain, PipelineError } from "../../errors.ts";
import { createFakeApi, type FakeApiOptions } from "./handler.ts";

export interface FakeApiServerOptions extends FakeApiOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** 127.0.0.1 by default: for this machine alone. */
  readonly hostname?: string;
}

export interface FakeApiServer extends AsyncDisposable {
  /** What `SOURCE_URL` must be. */
  readonly url: string;
  readonly port: number;
}

/**
 * Serves the stand-in of randomuser.me over HTTP. Closing it closes all connections at once, also
 * those that hang. Throws `setup` when the port is taken or not allowed.
 */
export function startFakeApi({
  port = 0,
  hostname = "127.0.0.1",
  ...options
}: FakeApiServerOptions = {}): FakeApiServer {
  const server = serve({
    port,
    hostname,
    // Seconds; the most that Bun takes: a request that hangs is to hang.
    idleTimeout: 255,
    development: false,
    // Bun's default outside development is true: two servers would share a port unawares.
    reusePort: false,
    fetch: createFakeApi(options),
  });
  return {
    url: new URL("/api/1.4/", server.url).href,
    port: server.port ?? port,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

function serve(options: Parameters<typeof Bun.serve>[0] & { port: number }) {
  try {
    return Bun.serve(options);
  } catch (cause) {
    const taken = messageChain(cause).some((message) => /EADDRINUSE|in use/i.test(message));
    throw new PipelineError(
      "setup",
      taken
        ? `port ${options.port} is in use: take another one with --port, or end what listens there`
        : `cannot listen on port ${options.port}`,
      { cause },
    );
  }
}
