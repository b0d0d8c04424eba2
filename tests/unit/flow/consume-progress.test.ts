import { expect, test } from "bun:test";
import { showConsuming } from "../../../lib/flow/consume-progress.ts";
import { failureOf } from "../../failure.ts";
import { until } from "../../until.ts";

const health = () => ({ up: null, since: null, lastError: null });

/** What is shown of a consumer whose partitions have these lags. */
async function shown(lags: ReadonlyMap<number, number> | undefined, drain: boolean) {
  const lines: unknown[][] = [];
  const progress = {
    lookMs: 1,
    expect: (...told: unknown[]) => void lines.push(["expect", ...told]),
    show: (...told: unknown[]) => void lines.push(["show", ...told]),
    [Symbol.dispose]: () => {},
  };
  const stop = new AbortController();
  const asked = { now: async () => lags, health };
  const showing = failureOf(
    showConsuming({ progress, total: { records: 7 }, lags: asked, drain }, stop.signal),
  );
  await until(() => lines.some(([what]) => what === "show"));
  stop.abort(new Error("done"));
  expect((await showing).message).toBe("done");
  return lines.slice(0, lines.findIndex(([what]) => what === "show") + 1);
}

const lags = new Map([
  [0, 1000],
  [3, 234],
]);

test("a consumer's lag is shown, and where it ends at the end how much that is in all", async () => {
  expect(await shown(lags, false)).toEqual([["show", 7, "lag 1,234"]]);
  expect(await shown(lags, true)).toEqual([
    ["expect", 1241, "about"],
    ["show", 7, "lag 1,234"],
  ]);
});

test("while Kafka does not answer nothing is made up", async () => {
  expect(await shown(undefined, true)).toEqual([["show", 7, "lag unknown"]]);
});
