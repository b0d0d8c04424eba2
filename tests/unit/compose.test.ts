import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import Ajv2020 from "ajv/dist/2020.js";
import * as v from "valibot";
import { readConfig, settingDefaults } from "../../lib/config.ts";
import { requireProtection } from "../../lib/http/listen.ts";
import packageJson from "../../package.json";
import schema from "../fixtures/compose-spec.json";

// Compiling the schema takes seconds where the machine is busy.
setDefaultTimeout(60_000);

const project = join(import.meta.dir, "../..");
const parsed = Bun.YAML.parse(await Bun.file(join(project, "compose.yaml")).text());
const { services, volumes, configs } = v.parse(composeFile(), parsed);
const names = Object.keys(services);
const [single, cluster, offline, observe] = [undefined, "cluster", "offline", "observe"].map(
  (profile) => names.filter((name) => service(name).profiles?.[0] === profile),
);
const apps = ["ingest", "consume", "fake-api", "ingest-cluster", "consume-cluster"];
const withSettings = apps.filter((name) => name !== "fake-api");

describe("compose.yaml", () => {
  test("conforms to the Compose Specification", () => {
    expect(violations(parsed)).toEqual([]);
  });

  test("the specification's schema refuses what is not in it", () => {
    const scylla = { ...service("scylla"), comand: [] };
    expect(violations({ services: { scylla } })).toEqual([
      "/services/scylla must NOT have unevaluated properties",
    ]);
  });

  test("without a profile it brings up the five services of one machine", () => {
    expect(single).toEqual(["postgres", "broker", "scylla", "ingest", "consume"]);
    expect(offline).toEqual(["fake-api"]);
    expect(observe).toEqual(["prometheus", "grafana", "kafka-ui"]);
  });

  test("the profile cluster has three brokers and three stores", () => {
    const images = (cluster ?? []).map((name) => service(name).image?.split(":")[0]);
    expect(images.filter((image) => image === "apache/kafka")).toHaveLength(3);
    expect(images.filter((image) => image === "scylladb/scylla")).toHaveLength(3);
  });

  test.each(names)("%s has a health check, a memory limit, a log limit and restarts", (name) => {
    const it = service(name);
    expect(it.healthcheck.test.length).toBeGreaterThan(1);
    expect(bytes(it.mem_limit)).toBeGreaterThan(0);
    expect(it.logging.options["max-size"]).toBe("10m");
    expect(it.restart).toBe("unless-stopped");
  });

  test("the services of one machine leave half of 8 GB to everything else", () => {
    const limits = (single ?? []).map((name) => bytes(service(name).mem_limit));
    expect(limits.reduce((sum, limit) => sum + limit, 0)).toBeLessThanOrEqual(5 * 2 ** 30);
  });

  test("ports are published on 127.0.0.1 alone, and none twice", () => {
    const ports = names.flatMap((name) => service(name).ports ?? []);
    expect(ports.filter((port) => !port.startsWith("127.0.0.1:"))).toEqual([]);
    const published = ports.map((port) => withDefaults(port).split(":")[1]);
    expect(published.length).toBeGreaterThanOrEqual(5);
    expect(new Set(published).size).toBe(published.length);
    expect(published.slice(0, 5)).toEqual(["5432", "9092", "9042", "8080", "8081"]);
  });

  test("no secret is in it, and no service has more of this machine than its ports and volumes", () => {
    for (const name of names) {
      for (const [setting, value] of Object.entries(environment(name))) {
        const open = setting === "POSTGRES_HOST_AUTH_METHOD" || value === "";
        if (/PASSWORD|TOKEN|SECRET|AUTH/.test(setting) && !open)
          expect([setting, value]).toEqual(["API_AUTH", "off"]);
        expect(value).not.toMatch(/\/\/[^/@]*:[^/@]*@/);
      }
      for (const volume of service(name).volumes ?? []) expect(volume).toMatch(/^[a-z]/);
      for (const more of ["privileged", "network_mode", "pid", "ipc", "devices", "cap_add"]) {
        expect(services[name]).not.toHaveProperty(more);
      }
    }
  });

  test.each([...apps, ...(observe ?? [])])("%s gains no rights", (name) => {
    expect(service(name).security_opt).toEqual(["no-new-privileges:true"]);
    expect(service(name).cap_drop).toEqual(["ALL"]);
  });

  test("every service waits for the servers it uses to be healthy", () => {
    const waits = (name: string) =>
      Object.entries(service(name).depends_on ?? {})
        .filter(([, { condition }]) => condition === "service_healthy")
        .map(([other]) => other);
    expect(waits("ingest")).toEqual(["postgres", "broker"]);
    expect(waits("consume")).toEqual(["broker", "scylla"]);
    expect([waits("grafana"), waits("kafka-ui")]).toEqual([["prometheus"], ["broker"]]);
    expect(waits("ingest-cluster")).toEqual(["postgres-cluster", ...numbered("broker")]);
    expect(waits("consume-cluster")).toEqual([...numbered("broker"), ...numbered("scylla")]);
  });

  test("a service depends on services that come up with it", () => {
    for (const name of names) {
      const [profile] = service(name).profiles ?? [];
      for (const other of Object.keys(service(name).depends_on ?? {})) {
        expect(names).toContain(other);
        expect([undefined, profile]).toContain(service(other).profiles?.[0]);
      }
    }
  });

  test("every server keeps its data in a volume of its own, where its image keeps it", () => {
    const used = names.flatMap((name) => service(name).volumes ?? []);
    expect(used.map((volume) => volume.split(":")[0]).sort()).toEqual(Object.keys(volumes).sort());
    const places: Record<string, string | undefined> = {
      "prom/prometheus": "/prometheus",
      "grafana/grafana": "/var/lib/grafana",
      // Keeps nothing.
      "kafbat/kafka-ui": undefined,
      "postgres:18": "/var/lib/postgresql",
      "apache/kafka": "/var/lib/kafka/data",
      "scylladb/scylla": "/var/lib/scylla",
    };
    for (const { image = "", volumes: [volume] = [], build } of Object.values(services)) {
      const known = image in places ? image : (image.split(":")[0] ?? "");
      if (build !== undefined) continue;
      expect(places).toHaveProperty([known]);
      expect(volume?.split(":")[1]).toEqual(places[known]);
    }
  });

  test("every image is pinned to a version", () => {
    for (const { image } of Object.values(services)) {
      if (image !== undefined) expect(image).toMatch(/^[a-z/-]+:v?\d+(\.\d+)*$/);
    }
  });
});

