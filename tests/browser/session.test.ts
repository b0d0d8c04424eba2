import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { freePorts } from "../../lib/local/ports.ts";
import { launchBrowser, type TestBrowser } from "../browser.ts";
import { refusedPort } from "../proxy.ts";
import { startScript } from "../scripts.ts";
import { openStage, type Stage } from "../stage.ts";
import { until } from "../until.ts";

/* What becomes of an open page: signed out, without its service, before that has started. */

setDefaultTimeout(240_000);

const token = "correct-horse-battery-staple";
let browser: TestBrowser;
let stage: Stage;
beforeAll(async () => {
  [browser, stage] = await Promise.all([launchBrowser(), openStage({ API_TOKEN: token })]);
});
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await stage?.[Symbol.asyncDispose]();
});

/** Signed in, by keys alone. */
async function openPage(look?: Parameters<TestBrowser["openTab"]>[1]) {
  const tab = await browser.openTab(stage.url, look);
  await tab.page.getByLabel("Token").waitFor();
  await tab.page.keyboard.type(token);
  await tab.page.keyboard.press("Enter");
  await tab.page.getByText("Live", { exact: true }).waitFor();
  return tab;
}

describe("with a token", () => {
  test("the page asks for it, once, and then all of it works, its events too", async () => {
    await using tab = await openPage();
    const { page } = tab;
    await page.locator('[data-station="raw"][data-state="up"]').waitFor();
    await page.reload();
    await page.getByText("Live", { exact: true }).waitFor();
    expect(await page.getByLabel("Token").count()).toBe(0);
    expect(await page.evaluate("document.cookie + JSON.stringify({ ...localStorage })")).toBe("{}");
    const [cookie, ...others] = await page.context().cookies();
    expect(others).toEqual([]);
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Strict", secure: false, path: "/" });
    expect(tab.faults).toEqual([]);
  });

  test("the page says when it is not the token, and asks anew after signing out", async () => {
    await using tab = await browser.openTab(stage.url, { expected: /status of 403/ });
    const { page } = tab;
    await page.getByLabel("Token").fill("not the token at all");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("That is not the token").waitFor();
    await tab.shoot("sign-in");
    expect(await tab.violations()).toEqual([]);
    await page.getByLabel("Token").fill(token);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("Live", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Token").waitFor();
    expect(await page.context().cookies()).toEqual([]);
    expect(tab.faults).toEqual([]);
  });

  test.each([
    [360, "light"],
    [360, "dark"],
  ] as const)("the page to sign in is right at %d pixels, %s", async (width, scheme) => {
    await using tab = await browser.openTab(stage.url, { width, scheme });
    await tab.page.getByLabel("Token").waitFor();
    await tab.shoot("sign-in");
    expect(await tab.violations()).toEqual([]);
    expect(await tab.fits()).toBe(true);
    expect(tab.faults).toEqual([]);
  });
});

describe("a page whose service is killed", () => {
  test("says so, and goes on with the next one by itself", async () => {
    await using tab = await openPage({ expected: /net::ERR|status of 503/ });
    const { page } = tab;
    await stage.service.end("SIGKILL");
    await page.getByText("Connection lost").waitFor();
    await tab.shoot("lost");
    expect(await tab.violations()).toEqual([]);
    await stage.startService();
    await page.getByText("Live", { exact: true }).waitFor();
    await page.getByText("Connected again").waitFor({ state: "attached" });
    const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
    await stage.ask("api/runs", { method: "POST", headers, body: '{"results":7}' });
    await until(
      async () => (await page.textContent('[data-station="table"] .station-value')) === "7",
    );
    expect(tab.faults).toEqual([]);
  });
});

describe("a service that waits for its servers", () => {
  test("shows the page, which says what is waited for", async () => {
    const [port = 0] = freePorts(1);
    const nowhere = `127.0.0.1:${await refusedPort()}`;
    await using _ = startScript("ingest", [], {
      ...{ PORT: `${port}`, KAFKA_BROKERS: nowhere },
      DATABASE_URL: `postgres://postgres@${nowhere}/postgres`,
    });
    const url = `http://127.0.0.1:${port}/`;
    await until(() =>
      fetch(url).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    await using tab = await browser.openTab(url, { expected: /status of 503/ });
    await tab.page
      .getByText(/The service is not ready: waiting for Kafka at .*\. It goes on/)
      .waitFor();
    await tab.shoot("starting");
    expect(await tab.violations()).toEqual([]);
    expect(tab.faults).toEqual([]);
  });
});
