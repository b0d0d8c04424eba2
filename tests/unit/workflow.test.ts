import { expect, test } from "bun:test";
import { join } from "node:path";
import * as v from "valibot";

const project = join(import.meta.dir, "../..");
const step = v.object({ uses: v.optional(v.string()), run: v.optional(v.string()) });
const { jobs, permissions } = v.parse(
  v.object({
    permissions: v.record(v.string(), v.string()),
    jobs: v.record(v.string(), v.object({ "runs-on": v.string(), steps: v.array(step) })),
  }),
  Bun.YAML.parse(await Bun.file(join(project, ".github/workflows/ci.yaml")).text()),
);
const steps = Object.values(jobs).flatMap((job) => job.steps);

test("the workflow runs the same script as every other machine", async () => {
  expect(jobs.test?.steps.map(({ run }) => run)).toContain("bash .ci/run");
});

test("the scripts the workflow runs are there", async () => {
  const scripts = steps.flatMap(({ run = "" }) => /^bash (\S+)/.exec(run)?.[1] ?? []);
  expect(scripts).toEqual([".ci/run", ".github/compose.sh"]);
  for (const script of scripts) expect(await Bun.file(join(project, script)).exists()).toBe(true);
});

test("the workflow may read the repository and nothing else", () => {
  expect(permissions).toEqual({ contents: "read" });
});

test("machines and actions are pinned to a version", () => {
  for (const job of Object.values(jobs)) expect(job["runs-on"]).toBe("ubuntu-24.04");
  const actions = steps.flatMap(({ uses }) => uses ?? []);
  expect(actions.length).toBeGreaterThan(3);
  for (const action of actions) expect(action).toMatch(/^actions\/[a-z-]+@v\d+$/);
});