describe("Kafka in compose.yaml", () => {
  test("runs without ZooKeeper", () => {
    expect(JSON.stringify(parsed).toLowerCase()).not.toContain("zookeeper");
    for (const name of ["broker", ...numbered("broker")]) {
      expect(environment(name).KAFKA_PROCESS_ROLES).toBe("broker,controller");
    }
  });

  test("is broker:29092 for the services and localhost:9092 for this machine", () => {
    const { KAFKA_ADVERTISED_LISTENERS = "", KAFKA_LISTENERS } = environment("broker");
    expect(withDefaults(KAFKA_ADVERTISED_LISTENERS)).toBe(
      "INSIDE://broker:29092,HOST://localhost:9092",
    );
    expect(KAFKA_LISTENERS).toBe("INSIDE://:29092,HOST://:9092,CONTROLLER://:9093");
  });

  test.each(["broker", ...numbered("broker")])("%s advertises the port it publishes", (name) => {
    const [, host = ""] = (environment(name).KAFKA_ADVERTISED_LISTENERS ?? "").split(",");
    const [port = ""] = service(name).ports ?? [];
    expect(port).toBe(`127.0.0.1:${host.replace("HOST://localhost:", "")}:9092`);
  });

  test("keeps its data on the volume and creates no topic by accident", () => {
    for (const name of ["broker", ...numbered("broker")]) {
      expect(environment(name).KAFKA_LOG_DIRS).toBe("/var/lib/kafka/data");
      expect(environment(name).KAFKA_AUTO_CREATE_TOPICS_ENABLE).toBe("false");
    }
  });

  test("replicates internal topics once on one machine, three times in the cluster", () => {
    const replication = (name: string) =>
      Object.entries(environment(name))
        .filter(([key]) => key.endsWith("_REPLICATION_FACTOR"))
        .map(([, value]) => value);
    expect(replication("broker")).toEqual(["1", "1", "1"]);
    expect(replication("broker-1")).toEqual(["3", "3", "3", "3"]);
  });

  test("acknowledges in the cluster what two brokers have", () => {
    for (const [n, name] of numbered("broker").entries()) {
      expect(environment(name).KAFKA_MIN_INSYNC_REPLICAS).toBe("2");
      expect(environment(name).KAFKA_NODE_ID).toBe(String(n + 1));
      expect(environment(name).KAFKA_CONTROLLER_QUORUM_VOTERS).toBe(
        "1@broker-1:9093,2@broker-2:9093,3@broker-3:9093",
      );
    }
  });

  test("has a cluster id that Kafka accepts: 16 bytes in base64", () => {
    const ids = ["broker", ...numbered("broker")].map((name) => environment(name).CLUSTER_ID ?? "");
    for (const id of ids) expect(Buffer.from(id, "base64url")).toHaveLength(16);
    expect(new Set(ids).size).toBe(2);
  });
});

