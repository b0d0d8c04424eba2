import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import type { Backfill } from "../../lib/domain/backfill.ts";
import type { Run } from "../../lib/domain/run.ts";
import type { Schedule } from "../../lib/domain/schedule.ts";
import { parseFaults } from "../../lib/local/fake-api/faults.ts";
import { type FakeApiServer, startFakeApi } from "../../lib/local/fake-api/server.ts";
import { launchBrowser, type TestBrowser } from "../browser.ts";
import { openStage, type Stage } from "../stage.ts";
import { until } from "../until.ts";

/* The dashboard's views of the schedule and of backfills, in a browser, over the whole pipeline. */

setDefaultTimeout(240_000);

let stage: Stage;
let browser: TestBrowser;
let api: FakeApiServer;
/** How the API misbehaves from now on. */
let fault = "";
/** Hours away from any test. */
const hour = (new Date().getUTCHours() + 12) % 24;
const daily = (minute: number) => `${minute} ${hour} * * *`;
beforeAll(async () => {
  api = startFakeApi({ faults: () => (fault === "" ? undefined : parseFaults(fault)[0]) });
  const settings = { SOURCE_URL: api.url, RESULTS: "2", SCHEDULE: daily(0) };
  [stage, browser] = await Promise.all([openStage(settings), launchBrowser()]);
});
afterAll(async () => {
  await Promise.all([browser, stage, api].map((each) => each?.[Symbol.asyncDispose]()));
});

type View = Schedule & { readonly next: string | null };
const scheduleNow = () => stage.ask<View>("api/schedule");
const change = (changes: Partial<Schedule>) =>
  stage.ask<View>("api/schedule", {
    method: "PATCH",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(changes),
  });
/** Browsers tell on the console of each answer above 399. */
const refusals = /status of 4\d\d/;
const part = (page: Page, name: string) => page.getByRole("region", { name });

describe("the schedule", () => {
  test("is paused by a click, and resumed by a key", async () => {
    await using tab = await browser.openTab(`${stage.url}#/schedule`);
    const standing = part(tab.page, "As it stands");
    await standing.getByText("The next run").waitFor();
    await tab.page.getByRole("button", { name: "Pause" }).click();
    await until(async () => (await scheduleNow()).paused);
    await standing.getByText("paused", { exact: true }).waitFor();
    await tab.page.getByRole("button", { name: "Resume" }).focus();
    await tab.page.keyboard.press("Space");
    await until(async () => !(await scheduleNow()).paused);
    await standing.getByText("active", { exact: true }).waitFor();
    expect(tab.faults).toEqual([]);
  });

  test("is changed by a form that shows when it would run, and what is wrong at its field", async () => {
    await using tab = await browser.openTab(`${stage.url}#/schedule`, { expected: refusals });
    const { page } = tab;
    const form = part(page, "Change the schedule");
    const would = form.locator(".next-times time");
    await form.getByLabel("Cron").fill("hourly");
    await form.getByText('"hourly": expected a cron expression of 5 or 6 fields').waitFor();
    expect(await form.getByLabel("Cron").getAttribute("aria-invalid")).toBe("true");
    await form.getByLabel("Cron").fill("30 6 1 1 *");
    await form.getByLabel("Time zone").fill("Asia/Tokyo");
    await until(async () => (await first(would)).endsWith("-12-31T21:30:00.000Z"));
    await form.getByLabel("Max active runs").fill("0");
    await form.getByLabel("Overlap").selectOption("skip");
    await form.getByRole("button", { name: "Save the schedule" }).click();
    await form.getByText("0: expected a number of runs from 1 to 100").waitFor();
    await form.getByLabel("Max active runs").fill("3");
    await page.keyboard.press("Enter");
    const wanted = { cron: "30 6 1 1 *", timezone: "Asia/Tokyo", maxActiveRuns: 3 };
    await until(async () => (await scheduleNow()).timezone === "Asia/Tokyo");
    expect(await scheduleNow()).toMatchObject({ ...wanted, overlap: "skip", catchup: false });
    await part(page, "As it stands").getByText("30 6 1 1 *").waitFor();
    await change({ cron: daily(0), timezone: "UTC", maxActiveRuns: 16, overlap: "queue" });
    expect(tab.faults).toEqual([]);
  });

  test("is not changed over what somebody else has made of it meanwhile", async () => {
    await using tab = await browser.openTab(`${stage.url}#/schedule`, { expected: refusals });
    const { page } = tab;
    const form = part(page, "Change the schedule");
    await form.getByLabel("Max active runs").fill("7");
    // Between the look of the page and its request.
    await page.route("**/api/schedule", async (route) => {
      if (route.request().method() === "PATCH") await change({ cron: daily(15) });
      await route.continue();
    });
    await form.getByRole("button", { name: "Save the schedule" }).click();
    await form.getByText(`meanwhile: Cron is now ${daily(15)}.`).waitFor();
    await page.unroute("**/api/schedule");
    expect(await scheduleNow()).toMatchObject({ maxActiveRuns: 16 });
    expect(await form.getByLabel("Cron").inputValue()).toBe(daily(15));
    expect(await form.getByLabel("Max active runs").inputValue()).toBe("7");
    // Told of by an event, it is said before anybody saves.
    await change({ cron: daily(45) });
    await form.getByText(`meanwhile: Cron is now ${daily(45)}.`).waitFor();
    await form.getByRole("button", { name: "Save the schedule" }).click();
    await until(async () => (await scheduleNow()).maxActiveRuns === 7);
    expect(await scheduleNow()).toMatchObject({ cron: daily(45) });
    // Without anything filled in, the form just follows.
    await change({ cron: daily(0), maxActiveRuns: 16 });
    await until(async () => (await form.getByLabel("Max active runs").inputValue()) === "16");
    expect(await form.getByRole("alert").first().isVisible()).toBe(false);
    expect(tab.faults).toEqual([]);
  });
});

