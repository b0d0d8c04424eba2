import type { Fault } from "../../lib/local/fake-api/faults.ts";
import type { ServerName } from "../../lib/local/servers.ts";
import { sleep } from "../../lib/sleep.ts";
import type { Sent } from "../kafka-clients.ts";
import type { OwnServers } from "../own-servers.ts";
import type { LinkFault } from "../proxy.ts";
import type { Fleet, Member, Service } from "./fleet.ts";
import type { PlannedFault } from "./plan.ts";
import { poisonOf } from "./poison.ts";

/** What faults are made with. */
export interface Scene {
  readonly servers: OwnServers;
  readonly fleet: Fleet;
  /** The settings of a service of the fleet. */
  readonly settings: Readonly<Record<string, string>>;
  readonly topic: {
    send(records: readonly Sent[]): Promise<void>;
    addPartitions(count: number): Promise<void>;
  };
  /** What the API does to its next requests. */
  readonly source: { fault: Fault | undefined };
  readonly signal: AbortSignal;
}

/** Records of each poison fault. */
const poisonRecords = 20;
const largestRecords = 3;

/** Makes the fault and resolves when it is over: what it broke is whole again, or was started. */
export async function perform(fault: PlannedFault, scene: Scene): Promise<void> {
  const [group = "", ...words] = fault.kind.split(" ");
  await performers[group]?.(words.join(" "), fault, scene);
}

/** Faults with the same key are made one after another. */
export function keyOf({ kind, target }: PlannedFault): string {
  return `${kind.split(" ")[0]} ${target}`;
}

type Performer = (name: string, fault: PlannedFault, scene: Scene) => Promise<void>;

const performers: Readonly<Record<string, Performer>> = {
  process: async (name, { at, target, seconds }, { fleet, signal }) => {
    const members = fleet.members(target as Service);
    const member = members[Math.floor(10 * at) % members.length];
    if (!member) return;
    if (name === "frozen") return await frozen(member, seconds, signal);
    await member.signal(name === "SIGTERM" ? "SIGTERM" : "SIGKILL");
  },
  server: async (name, { target, seconds }, { servers, signal }) => {
    const server = target as ServerName;
    if (name === "frozen") {
      await servers.signal(server, "SIGSTOP");
      await pause(seconds, signal);
      return await servers.signal(server, "SIGCONT");
    }
    if (name === "killed") await servers.signal(server, "SIGKILL");
    else await servers.stop(server);
    await pause(seconds, signal);
    await servers.start(server);
  },
  link: async (name, { target, seconds }, { servers, signal }) => {
    const link = servers.links[target as ServerName];
    await link.set(linkFaults[name] ?? {});
    await pause(seconds, signal);
    await link.open();
  },
  source: async (name, { seconds }, { source, signal }) => {
    source.fault = { kind: name as Fault["kind"], times: 1, amount: amounts[name] ?? 0.2 };
    await pause(seconds, signal);
    source.fault = undefined;
  },
  poison: async (form, { at }, { topic }) => {
    const count = form === "largest" ? largestRecords : poisonRecords;
    await topic.send(poisonOf(form, count, `${form}-${at}`));
  },
  group: async (name, { at, seconds }, { fleet, settings, topic, signal }) => {
    if (name === "partitions raised") return await topic.addPartitions(2);
    const members = fleet.members("consume");
    const leaving = name === "member leaves" ? members[Math.floor(10 * at) % members.length] : null;
    if (leaving) {
      await leaving.retire();
      await pause(seconds, signal);
    }
    const joined = fleet.add("consume", settings);
    if (leaving) return;
    await pause(seconds, signal);
    await joined.retire();
  },
};

const linkFaults: Readonly<Record<string, LinkFault>> = {
  slow: { latencyMs: 300, jitterMs: 400 },
  narrow: { bytesPerSecond: 100_000 },
  reset: { broken: "reset" },
  "half-open": { broken: "half-open" },
  "black hole": { broken: "black hole" },
  refused: { broken: "refused" },
  frozen: { broken: "frozen" },
};

/** In the units of the stand-in's faults. */
const amounts: Readonly<Record<string, number>> = { slow: 2000, short: 1 };

async function frozen(member: Member, seconds: number, signal: AbortSignal): Promise<void> {
  await member.signal("SIGSTOP");
  await pause(seconds, signal);
  await member.signal("SIGCONT");
}

/** Ends early when the whole is stopped: then all is to be made whole at once. */
async function pause(seconds: number, signal: AbortSignal): Promise<void> {
  await sleep(1000 * seconds, signal).catch(() => {});
}
