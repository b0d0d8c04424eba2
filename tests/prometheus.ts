import { join } from "node:path";
import * as v from "valibot";
import { freePorts } from "../lib/local/ports.ts";
import { until } from "./until.ts";

/** A Prometheus of this machine's, on a port of its own, with the jobs of compose.yaml. */
export interface TestPrometheus extends AsyncDisposable {
  /** Rejects when it is no query. */
  query(expr: string): Promise<readonly Answer[]>;
}

export interface Answer {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface PrometheusOptions {
  /** A folder of its own. */
  readonly home: string;
  readonly token: string;
  /** By the name of the job: host:port. */
  readonly targets: Readonly<Record<string, string>>;
}

export async function startPrometheus(options: PrometheusOptions): Promise<TestPrometheus> {
  const { home } = options;
  const [port] = freePorts(1);
  await Bun.write(join(home, "prometheus.yml"), JSON.stringify(await settings(options)));
  const child = Bun.spawn(
    [
      "prometheus",
      `--config.file=${join(home, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(home, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { cwd: home, stdin: "ignore", stdout: "ignore", stderr: "ignore" },
  );
  const url = `http://127.0.0.1:${port}`;
  const ready = async () => {
    if (child.exitCode !== null) throw new Error(`prometheus ended with ${child.exitCode}`);
    return fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  };
  await until(ready, { what: "prometheus is ready", everyMs: 50 });
  return {
    query: async (expr) => {
      const answer = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query: expr })}`);
      if (!answer.ok) throw new Error(`${expr}: ${await answer.text()}`);
      const { data } = v.parse(queryAnswer, await answer.json());
      return data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

const queryAnswer = v.object({
  data: v.object({
    result: v.array(
      v.object({
        metric: v.record(v.string(), v.string()),
        value: v.tuple([v.number(), v.string()]),
      }),
    ),
  }),
});

/** As compose.yaml has them, but for where the services are and how often they are asked. */
async function settings({ token, targets }: PrometheusOptions) {
  const compose = await Bun.file(join(import.meta.dir, "../compose.yaml")).text();
  const { configs } = v.parse(composeFile, Bun.YAML.parse(compose));
  const text = configs.prometheus.content.replaceAll(/\$\{API_TOKEN:-\}/g, () => token);
  const { scrape_configs } = v.parse(prometheusFile, Bun.YAML.parse(text));
  const jobs = scrape_configs.map(({ dns_sd_configs: _, ...job }) => ({
    ...job,
    static_configs: [{ targets: [targets[job.job_name] ?? ""] }],
  }));
  return { global: { scrape_interval: "1s", scrape_timeout: "1s" }, scrape_configs: jobs };
}

const composeFile = v.object({
  configs: v.object({ prometheus: v.object({ content: v.string() }) }),
});
const prometheusFile = v.object({
  scrape_configs: v.array(v.looseObject({ job_name: v.string(), dns_sd_configs: v.unknown() })),
});
