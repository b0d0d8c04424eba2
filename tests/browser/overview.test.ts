import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { launchBrowser, type TestBrowser } from "../browser.ts";
import { openStage, performRun, type Stage } from "../stage.ts";
import { until } from "../until.ts";

/* The overview in a browser, over the whole pipeline as it runs. */

setDefaultTimeout(240_000);

let browser: TestBrowser;
let stage: Stage;
beforeAll(async () => {
  [browser, stage] = await Promise.all([launchBrowser(), openStage()]);
});
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await stage?.[Symbol.asyncDispose]();
});

const figure = (station: string) => `[data-station="${station}"] .station-value`;

describe("the overview", () => {
  test("shows a run on its way by itself, from its users to the newest rows of the table", async () => {
    await using tab = await browser.openTab(stage.url);
    const { page } = tab;
    await page.getByText("Live", { exact: true }).waitFor();
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    const before = await stage.rows();
    await performRun(stage, 30);
    for (const station of ["raw", "topic", "table"]) {
      await until(async () => (await page.textContent(figure(station))) === `${before + 30}`);
    }
    expect(await stage.rows()).toBe(before + 30);
    await until(async () => (await page.locator(".users tbody tr").count()) === 10);
    const portraits = page.locator(".users img");
    expect(await portraits.count()).toBe(0);
    // All plots are drawn, and their legends say what the lines are at.
    await until(async () => (await page.locator(".plot canvas").count()) === 5);
    await until(async () => /\d/.test((await page.textContent(".plot .plot-value")) ?? ""));
    expect(tab.faults).toEqual([]);
  });

  test.each([
    [1280, "light"],
    [1280, "dark"],
    [360, "light"],
    [360, "dark"],
  ] as const)("is right for everybody at %d pixels, %s", async (width, scheme) => {
    await using tab = await browser.openTab(stage.url, { width, scheme });
    await until(async () => (await tab.page.locator(".plot canvas").count()) === 5);
    await until(async () => (await tab.page.locator(".users tbody tr").count()) > 0);
    await tab.shoot("overview");
    expect(await tab.violations()).toEqual([]);
    expect(await tab.fits()).toBe(true);
    expect(tab.faults).toEqual([]);
  });

  test("moves nothing while it loads and lives", async () => {
    await using tab = await browser.openTab(stage.url);
    await until(async () => (await tab.page.locator(".users tbody tr").count()) > 0);
    await until(async () => (await tab.page.locator(".plot canvas").count()) === 5);
    await performRun(stage, 5);
    const { shift } = await tab.measures();
    // Google calls a page good below 0.1.
    expect(shift).toBeLessThan(0.1);
  });
});
