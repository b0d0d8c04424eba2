import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { allCommitted, everyRecord, openMembers, sendSome } from "../fixtures/faults/members.ts";
import type { RunningScript } from "../scripts.ts";
import { makeTopics } from "../topics.ts";
import { until } from "../until.ts";

setDefaultTimeout(300_000);

const protocols = [
  ["the classic protocol", {}],
  ["the protocol of Kafka 4", { "group.protocol": "consumer" }],
] as const;

/** How often each of three members comes and goes. */
const turns = 3;
const turnMs = 2000;

describe.each(protocols)("by %s", (_, properties) => {
  test("three members that come and go every two seconds under load lose and invent nothing", async () => {
    await using topics = await makeTopics({ partitions: 6, properties });
    await using members = openMembers(topics);
    const stop = new AbortController();
    const load = loading(() => sendSome(topics, 30), stop.signal);
    const exitCodes: (number | null)[] = [];
    const comingAndGoing = async (who: number) => {
      for (let turn = 0; turn < turns; turn += 1) {
        const member = members.start();
        await member.says("assigned");
        const since = performance.now();
        await until(() => performance.now() - since > turnMs * (turn === 0 ? 1 + who / 3 : 1));
        exitCodes.push((await member.end("SIGTERM")).exitCode);
      }
    };
    // Whatever the three do, somebody reads on.
    await Promise.all([0, 1, 2].map(comingAndGoing));
    stop.abort();
    await load;
    await using last = members.start();
    await last.says("assigned");
    await allCommitted(topics);

    const [handled, all] = [members.handled(), await everyRecord(topics)];
    expect(all.filter((record) => !handled.has(record))).toEqual([]);
    expect([...handled.keys()].filter((record) => !all.includes(record))).toEqual([]);
    expect(exitCodes).toEqual(exitCodes.map(() => 0));
    // Each of them finished and committed what it had begun before it gave it away.
    const repeated = [...handled.values()].filter((times) => times > 1).length;
    expect(repeated).toBeLessThan(all.length / 20);
  });

  test.concurrent("a member that dies is noticed, and its partitions go to those that live", async () => {
    await using topics = await makeTopics({ partitions: 4, properties });
    await using members = openMembers(topics);
    const [dying, living] = [members.start(), members.start()];
    await sendSome(topics, 400);
    const busy = (member: RunningScript) => member.stdout.length > 0;
    const bothBusy = async () => {
      await sendSome(topics, 20);
      return busy(dying) && busy(living);
    };
    // Not faster than they read: what is left behind has to be read in the end.
    await until(bothBusy, { everyMs: 500 });
    await dying.end("SIGKILL");
    await sendSome(topics, 100);
    await allCommitted(topics);
    const [handled, all] = [members.handled(), await everyRecord(topics)];
    expect(all.filter((record) => !handled.has(record))).toEqual([]);
  });
});

/** Does it again and again, until the signal aborts. */
async function loading(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
  await until(async () => {
    await work();
    return signal.aborted;
  });
}
