import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import type { RunAttempt } from "../../lib/domain/attempt.ts";
import type { Run } from "../../lib/domain/run.ts";
import { parseFaults } from "../../lib/local/fake-api/faults.ts";
import { type FakeApiServer, startFakeApi } from "../../lib/local/fake-api/server.ts";
import { launchBrowser, type TestBrowser } from "../browser.ts";
import { openStage, performRun, type Stage } from "../stage.ts";
import { until } from "../until.ts";

/* The dashboard's views of runs, in a browser, over the whole pipeline. */

setDefaultTimeout(240_000);

let stage: Stage;
let browser: TestBrowser;
let api: FakeApiServer;
/** How the API misbehaves from now on. */
let fault = "";
beforeAll(async () => {
  api = startFakeApi({ faults: () => (fault === "" ? undefined : parseFaults(fault)[0]) });
  const settings = { SOURCE_URL: api.url, RETRIES: "0" };
  [stage, browser] = await Promise.all([openStage(settings), launchBrowser()]);
});
afterAll(async () => {
  await Promise.all([browser, stage, api].map((each) => each?.[Symbol.asyncDispose]()));
});

const runOf = (id: number) => stage.ask<Run>(`api/runs/${id}`);
const runsBy = async (query: string) =>
  (await stage.ask<{ runs: readonly Run[] }>(`api/runs?${query}`)).runs;
const withSeed = async (seed: string) =>
  (await runsBy("limit=1000")).filter((run) => run.seed === seed);
const stateIs = (id: number, state: Run["state"]) =>
  until(async () => (await runOf(id)).state === state, { what: `run ${id} ${state}` });
