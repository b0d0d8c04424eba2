import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { PipelineError } from "../errors.ts";
import type { Place } from "./server.ts";

/** The system account that PostgreSQL runs under when we are root, which it refuses to run as. */
const accountName = "users-pipeline";

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** The account for what must not run as root; made where it does not exist yet. */
export async function systemAccount(): Promise<Account> {
  const account = await readAccount();
  if (account) return account;
  const made = Bun.spawnSync([
    ...["useradd", "--system", "--user-group", "--no-create-home"],
    ...["--shell", "/usr/sbin/nologin", accountName],
  ]);
  const fresh = await readAccount();
  if (fresh) return fresh;
  throw new PipelineError(
    "setup",
    `PostgreSQL does not run as root, and no account "${accountName}" could be made for it ` +
      `(${made.stderr.toString().trim()}). Run this as another user`,
  );
}

/** The start of a command line that drops root, or nothing when `account` is undefined. */
export function runAs(account: Account | undefined): readonly string[] {
  if (account === undefined) return [];
  const { uid, gid } = account;
  return [setpriv(), `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--"];
}

/** The start of a command line that sends `signal` to it when our process ends, or nothing. */
export function endsWithParent(
  { dieWithParent }: Pick<Place, "dieWithParent">,
  signal: "KILL" | "INT",
): readonly string[] {
  if (!dieWithParent || process.platform !== "linux") return [];
  return [setpriv(), `--pdeathsig=${signal}`, "--"];
}

/** True when every folder from / down to `dir`, as far as they exist, lets other accounts pass. */
export async function isReachable(dir: string): Promise<boolean> {
  for (let at = dir; ; at = dirname(at)) {
    const mode = await stat(at).then(
      (found) => found.mode,
      () => 0o001,
    );
    if ((mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

function setpriv(): string {
  const found = Bun.which("setpriv");
  if (found) return found;
  throw new PipelineError("setup", "setpriv is missing; it comes with util-linux");
}

async function readAccount(): Promise<Account | undefined> {
  const text = await Bun.file("/etc/passwd")
    .text()
    .catch(() => "");
  const line = text.split("\n").find((each) => each.startsWith(`${accountName}:`));
  const [, , uid, gid] = line?.split(":") ?? [];
  return uid && gid ? { uid: Number(uid), gid: Number(gid) } : undefined;
}
