import { describe, expect, test } from "bun:test";
import { pageUsers } from "../../../lib/domain/run.ts";
import { PipelineError } from "../../../lib/errors.ts";
import { ingestOnce } from "../../../lib/flow/ingest-once.ts";
import type { Publisher } from "../../../lib/flow/raw-to-topic.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { failureOf } from "../../failure.ts";
import { createFakeOutbox } from "../../fakes/outbox.ts";
import { createFakePublisher } from "../../fakes/publisher.ts";
import { createFakeRuns } from "../../fakes/runs.ts";
import { createFakeSource } from "../../fakes/source.ts";
import { policy } from "../../performing.ts";
import { until } from "../../until.ts";
import { never } from "../../users.ts";

const request = { trigger: "manual", results: 10, nat: [], seed: "s-" } as const;

/** Runs whose pages go to the outbox, as PostgreSQL does it. */
function stations(topic: Publisher = createFakePublisher(), source = createFakeSource()) {
  const outbox = createFakeOutbox();
  const runs = createFakeRuns((run, { payloads, users }) => {
    const accepted = payloads
      .map((text) => JSON.parse(text))
      .filter((_, at) => {
        const user = users[at];
        return user && "id" in user;
      });
    outbox.add(
      ...accepted.map((payload: unknown, at: number) => ({ raw: at, run, version: at, payload })),
    );
  });
  const get = async (id: number) => {
    const run = await runs.get(id);
    return run && { ...run, published: run.accepted - outbox.pending.length };
  };
  return { source, outbox, topic, runs: { ...runs, get } };
}

describe("one run", () => {
  test("ends when all it accepted is on the topic", async () => {
    const topic = createFakePublisher();
    const run = await ingestOnce(request, stations(topic), {
      worker: "me",
      policy,
      log,
      signal: never,
    });
    expect(run).toMatchObject({ state: "success", fetched: 10, accepted: 10, published: 10 });
    expect(topic.published).toHaveLength(10);
  });

  test("waits for a topic that is slow", async () => {
    const topic = createFakePublisher();
    const acknowledged = Promise.withResolvers<void>();
    const slow: Publisher = {
      publish: async (events) => {
        await acknowledged.promise;
        return topic.publish(events);
      },
    };
    const seen: number[] = [];
    const options = { worker: "me", policy, log, signal: never };
    const onProgress = (published: number) => void seen.push(published);
    const once = ingestOnce(request, stations(slow), { ...options, onProgress });
    await until(() => seen.length > 0);
    acknowledged.resolve();
    expect(await once).toMatchObject({ state: "success", published: 10 });
    expect(seen[0]).toBe(0);
  });

  test("that fails is told as failed, after what it had accepted is on the topic", async () => {
    const topic = createFakePublisher();
    const source = createFakeSource();
    const failing = {
      asked: source.asked,
      fetch: (...[ask, signal]: Parameters<typeof source.fetch>) =>
        ask.page === 2
          ? Promise.reject(new PipelineError("refused", "403"))
          : source.fetch(ask, signal),
    };
    const it = stations(topic, failing);
    const run = await ingestOnce({ ...request, results: pageUsers + 1 }, it, {
      worker: "me",
      policy,
      log,
      signal: never,
    });
    expect(run).toMatchObject({
      state: "failed",
      error: "403",
      accepted: pageUsers,
      published: pageUsers,
    });
    expect(topic.published).toHaveLength(pageUsers);
  });

  test("that a service beside it took and left is done here", async () => {
    const it = stations();
    const taken = Promise.withResolvers<void>();
    let claims = 0;
    const runs = {
      ...it.runs,
      claim: async (worker: string, id?: number) => {
        claims += 1;
        if (claims > 1) return it.runs.claim(worker, id);
        await it.runs.claim("the service", id);
        if (id !== undefined) it.runs.silence(id);
        taken.resolve();
        return undefined;
      },
    };
    const run = await ingestOnce(
      request,
      { ...it, runs },
      { worker: "me", policy, log, signal: never },
    );
    expect(run).toMatchObject({ state: "success", attempt: 2, published: 10 });
  });

  test("ends with the reason of the signal, and its run is in the queue again", async () => {
    const it = stations({ publish: () => new Promise(() => {}) });
    const stop = new AbortController();
    const hanging = {
      asked: [],
      fetch: (_: unknown, signal: AbortSignal) =>
        new Promise<never>((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
          stop.abort(new DOMException("stopped", "AbortError"));
        }),
    };
    const options = { worker: "me", policy, log, signal: stop.signal };
    const error = await failureOf(ingestOnce(request, { ...it, source: hanging }, options));
    expect(error.message).toBe("stopped");
    expect(await it.runs.get(1)).toMatchObject({ state: "queued" });
  });
});