const post = (path: string, body: object) =>
  stage.ask<Run>(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
/** Browsers tell on the console of each answer above 399. */
const refusals = /status of 4\d\d/;

describe("a run is asked for", () => {
  test("by clicks, and is in the table, on the grid and in the list, all by itself", async () => {
    await using tab = await browser.openTab(`${stage.url}#/runs`);
    const { page } = tab;
    await page.getByRole("button", { name: "Trigger a run" }).click();
    await page.getByLabel("Users", { exact: true }).fill("25");
    await page.getByLabel("Seed", { exact: true }).fill("by-clicks-");
    await page.getByText("Nationalities:").click();
    await page.getByLabel("Germany").check();
    await page.getByRole("button", { name: "Trigger the run" }).click();
    await until(async () => (await withSeed("by-clicks-")).length === 1);
    const [run] = await withSeed("by-clicks-");
    expect(run).toMatchObject({ results: 25, nat: ["de"], trigger: "manual" });
    await page.getByRole("gridcell", { name: `Run ${run?.id}, success` }).waitFor();
    await page.getByRole("row", { name: new RegExp(`#${run?.id} success`) }).waitFor();
    await page.getByRole("status").getByText(`Run ${run?.id} is queued.`).waitFor();
    await until(async () => (await stage.rows()) === 25, { everyMs: 200 });
    expect(tab.faults).toEqual([]);
  });

  test("with what is wrong said at its field, and then by keyboard alone", async () => {
    await using tab = await browser.openTab(`${stage.url}#/runs`, { expected: refusals });
    const { page } = tab;
    await page.getByRole("button", { name: "Trigger a run" }).focus();
    await page.keyboard.press("Enter");
    await until(async () => (await focused(page)) === "results");
    await page.keyboard.type("0");
    await page.keyboard.press("Tab");
    await page.keyboard.type("two words");
    await page.keyboard.press("Enter");
    await page.getByText("0: expected a number of users from 1 to 1000000").waitFor();
    expect(await focused(page)).toBe("results");
    const described = await page.getByLabel("Users", { exact: true }).evaluate(descriptionOf);
    expect(described).toContain("0: expected a number of users");
    expect(await page.getByLabel("Seed", { exact: true }).getAttribute("aria-invalid")).toBe(
      "true",
    );
    await page.keyboard.press("ControlOrMeta+a");
    await page.keyboard.type("3");
    await page.keyboard.press("Tab");
    await page.keyboard.press("ControlOrMeta+a");
    await page.keyboard.type("by-keys-");
    await page.keyboard.press("Enter");
    await until(async () => (await withSeed("by-keys-")).length === 1);
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(await page.evaluate("document.activeElement.textContent")).toBe("Trigger a run");
    expect(tab.faults).toEqual([]);
  });

  test("once, however often it is pressed, and although its answer is lost", async () => {
    const lost = /ERR_FAILED/;
    await using tab = await browser.openTab(`${stage.url}#/runs`, { expected: lost });
    const { page } = tab;
    let asked = 0;
    await page.route("**/api/runs", async (route) => {
      if (route.request().method() !== "POST") return route.continue();
      asked += 1;
      if (asked > 1) return route.continue();
      await route.fetch();
      return route.abort();
    });
    await page.getByRole("button", { name: "Trigger a run" }).click();
    await page.getByLabel("Users", { exact: true }).fill("2");
    await page.getByLabel("Seed", { exact: true }).fill("once-");
    const trigger = page.getByRole("button", { name: "Trigger the run" });
    await trigger.click();
    await page.getByText("The service cannot be reached").waitFor();
    await trigger.dblclick();
    await page.getByText(/^Run \d+ is queued\.$/).waitFor();
    expect(asked).toBe(2);
    expect(await withSeed("once-")).toHaveLength(1);
    expect(tab.faults).toEqual([]);
  });
});

describe("one run", () => {
  test("that failed shows why, and is tried again by clicks, also from the start", async () => {
    fault = "500";
    const { id } = await post("api/runs", { results: 4, seed: "fails-" });
    await stateIs(id, "failed");
    await using tab = await browser.openTab(`${stage.url}#/runs/${id}`);
    const { page } = tab;
    await page.getByRole("region", { name: "Progress" }).getByText("500").waitFor();
    await page.getByRole("region", { name: "Attempts" }).getByText("failed").waitFor();
    await page.getByRole("region", { name: "Log" }).getByText("run failed").waitFor();
    fault = "";
    await page.getByRole("button", { name: "Retry" }).click();
    await stateIs(id, "success");
    const attempts = page.getByRole("region", { name: "Attempts" });
    await attempts.getByText("success").waitFor();
    await page.getByText("4 of 4 users").waitFor();
    await page.getByRole("button", { name: "From the start" }).click();
    await page.getByRole("button", { name: "Run from the start" }).click();
    await until(async () => (await runOf(id)).attempt === 3);
    await stateIs(id, "success");
    await until(async () => (await attempts.getByText("success").count()) === 2);
    const { attempts: kept } = await stage.ask<{ attempts: readonly RunAttempt[] }>(
      `api/runs/${id}/attempts`,
    );
    expect(kept.map(({ outcome }) => outcome)).toEqual(["failed", "success", "success"]);
    await page.locator("[data-counter=published] dd").getByText("4").waitFor();
    expect(tab.faults).toEqual([]);
  });

  test("shows how it goes on, follows its log, and is cancelled by keyboard", async () => {
    fault = "slow=60";
    const { id } = await post("api/runs", { results: 500_000 });
    await using tab = await browser.openTab(`${stage.url}#/runs/${id}`);
    const { page } = tab;
    const log = page.getByRole("log");
    const atEnd = () =>
      log.evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight < 24);
    const lines = () => log.locator("li").count();
    const done = async () =>
      Number(await page.getByRole("progressbar").getAttribute("aria-valuenow"));
    await until(async () => (await done()) >= 1 && (await lines()) >= 26, { everyMs: 50 });
    await page.getByText(/\d\/s$/).waitFor();
    expect(await atEnd()).toBe(true);
    await page.getByRole("button", { name: "Pause following" }).click();
    await log.evaluate((box) => box.scrollTo(0, 0));
    const before = await lines();
    await until(async () => (await lines()) > before + 3, { everyMs: 50 });
    expect(await log.evaluate((box) => box.scrollTop)).toBe(0);
    await page.getByRole("button", { name: "Follow" }).click();
    await until(atEnd);

    await page.getByRole("button", { name: "Cancel" }).focus();
    await page.keyboard.press("Enter");
    // What does no harm has the focus.
    await until(async () => (await focusedText(page)) === "Go back");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(await focusedText(page)).toBe("Cancel");
    await page.keyboard.press("Enter");
    await until(async () => (await focusedText(page)) === "Go back");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await stateIs(id, "cancelled");
    await page.getByRole("button", { name: "Retry" }).waitFor();
    await log.getByText("run cancelled").waitFor();
    expect(tab.faults).toEqual([]);
    fault = "";
  });

  test("that is not there is said so", async () => {
    await using tab = await browser.openTab(`${stage.url}#/runs/999999`, { expected: refusals });
    await tab.page.getByText("No such run").waitFor();
    expect(tab.faults).toEqual([]);
  });
});

describe("the views of runs", () => {
  let failed = 0;
  beforeAll(async () => {
    fault = "500";
    failed = (await post("api/runs", { results: 3000 })).id;
    await stateIs(failed, "failed");
    fault = "";
  });

  for (const scheme of ["light", "dark"] as const) {
    for (const width of [1280, 360]) {
      test(`have nothing against them in the ${scheme} scheme, ${width} px wide`, async () => {
        const id = await performRun(stage, 5);
        await using tab = await browser.openTab(`${stage.url}#/runs`, { scheme, width });
        const { page } = tab;
        await page.getByRole("gridcell", { name: `Run ${id}, success` }).waitFor();
        const fine = async (name: string) => {
          await tab.shoot(name);
          expect(await tab.violations()).toEqual([]);
          expect(await tab.fits()).toBe(true);
        };
        await fine("runs");
        await page.locator(".squares .square").first().focus();
        await page.locator(".tip").waitFor();
        await fine("runs-tip");
        await page.keyboard.press("Escape");
        await page.getByRole("button", { name: "Trigger a run" }).click();
        await page.getByText("Nationalities:").click();
        await fine("trigger");
        await page.keyboard.press("Escape");
        await page.goto(`${stage.url}#/runs/${failed}`);
        await page.getByRole("log").getByText("run failed").waitFor();
        await fine("run-failed");
        await page.goto(`${stage.url}#/runs/${id}`);
        await page.getByRole("log").getByText("run succeeded").waitFor();
        await fine("run");
        expect(tab.faults).toEqual([]);
      });
    }
  }
});

