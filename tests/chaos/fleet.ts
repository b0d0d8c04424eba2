import { appendFileSync, closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { endsWithParent } from "../../lib/local/privileges.ts";
import { sleep } from "../../lib/sleep.ts";
import type { Settings } from "../scripts.ts";

/** The project's services as processes that are started again when they end. */

export type Service = "ingest" | "consume";

/** One place where a service runs, as one process after another. */
export interface Member {
  readonly service: Service;
  /** "consume-2": also the name of its log. */
  readonly name: string;
  /** Undefined between two processes. */
  pid(): number | undefined;
  /** Kills or freezes the process of now; SIGTERM resolves when it has ended. */
  signal(signal: "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT"): Promise<void>;
  /** Ends it for good: well, or by SIGKILL. */
  retire(by?: "SIGTERM" | "SIGKILL"): Promise<void>;
}

/** Disposing kills what still runs. */
export interface Fleet extends AsyncDisposable {
  /** Starts a service in a place of its own. */
  add(service: Service, settings: Settings): Member;
  /** Those that are not retired. */
  members(service: Service): readonly Member[];
  /** The most memory that any process of a service has held, in MB. */
  peakMb(): Promise<Readonly<Record<Service, number>>>;
  /** Processes that ended as nobody had asked them to: each is a fault of theirs. */
  readonly wrongEnds: readonly string[];
  /** Times that a process was started again. */
  readonly restarts: number;
}

const scripts = resolve(import.meta.dir, "../../scripts");
/** As long as a supervisor waits before it starts a process again. */
const restartMs = 1000;
/** A process that is younger may not hear signals yet: Bun is loading its modules. */
const deafMs = 5000;

export function openFleet(logDir: string): Fleet {
  const members: Member[] = [];
  const wrongEnds: string[] = [];
  const peaks = { ingest: 0, consume: 0 };
  let restarts = 0;
  const note = {
    wrongEnd: (text: string) => wrongEnds.push(text),
    restarted: () => {
      restarts += 1;
    },
  };
  const current = () => members.map((member) => ({ ...member, pid: member.pid() }));
  return {
    wrongEnds,
    get restarts() {
      return restarts;
    },
    add: (service, settings) => {
      const name = `${service}-${members.filter((each) => each.service === service).length + 1}`;
      const place = { service, name, settings, logFile: join(logDir, `${name}.log`) };
      const member = supervise(place, note, () => void members.splice(members.indexOf(member), 1));
      members.push(member);
      return member;
    },
    members: (service) => members.filter((member) => member.service === service),
    peakMb: async () => {
      for (const { service, pid } of current()) {
        if (pid) peaks[service] = Math.max(peaks[service], await residentMb(pid));
      }
      return { ...peaks };
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...members].map((member) => member.retire("SIGKILL")));
    },
  };
}

interface Place {
  readonly service: Service;
  readonly name: string;
  readonly settings: Settings;
  readonly logFile: string;
}

interface Notes {
  wrongEnd(text: string): void;
  restarted(): void;
}

function supervise(place: Place, note: Notes, onRetired: () => void): Member {
  const { service, name } = place;
  const retired = new AbortController();
  let child: ReturnType<typeof spawn> | undefined;
  /** What we did to the process of now. */
  let done: "SIGKILL" | "SIGTERM" | undefined;
  const keepRunning = async () => {
    while (!retired.signal.aborted) {
      done = undefined;
      child = spawn(place);
      const spawned = performance.now();
      await child.exited;
      const { exitCode, signalCode } = child;
      child = undefined;
      // Who is told to end before it can hear it just ends.
      const deaf = signalCode === "SIGTERM" && performance.now() - spawned < deafMs;
      const asked =
        done === "SIGKILL" ? signalCode === "SIGKILL" : done && (exitCode === 0 || deaf);
      const end = `${name} ended with ${signalCode ?? exitCode} after ${done ?? "no signal"}`;
      appendFileSync(place.logFile, `--- ${end}\n`);
      if (!asked) note.wrongEnd(end);
      if (retired.signal.aborted) break;
      note.restarted();
      await sleep(restartMs, retired.signal).catch(() => {});
    }
  };
  const running = keepRunning();
  const signal: Member["signal"] = async (signal) => {
    const now = child;
    if (signal === "SIGKILL" || signal === "SIGTERM") done = signal;
    now?.kill(signal);
    if (signal === "SIGTERM") await now?.exited;
  };
  return {
    service,
    name,
    pid: () => child?.pid,
    signal,
    retire: async (by = "SIGTERM") => {
      retired.abort();
      await signal("SIGCONT");
      await signal(by);
      await running;
      onRetired();
    },
  };
}

function spawn({ service, settings, logFile }: Place) {
  const log = openSync(logFile, "a");
  try {
    const command = [process.execPath, join(scripts, `${service}.ts`)];
    return Bun.spawn([...endsWithParent({ dieWithParent: true }, "KILL"), ...command], {
      // Where no `.env` file is.
      cwd: scripts,
      env: { PATH: Bun.env.PATH ?? "", HOME: Bun.env.HOME ?? "", ...settings },
      // Ctrl-C is for us.
      detached: true,
      stdin: "ignore",
      stdout: log,
      stderr: log,
    });
  } finally {
    closeSync(log);
  }
}

/** The most that a process has held so far; what it holds now where the system tells no more. */
export async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const kb = /^VmHWM:\s+(\d+) kB/m.exec(status)?.[1];
  if (kb !== undefined) return Math.round(Number(kb) / 1024);
  const ps = Bun.spawnSync(["ps", "-o", "rss=", "-p", String(pid)]);
  return Math.round(Number(ps.stdout.toString().trim() || 0) / 1024);
}
