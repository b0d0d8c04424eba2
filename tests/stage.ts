import { startFakeApi } from "../lib/local/fake-api/server.ts";
import { freePorts } from "../lib/local/ports.ts";
import { type RunningScript, type Settings, startScript } from "./scripts.ts";
import { openKeyspace, openPipeline, type TestKeyspace, type TestPipeline } from "./stations.ts";
import { until } from "./until.ts";

/** The whole pipeline as users start it, over places of its own: the API's stand-in, service, consumer. */
export interface Stage extends AsyncDisposable {
  /** Where the service listens, now and after a restart. */
  readonly url: string;
  readonly settings: Settings;
  readonly pipeline: TestPipeline;
  /** A connection to the store of the table. */
  readonly store: TestKeyspace["client"];
  /** Rows in the table. */
  rows(): Promise<number>;
  /** Asks the service for JSON, or to do something. */
  ask<T>(path: string, init?: RequestInit): Promise<T>;
  /** The service as it runs now. */
  readonly service: RunningScript;
  readonly consumer: RunningScript;
  /** Starts the service again after it has ended. */
  startService(): Promise<void>;
  startConsumer(): Promise<void>;
}

/** Resolves when both listen; a service that is to wait for something is started by `startService`. */
export async function openStage(over: Settings = {}): Promise<Stage> {
  await using opening = new AsyncDisposableStack();
  const keyspace = opening.use(await openKeyspace());
  const pipeline = opening.use(await openPipeline(keyspace));
  const api = opening.use(startFakeApi());
  const [port = 0, consumerPort = 0] = freePorts(2);
  const settings: Settings = {
    ...pipeline.settings,
    ...{ SOURCE_URL: api.url, RATE_LIMIT: "0", PORT: `${port}`, CONSUMER_PORT: `${consumerPort}` },
    // A minute that is hours away from any test.
    SCHEDULE: `0 ${(new Date().getUTCHours() + 12) % 24} * * *`,
    ...over,
  };
  const url = `http://127.0.0.1:${port}/`;
  const running: { service?: RunningScript; consumer?: RunningScript } = {};
  opening.defer(async () => {
    await Promise.all(Object.values(running).map((script) => script[Symbol.asyncDispose]()));
  });
  const startService = async () => {
    running.service = startScript("ingest", [], settings);
    await running.service.says('"msg":"listening"');
  };
  const startConsumer = async () => {
    running.consumer = startScript("consume", [], settings);
    await running.consumer.says('"assigned"');
  };
  await Promise.all([startService(), startConsumer()]);
  const owned = opening.move();
  const started = (name: "service" | "consumer") => {
    const script = running[name];
    if (!script) throw new Error(`the ${name} was not started`);
    return script;
  };
  return {
    ...{ url, settings, pipeline, startService, startConsumer, store: keyspace.client },
    get service() {
      return started("service");
    },
    get consumer() {
      return started("consumer");
    },
    rows: async () => {
      const found = await keyspace.client.execute(`select count(*) from ${pipeline.table}`);
      return Number(found.first().get(0));
    },
    ask: async <T>(path: string, init?: RequestInit) => {
      const answer = await fetch(new URL(path, url), init);
      if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
      return (await answer.json()) as T;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Asks for a run of so many users, and resolves when it has ended well. */
export async function performRun(stage: Pick<Stage, "ask">, results: number): Promise<number> {
  const { id } = await stage.ask<{ id: number }>("api/runs", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ results }),
  });
  await until(async () => {
    const { state } = await stage.ask<{ state: string }>(`api/runs/${id}`);
    return state === "success";
  });
  return id;
}
