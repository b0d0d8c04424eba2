import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { down, up } from "../lib/local/servers.ts";

/** A PostgreSQL of a test's own, which it may stop and start. Disposing deletes it. */
export interface OwnPostgres extends AsyncDisposable {
  readonly url: string;
  stop(): Promise<void>;
  start(): Promise<void>;
}

export async function ownPostgres(): Promise<OwnPostgres> {
  const home = await mkdtemp(join(tmpdir(), "own-postgres-"));
  // It runs under another account where we are root, and must get there.
  await chmod(home, 0o711);
  const of = { home, only: ["postgres"] } as const;
  const start = async (port: number) => {
    const [server] = await up({ ...of, ports: { postgres: port }, dieWithParent: true });
    if (server === undefined) throw new Error("no server");
    return server.port;
  };
  const port = await start(0);
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    stop: () => down(of),
    start: async () => void (await start(port)),
    [Symbol.asyncDispose]: async () => {
      await down({ ...of, wipe: true });
      await rm(home, { recursive: true, force: true });
    },
  };
}
