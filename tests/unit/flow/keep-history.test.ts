import { expect, test } from "bun:test";
import type { Sample } from "../../../lib/domain/history.ts";
import { PipelineError } from "../../../lib/errors.ts";
import { keepHistory } from "../../../lib/flow/keep-history.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { failureOf } from "../../failure.ts";
import { until } from "../../until.ts";

const sample: Sample = {
  ...{ received: 1, written: null, consumed: null, pending: 0, lag: null },
  ...{ batchRows: null, writeMs: null, endToEndMs: null },
};

test("a sample that could not be kept is taken anew, and none while there is none", async () => {
  const kept: number[] = [];
  const thinned: object[] = [];
  let asked = 0;
  const store = {
    add: async ({ received }: Sample) => {
      if (asked === 1) throw new PipelineError("unavailable", "down");
      kept.push(received);
    },
    thin: async (options: object) => void thinned.push(options),
  };
  const pipeline = { sample: async () => ({ ...sample, received: ++asked }) };
  const stop = new AbortController();
  const options = { days: 7, log, signal: stop.signal };
  const keeping = failureOf(keepHistory(store, pipeline, options));
  await until(() => kept.length > 0);
  expect(kept).toEqual([2]);
  expect(thinned).toEqual([{ fineDays: 1, days: 7 }]);
  stop.abort(new Error("stopped"));
  expect((await keeping).message).toBe("stopped");

  const none = {
    sample: async () => {
      asked = 99;
      return undefined;
    },
  };
  const again = new AbortController();
  const waiting = failureOf(keepHistory(store, none, { ...options, signal: again.signal }));
  await until(() => asked === 99);
  again.abort(new Error("stopped"));
  await waiting;
  expect(kept).toEqual([2]);
});
