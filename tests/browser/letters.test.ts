import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { silentLog as log } from "../../lib/log.ts";
import { openSender } from "../../lib/topic/producer.ts";
import { launchBrowser, type TestBrowser } from "../browser.ts";
import { openStage, type Stage } from "../stage.ts";
import { until } from "../until.ts";
import { never, users } from "../users.ts";

/* Dead letters in a browser: looked at, replayed into the table, purged. */

setDefaultTimeout(240_000);

let browser: TestBrowser;
let stage: Stage;
const [wrong, long] = users(2, "letters");
beforeAll(async () => {
  [browser, stage] = await Promise.all([launchBrowser(), openStage()]);
  const { settings, pipeline } = stage;
  // A store indexes values of up to 64 kB, and refuses a row with a longer one.
  await stage.store.execute(`create index ${indexName()} on ${pipeline.table} (picture)`);
  expect(settings.KAFKA_TOPIC).toBe(pipeline.topic.name);
  const options = { topic: pipeline.topic.name, maxBytes: 8_000_000, log, signal: never };
  await using sender = await openSender(pipeline.topic, options);
  const records = [
    { ...wrong, dob: "the day before yesterday" },
    { ...long, picture: `https://example.org/${"x".repeat(70_000)}` },
  ].map((user) => ({ key: null, value: Buffer.from(JSON.stringify(user)), headers: [] }));
  expect(await sender.send(records)).toEqual([]);
  await until(async () => {
    const { total } = await stage.ask<{ total: number }>("api/letters");
    return total === 2;
  });
});
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await stage?.[Symbol.asyncDispose]();
});

const indexName = () => `pictures_${stage.pipeline.table.split(".")[1]}`;
const letters = () => `${stage.url}#/letters`;

describe("dead letters", () => {
  test.each([
    [1280, "light"],
    [1280, "dark"],
    [360, "light"],
    [360, "dark"],
  ] as const)("are shown with the field that is wrong, at %d pixels, %s", async (width, scheme) => {
    await using tab = await browser.openTab(letters(), { width, scheme });
    const { page } = tab;
    await page.getByText("2 letters", { exact: true }).waitFor();
    await page.getByRole("searchbox", { name: "Reason contains" }).fill("DATE");
    await page.getByText("1 letter", { exact: true }).waitFor();
    expect(page.url()).toContain("reason=DATE");
    // By keys: the summary is what the focus comes to after the box that selects.
    await page.getByRole("checkbox").focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.locator(".json mark").waitFor();
    expect(await page.textContent(".json mark")).toBe('"the day before yesterday"');
    await tab.shoot("letters");
    expect(await tab.violations()).toEqual([]);
    expect(await tab.fits()).toBe(true);
    expect(tab.faults).toEqual([]);
  });

  test("become rows when what was in their way is gone and they are replayed", async () => {
    await using tab = await browser.openTab(letters());
    const { page } = tab;
    await page.getByText("2 letters", { exact: true }).waitFor();
    expect(await stage.rows()).toBe(0);
    await stage.store.execute(`drop index ${stage.pipeline.table.split(".")[0]}.${indexName()}`);
    await page
      .getByRole("checkbox")
      .nth(await at(page.locator(".letter"), "write"))
      .check();
    await page.getByRole("button", { name: "Replay 1 selected" }).click();
    await tab.shoot("replay");
    expect(await tab.violations()).toEqual([]);
    await page.getByRole("dialog").getByRole("button", { name: "Replay" }).click();
    await page.getByText("1 letter on the way again").waitFor();
    await until(async () => (await stage.rows()) === 1);
    await page.getByText("1 letter", { exact: true }).waitFor();
    expect(tab.faults).toEqual([]);
  });

  test("are purged after a question, and not when that is answered with no", async () => {
    await using tab = await browser.openTab(letters());
    const { page } = tab;
    await page.getByRole("button", { name: "Purge 1 letter" }).click();
    await page.keyboard.press("Escape");
    expect((await stage.ask<{ total: number }>("api/letters")).total).toBe(1);
    await page.getByRole("button", { name: "Purge 1 letter" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Purge" }).click();
    await page.getByText("1 letter purged").waitFor();
    await page.getByText("No letters", { exact: true }).waitFor();
    expect((await stage.ask<{ total: number }>("api/letters")).total).toBe(0);
    expect(tab.faults).toEqual([]);
  });
});

/** Which of the items says this. */
async function at(items: { allTextContents(): Promise<string[]> }, text: string): Promise<number> {
  return (await items.allTextContents()).findIndex((each) => each.includes(text));
}
