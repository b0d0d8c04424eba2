import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { launchBrowser, type TestBrowser } from "../browser.ts";
import { openStage, type Stage } from "../stage.ts";
import { until } from "../until.ts";

/*
 * The page while many users go by. With TEST_DASHBOARD_LOAD=1 more of them, for longer, and as often without the
 * page: what it costs the pipeline is printed.
 */

const long = Bun.env.TEST_DASHBOARD_LOAD === "1";
const users = long ? 150_000 : 20_000;
setDefaultTimeout(long ? 1_800_000 : 240_000);

let browser: TestBrowser;
let stage: Stage;
beforeAll(async () => {
  [browser, stage] = await Promise.all([launchBrowser(), openStage()]);
});
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await stage?.[Symbol.asyncDispose]();
});

interface Consumed {
  readonly table: { readonly consumed: number } | null;
}

/** Seconds that so many users take from being asked for to being in the table. */
async function flow(): Promise<number> {
  const consumed = async () => (await stage.ask<Consumed>("api/pipeline")).table?.consumed ?? 0;
  const before = await consumed();
  const begin = performance.now();
  const runs = 4;
  for (let n = 0; n < runs; n++) {
    await stage.ask("api/runs", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ results: users / runs }),
    });
  }
  const there = async () => (await consumed()) >= before + users;
  await until(there, { everyMs: 250, timeoutMs: 600_000 });
  return (performance.now() - begin) / 1000;
}

/** The same with the page open: also what the page had to do, and how it answers. */
async function watchedFlow() {
  await using tab = await browser.openTab(stage.url);
  await tab.page.getByText("Live", { exact: true }).waitFor();
  await until(async () => (await tab.page.locator(".plot canvas").count()) === 5);
  const opening = (await tab.measures()).longTasks.length;
  const seconds = await flow();
  const { longTasks, shift } = await tab.measures();
  expect(tab.faults).toEqual([]);
  return { seconds, shift, longTasks: longTasks.slice(opening) };
}

test("the page stays responsive while thousands of users a second go by", async () => {
  const { seconds, longTasks, shift } = await watchedFlow();
  const busy = longTasks.reduce((sum, ms) => sum + ms, 0) / 1000;
  const rate = Math.round(users / seconds);
  console.info(`${rate} users/s, ${longTasks.length} long tasks: ${longTasks.map(Math.round)} ms`);
  // On a machine that others load too a task may be interrupted, and so be long: not most of them.
  expect(busy / seconds).toBeLessThan(0.05);
  expect(shift).toBeLessThan(0.1);
});

test.skipIf(!long)("the page costs the pipeline next to nothing", async () => {
  const seconds = { with: 0, without: 0 };
  for (let n = 0; n < 3; n++) {
    seconds.without += await flow();
    seconds.with += (await watchedFlow()).seconds;
  }
  const ratio = seconds.without / seconds.with;
  console.info(`rate with the page open, of that without: ${ratio.toFixed(3)}`);
  expect(ratio).toBeGreaterThan(0.8);
});