describe("a backfill", () => {
  const backfillsNow = async () =>
    (await stage.ask<{ backfills: readonly Backfill[] }>("api/backfills")).backfills;
  const runs = async () => (await stage.ask<{ runs: readonly Run[] }>("api/runs?limit=1000")).runs;
  /** The browser is in Berlin, an hour before UTC in winter. */
  const range = async (page: Page, from: string, to: string) => {
    await page.getByLabel("From", { exact: true }).fill(from);
    await page.getByLabel("To", { exact: true }).fill(to);
  };

  test("is listed before it runs, then made, and followed to its end", async () => {
    await using tab = await browser.openTab(`${stage.url}#/backfills`, { expected: refusals });
    const { page } = tab;
    const form = part(page, "A new backfill");
    await page.getByText("No backfills yet").waitFor();
    await form.getByRole("button", { name: "Start the backfill" }).click();
    await form.getByText("expected a time").first().waitFor();
    expect(await page.getByLabel("From", { exact: true }).getAttribute("aria-invalid")).toBe(
      "true",
    );
    await range(page, "2026-01-01T01:00", "2026-01-04T01:00");
    await form.getByText("2026-01-04 00:00:00 UTC").waitFor();
    await form.getByRole("button", { name: "Show what would run" }).click();
    await form.getByText("3 runs would be made: 3 new").waitFor();
    expect(await form.locator(".would-run time").count()).toBe(3);
    expect(await runs()).toEqual([]);
    await form.getByRole("button", { name: "Start the backfill" }).click();
    const made = page.getByRole("listitem").filter({ hasText: "Backfill 1" });
    await made.getByText("3 of 3 ended").waitFor();
    await made.getByText("done").waitFor();
    const at = (day: number) => new Date(Date.UTC(2026, 0, day, hour)).toISOString();
    expect((await runs()).map(({ logicalTime, state }) => `${logicalTime} ${state}`)).toEqual(
      [3, 2, 1].map((day) => `${at(day)} success`),
    );
    await made.getByRole("link", { name: "success 3" }).click();
    await until(async () => (await page.locator(".runs-table tbody tr").count()) === 3);
    expect(tab.faults).toEqual([]);
  });

  test("has nothing to do where all times have a run, and again what it is told to", async () => {
    await using tab = await browser.openTab(`${stage.url}#/backfills`);
    const { page } = tab;
    const form = part(page, "A new backfill");
    await range(page, "2026-01-01T01:00", "2026-01-04T01:00");
    await form.getByRole("button", { name: "Start the backfill" }).click();
    await form.getByText("Nothing to run").waitFor();
    expect(await backfillsNow()).toHaveLength(1);
    await form.getByLabel("Reprocess").selectOption("completed");
    expect(await form.getByText("Nothing to run").count()).toBe(0);
    await form.getByRole("button", { name: "Show what would run" }).click();
    await form.getByText("3 runs would be made: 3 run again").waitFor();
    expect(tab.faults).toEqual([]);
  });

  test("is cancelled by keyboard, with what is performed", async () => {
    fault = "hang";
    await using tab = await browser.openTab(`${stage.url}#/backfills`);
    const { page } = tab;
    await range(page, "2026-02-01T01:00", "2026-02-11T01:00");
    await page.getByLabel("Max active runs").fill("2");
    await page.getByRole("button", { name: "Start the backfill" }).click();
    const made = page.getByRole("listitem").filter({ hasText: "Backfill 2" });
    await made.getByRole("link", { name: "running 2" }).waitFor();
    await page.getByRole("button", { name: "Cancel: backfill 2" }).focus();
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog", { name: "Cancel backfill 2?" });
    await dialog.waitFor();
    await dialog.getByRole("checkbox").focus();
    await page.keyboard.press("Space");
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.textContent")).toBe("Go back");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await until(async () => (await backfillsNow())[0]?.states.cancelled === 10);
    await made.getByText("cancelled", { exact: true }).first().waitFor();
    await made.getByText("10 of 10 ended").waitFor();
    expect(tab.faults).toEqual([]);
    fault = "";
  });
});

describe("the views of schedule and backfills", () => {
  for (const scheme of ["light", "dark"] as const) {
    for (const width of [1280, 360]) {
      test(`have nothing against them in the ${scheme} scheme, ${width} px wide`, async () => {
        await using tab = await browser.openTab(`${stage.url}#/schedule`, { scheme, width });
        const { page } = tab;
        const fine = async (name: string) => {
          await tab.shoot(name);
          expect(await tab.violations()).toEqual([]);
          expect(await tab.fits()).toBe(true);
        };
        await until(async () => (await page.locator(".next-times time").count()) > 4);
        await fine("schedule");
        await page.goto(`${stage.url}#/backfills`);
        await page.getByText("10 of 10 ended").waitFor();
        await page.getByLabel("From", { exact: true }).fill("2026-01-01T00:00");
        await page.getByLabel("To", { exact: true }).fill("2026-02-20T00:00");
        await page.getByLabel("Reprocess").selectOption("failed");
        await page.getByRole("button", { name: "Show what would run" }).click();
        await page.getByText("would be made").waitFor();
        await fine("backfills");
        expect(tab.faults).toEqual([]);
      });
    }
  }
});

/** The moment that the first of some times says. */
async function first(times: ReturnType<Page["locator"]>): Promise<string> {
  return (await times.first().getAttribute("datetime")) ?? "";
}
