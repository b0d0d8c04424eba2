/** A server's address that refuses connections until it is opened: for servers that come later. */
export interface Proxy extends AsyncDisposable {
  /** "127.0.0.1:port", on a port of its own. */
  readonly address: string;
  /** From now on connections go to the server. */
  open(): void;
}

export async function openProxy(target: string): Promise<Proxy> {
  const port = await refusedPort();
  const [hostname = "", targetPort = ""] = target.split(":");
  let server: { stop(closeAll?: boolean): void } | undefined;
  return {
    address: `127.0.0.1:${port}`,
    open: () => {
      server = Bun.listen<Passing>({
        hostname: "127.0.0.1",
        port,
        socket: {
          open: (near) => {
            near.data = { waiting: [] };
            void pass(near, hostname, Number(targetPort));
          },
          data: (near, bytes) => {
            if (near.data.far) near.data.far.write(bytes);
            else near.data.waiting.push(bytes);
          },
          close: (near) => void near.data.far?.end(),
        },
      });
    },
    [Symbol.asyncDispose]: async () => server?.stop(true),
  };
}

interface Passing {
  far?: { write(bytes: Uint8Array): number; end(): void };
  readonly waiting: Uint8Array[];
}

async function pass(
  near: { data: Passing; write(bytes: Uint8Array): number; end(): void },
  hostname: string,
  port: number,
) {
  try {
    const far = await Bun.connect({
      hostname,
      port,
      socket: {
        data: (_, bytes) => void near.write(bytes),
        close: () => near.end(),
      },
    });
    for (const bytes of near.data.waiting) far.write(bytes);
    near.data.far = far;
  } catch {
    near.end();
  }
}

/** A port where nothing listens. */
export async function refusedPort(): Promise<number> {
  const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
  taken.stop(true);
  return taken.port;
}