describe("ScyllaDB in compose.yaml", () => {
  test.each(["scylla", ...numbered("scylla")])("%s has synced a write it acknowledges", (name) => {
    expect(options(name)).toMatchObject({ "commitlog-sync": "batch" });
  });

  test.each(["scylla", ...numbered("scylla")])("%s fits its memory limit", (name) => {
    // It refuses to start when its memory and what it must leave to the system exceed the limit.
    const { memory = "", "reserve-memory": reserve = "" } = options(name);
    const room = bytes(service(name).mem_limit) - bytes(memory) - bytes(reserve);
    expect(room).toBeGreaterThanOrEqual(256 * 2 ** 20);
  });

  test("the nodes of the cluster find each other and are set up alike", () => {
    for (const name of numbered("scylla")) {
      expect(options(name)).toEqual({ ...options("scylla"), seeds: "scylla-1" });
    }
  });
});

describe("the pipeline's services in compose.yaml", () => {
  test.each(withSettings)("%s is given every setting but how to reach other servers", (name) => {
    const given = Object.keys(environment(name));
    const known = Object.keys(settingDefaults());
    expect(given.filter((setting) => !known.includes(setting))).toEqual([]);
    expect(known.filter((setting) => !given.includes(setting))).toEqual([
      "KAFKA_PROPERTIES",
      "CASSANDRA_USERNAME",
      "CASSANDRA_PASSWORD",
      "CASSANDRA_TLS_CA",
    ]);
  });

  test.each(withSettings)("%s has valid settings and may listen", (name) => {
    const { http, topic, sink } = readConfig(environment(name));
    expect(() => requireProtection(http)).not.toThrow();
    expect([http.port, http.consumerPort]).toEqual([8080, 8081]);
    const replicas = name.endsWith("-cluster") ? 3 : 1;
    expect([topic.replication, sink.replication]).toEqual([replicas, replicas]);
    expect([topic.brokers.length, sink.contactPoints.length]).toEqual([replicas, replicas]);
  });

  test.each(withSettings)("%s names servers of its own set, at ports they listen on", (name) => {
    const { topic, sink, raw } = readConfig(environment(name));
    const postgres = new URL(raw.url).host;
    const [profile] = service(name).profiles ?? [];
    for (const address of [...topic.brokers, ...sink.contactPoints, postgres]) {
      const [host = "", port] = address.split(":");
      expect(service(host).profiles?.[0]).toBe(profile);
      const image = service(host).image?.split(":")[0] ?? "";
      const ports: Record<string, string> = {
        "apache/kafka": "29092",
        "scylladb/scylla": "9042",
        postgres: "5432",
      };
      expect(port).toBe(ports[image]);
    }
  });

  test.each(apps)("%s runs a script of the project, unprivileged, and has time to stop", (name) => {
    const { command = [], build, ...it } = service(name);
    expect(command[0]).toBe("bun");
    const line = Object.values(packageJson.scripts).find((line) =>
      line.endsWith(`bun ${command[1]}`),
    );
    expect(line).toBeDefined();
    for (const setting of (line ?? "").split(" ").slice(0, -2)) {
      expect(build?.dockerfile_inline).toContain(` ${setting}`);
    }
    expect(build?.dockerfile_inline).toMatch(/\nUSER bun\n$/);
    expect(it.cap_drop).toEqual(["ALL"]);
    expect(it.init).toBe(true);
    // run() ends a process that does not stop within 45 s.
    expect(Number.parseInt(it.stop_grace_period, 10)).toBeGreaterThan(45);
  });

  test("the image is made of files that are there and not kept out, with this project's Bun", async () => {
    const dockerfile = service("ingest").build?.dockerfile_inline ?? "";
    expect(dockerfile).toContain(`FROM oven/${packageJson.packageManager.replace("@", ":")}-slim `);
    const allowed = (await Bun.file(join(project, ".dockerignore")).text())
      .split("\n")
      .flatMap((line) => (line.startsWith("!") ? [line.slice(1)] : []));
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(
      ([, paths = ""]) => paths.split(" "),
    );
    expect(copied.length).toBeGreaterThan(5);
    for (const path of copied) expect(allowed).toContain(path.split("/")[0] ?? "");
    expect(allowed.filter((path) => !copied.includes(path))).toEqual([]);
  });

  test("the image gets what compiling the Kafka client's addon needs", async () => {
    const dockerfile = service("ingest").build?.dockerfile_inline ?? "";
    const build = await Bun.file(join(project, "lib/native/build.ts")).text();
    const packages = [...build.matchAll(/\{ debian: "([\w-]+)", header: .* names: /g)];
    expect(packages.length).toBe(3);
    for (const name of ["g++", "make", ...packages.map((match) => match[1] ?? "")]) {
      expect(dockerfile).toContain(` ${name}`);
    }
  });
});

describe("the profile observe in compose.yaml", () => {
  const scraped = (token = "") => {
    const content = (configs.prometheus?.content ?? "").replaceAll(
      /\$\{API_TOKEN:-\}/g,
      () => token,
    );
    return v.parse(prometheusFile(), Bun.YAML.parse(content));
  };

  test("hands Prometheus the token as it is, whatever is in it, and none where there is none", () => {
    for (const token of ["", `'"#:{&*!|>%@\\\`-[]`, "0123456789abcdef"]) {
      const given = scraped(token).scrape_configs.map((each) => each.authorization.credentials);
      expect(given).toEqual([token, token]);
    }
  });

  test("has Prometheus scrape both services of both sets, at the ports they listen on", () => {
    const targets = scraped().scrape_configs.map(({ job_name, dns_sd_configs: [place] }) => ({
      ...{ job_name, names: place?.names, port: place?.port },
    }));
    expect(targets).toEqual([
      { job_name: "ingest", names: ["ingest", "ingest-cluster"], port: 8080 },
      { job_name: "consume", names: ["consume", "consume-cluster"], port: 8081 },
    ]);
    for (const name of targets.flatMap((target) => target.names ?? [])) {
      const { http } = readConfig(environment(name));
      expect([http.port, http.consumerPort]).toEqual([8080, 8081]);
    }
  });

  test("gives each service files that are there, where its other files look for them", async () => {
    const mounted = (observe ?? []).flatMap((name) => service(name).configs ?? []);
    expect(mounted.map(({ source }) => source).toSorted()).toEqual(Object.keys(configs).toSorted());
    const targets = mounted.map(({ target }) => target);
    const textOf = async (name: string) =>
      Bun.file(join(project, configs[name]?.file ?? "")).text();
    const ini = await textOf("grafana");
    const home = /^default_home_dashboard_path = (.*)$/m.exec(ini)?.[1] ?? "";
    expect(targets).toContain(home);
    expect(await textOf("grafana-dashboards")).toContain(`path: ${join(home, "..")} `);
    const [prometheus] = service("prometheus").command ?? [];
    expect(targets).toContain(prometheus?.split("=")[1] ?? "");
  });

  test("lets people look, and change nothing", async () => {
    const ini = await Bun.file(join(project, configs.grafana?.file ?? "")).text();
    expect(ini).toContain("[auth.anonymous]\nenabled = true\norg_role = Viewer\n");
    expect(ini).toContain("disable_initial_admin_creation = true\n");
    expect(environment("kafka-ui").KAFKA_CLUSTERS_0_READONLY).toBe("true");
  });
});

function prometheusFile() {
  const job = v.object({
    job_name: v.string(),
    authorization: v.object({ credentials: v.string() }),
    dns_sd_configs: v.array(v.object({ names: v.array(v.string()), port: v.number() })),
  });
  return v.object({ scrape_configs: v.array(job) });
}

function composeFile() {
  const texts = v.array(v.string());
  const service = v.looseObject({
    image: v.optional(v.string()),
    build: v.optional(v.object({ context: v.literal("."), dockerfile_inline: v.string() })),
    profiles: v.optional(texts),
    command: v.optional(texts),
    environment: v.optional(v.record(v.string(), v.nullable(v.string()))),
    ports: v.optional(texts),
    volumes: v.optional(texts),
    configs: v.optional(v.array(v.object({ source: v.string(), target: v.string() }))),
    depends_on: v.optional(v.record(v.string(), v.object({ condition: v.string() }))),
    healthcheck: v.object({ test: texts }),
    mem_limit: v.string(),
    logging: v.object({ options: v.record(v.string(), v.string()) }),
    restart: v.string(),
    cap_drop: v.optional(texts),
    security_opt: v.optional(texts),
    init: v.optional(v.boolean()),
    stop_grace_period: v.string(),
  });
  return v.object({
    services: v.record(v.string(), service),
    volumes: v.record(v.string(), v.null()),
    configs: v.record(
      v.string(),
      v.strictObject({ file: v.optional(v.string()), content: v.optional(v.string()) }),
    ),
  });
}

function service(name: string) {
  const found = services[name];
  if (found === undefined) throw new Error(`compose.yaml has no service ${name}`);
  return found;
}

/** As the container gets it when neither the shell nor `.env` says anything. */
function environment(name: string): Record<string, string> {
  const entries = Object.entries(service(name).environment ?? {});
  return Object.fromEntries(entries.map(([key, value]) => [key, value ?? ""]));
}

/** The command line's `--name=value` as an object. */
function options(name: string): Record<string, string> {
  return Object.fromEntries(
    (service(name).command ?? []).map((option) => {
      const [key = "", value = ""] = option.replace(/^--/, "").split("=");
      return [key, value];
    }),
  );
}

function numbered(name: string): string[] {
  return [1, 2, 3].map((n) => `${name}-${n}`);
}

/** `${NAME:-default}` as its default. */
function withDefaults(text: string): string {
  return text.replaceAll(/\$\{[A-Z_]+:-([^}]*)\}/g, "$1");
}

function bytes(size: string): number {
  const units: Record<string, number> = { m: 2 ** 20, g: 2 ** 30 };
  const [, number, unit = ""] = /^(\d+)([mg])$/i.exec(size) ?? [];
  return Number(number) * (units[unit.toLowerCase()] ?? Number.NaN);
}

function violations(file: unknown): string[] {
  const ajv = new Ajv2020({ strict: false });
  ajv.validate(schema, file);
  return (ajv.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
}