describe("ten thousand runs", () => {
  const many = 10_000;
  beforeAll(async () => {
    await stage.pipeline.database.sql`
      insert into runs (trigger, logical_time, seed, results, state, attempt, fetched, accepted,
        created_at, started_at, finished_at, error)
      select case when n % 10 = 0 then 'manual' else 'schedule' end,
        case when n % 10 = 0 then null else now() - n * interval '1 hour' end,
        'many-' || n || '-', 1000, case when n % 50 = 0 then 'failed' when n % 33 = 0 then 'skipped'
          else 'success' end, 1, 1000, 1000,
        now() - n * interval '1 hour', now() - n * interval '1 hour',
        now() - n * interval '1 hour' + interval '3 seconds',
        case when n % 50 = 0 then 'the API answered 500' end
      from generate_series(${many}::integer, 1, -1) as n`;
  });

  test("are squares, made as they come into sight, that arrow keys lead through", async () => {
    await using tab = await browser.openTab(`${stage.url}#/runs`);
    const { page } = tab;
    const [newest] = await runsBy("limit=1");
    const grid = page.getByRole("grid");
    await page.getByRole("gridcell", { name: `Run ${newest?.id}, ` }).waitFor();
    const heard = () => page.evaluate("document.activeElement.getAttribute('aria-label')");
    await grid.locator(".square").first().focus();
    expect(await heard()).toStartWith(`Run ${newest?.id}, `);
    await page.keyboard.press("ArrowRight");
    expect(await heard()).toStartWith(`Run ${(newest?.id ?? 0) - 1}, `);
    const tip = page.locator(".tip");
    await tip.getByText("Logical time").waitFor();
    await page.keyboard.press("Escape");
    await tip.waitFor({ state: "hidden" });
    const columns = Number(await grid.getAttribute("aria-colcount"));
    await page.keyboard.press("ArrowDown");
    expect(await heard()).toStartWith(`Run ${(newest?.id ?? 0) - 1 - columns}, `);

    // To the end of what is known, again and again, until all of them are.
    const complete = page.getByText(/^10,\d\d\d runs$/);
    const further = async () => {
      await page.keyboard.press("Control+End");
      return await complete.isVisible();
    };
    await until(further, { everyMs: 50 });
    await page.keyboard.press("Control+End");
    expect(await heard()).toStartWith("Run 1, ");
    expect(await grid.locator(".square").count()).toBeLessThan(1500);
    await tab.shoot("runs-many");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Run 1", exact: true }).waitFor();
    expect(tab.faults).toEqual([]);
  });

  test("are pages, by filters that the address keeps", async () => {
    await using tab = await browser.openTab(`${stage.url}#/runs`);
    const { page } = tab;
    const table = page.getByRole("table", { name: "Runs" });
    const rows = () => table.locator("tbody tr").count();
    const states = () => table.locator("tbody .state-mark").allTextContents();
    await until(async () => (await rows()) === 50);
    await page.getByRole("group", { name: "State" }).getByText("failed").click();
    await until(async () => new Set(await states()).size === 1);
    expect(new Set(await states())).toEqual(new Set(["failed"]));
    await page.getByRole("group", { name: "Trigger" }).getByText("manual").click();
    const [newest = ""] = await table.locator("tbody a").allTextContents();
    await page.getByRole("button", { name: "Older" }).click();
    await table.getByRole("link", { name: newest, exact: true }).waitFor({ state: "detached" });
    expect(page.url()).toContain("state=failed&trigger=manual&before=");
    const shown = await table.locator("tbody a").allTextContents();
    await page.reload();
    await until(async () => (await rows()) === shown.length);
    expect(await table.locator("tbody a").allTextContents()).toEqual(shown);
    await page.getByRole("button", { name: "Newest" }).click();
    await until(() => !page.url().includes("before="));
    await page.getByLabel("Time", { exact: true }).selectOption("24h");
    const asked = await runsBy(
      `state=failed&trigger=manual&limit=100&from=${new Date(Date.now() - 864e5).toISOString()}`,
    );
    await until(async () => (await rows()) === asked.length);
    await page.getByRole("button", { name: "Clear" }).click();
    await until(async () => (await rows()) === 50);
    expect(new URL(page.url()).hash).toBe("#/runs");
    expect(tab.faults).toEqual([]);
  });
});

const focused = (page: Page) => page.evaluate("document.activeElement.name");
const focusedText = (page: Page) => page.evaluate("document.activeElement.textContent");

/** In the browser: what is read out beside the name of a field. */
function descriptionOf(field: { getAttribute(name: string): string | null }): string {
  const ids = field.getAttribute("aria-describedby")?.split(" ") ?? [];
  const page = Reflect.get(globalThis, "document");
  return ids.map((id) => page.getElementById(id)?.textContent ?? "").join(" ");
}
