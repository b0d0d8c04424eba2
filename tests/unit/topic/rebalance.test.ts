import { expect, test } from "bun:test";
import { silentLog as log } from "../../../lib/log.ts";
import { createOffsets } from "../../../lib/topic/offsets.ts";
import { followRebalances } from "../../../lib/topic/rebalance.ts";
import { until } from "../../until.ts";

const partition = { topic: "users", partition: 0 };
const assign = Object.assign(new Error("assign"), { code: -175 });
const revoke = Object.assign(new Error("revoke"), { code: -174 });

/** A member whose client remembers, as the real one does, what was paused. */
function member() {
  const paused = new Set<number>();
  const calls: string[] = [];
  const client = {
    assignmentLost: () => false,
    assignments: () => [partition],
    incrementalAssign: () => void calls.push("assign"),
    incrementalUnassign: () => void calls.push("unassign"),
    pause: (all: { partition: number }[]) => all.forEach((each) => void paused.add(each.partition)),
    resume: (all: { partition: number }[]) =>
      all.forEach((each) => void paused.delete(each.partition)),
  };
  const offsets = createOffsets("users");
  const rebalances = followRebalances({
    client: () => client as never,
    cooperative: true,
    offsets,
    commit: () => {},
    startsOf: async (all) => all.map((each) => ({ ...each, offset: 0, topicId: "id" })),
    log,
  });
  return { paused, calls, offsets, rebalances };
}

test("a partition that was given away and comes back is read again", async () => {
  const { paused, calls, rebalances } = member();
  for (const change of [assign, revoke, assign]) rebalances.follow(change as never, [partition]);
  await until(() => calls.length === 3);
  expect(calls).toEqual(["assign", "unassign", "assign"]);
  await rebalances.close();
  expect([...paused]).toEqual([]);
});

test("a partition gained while all are paused is paused too", async () => {
  const { paused, calls, offsets, rebalances } = member();
  offsets.paused = true;
  rebalances.follow(assign as never, [partition]);
  await until(() => calls.length === 1);
  await rebalances.close();
  expect([...paused]).toEqual([0]);
});
