import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import axe from "axe-core";
import { type Browser, chromium, type Page, type Request } from "playwright-core";
import { findChromium } from "../lib/local/chromium.ts";
import { isRoot } from "../lib/local/privileges.ts";

/* The dashboard as people see it: in the system's Chromium. */

export interface TestBrowser extends AsyncDisposable {
  openTab(url: string, look?: Look): Promise<Tab>;
}

export interface Look {
  readonly width?: number;
  readonly height?: number;
  readonly scheme?: "light" | "dark";
  /** What the console may say: a browser tells there of each answer above 399. */
  readonly expected?: RegExp;
}

export interface Tab extends AsyncDisposable {
  readonly page: Page;
  /** Errors on the console, uncaught ones, requests to other hosts; empty while all is well. */
  readonly faults: readonly string[];
  /** What axe-core finds wrong with the page as it is shown. */
  violations(): Promise<readonly string[]>;
  /** Keeps a picture of the whole page under `.local/screenshots`, for people to look at. */
  shoot(name: string): Promise<void>;
  /** True when nothing can be scrolled sideways. */
  fits(): Promise<boolean>;
  /** What the browser has measured since the page was opened. */
  measures(): Promise<Measures>;
}

export interface Measures {
  /** Milliseconds of each task that kept the page from answering for more than 50. */
  readonly longTasks: readonly number[];
  /** How far things have moved that nobody had touched: the sum of all layout shifts. */
  readonly shift: number;
  /** Milliseconds until anything was to be seen; null while nothing is. */
  readonly firstPaintMs: number | null;
  readonly requests: number;
  /** Bytes that came over the network, heads included; streams count when they end. */
  readonly transferred: number;
}

const pictures = join(import.meta.dir, "../.local/screenshots");

export async function launchBrowser(): Promise<TestBrowser> {
  const executablePath = findChromium();
  if (!executablePath) throw new Error("no Chromium or Chrome: `bun run test` installs one");
  // Chromium refuses its sandbox to root.
  const args = ["--disable-dev-shm-usage", ...(isRoot() ? ["--no-sandbox"] : [])];
  const browser = await chromium.launch({ executablePath, args, timeout: 120_000 });
  return {
    openTab: (url, look) => openTab(browser, url, look),
    [Symbol.asyncDispose]: () => browser.close(),
  };
}

async function openTab(browser: Browser, url: string, look: Look = {}): Promise<Tab> {
  const { width = 1280, height = 900, scheme = "light", expected } = look;
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: scheme,
    locale: "en-GB",
    timezoneId: "Europe/Berlin",
  });
  context.setDefaultTimeout(120_000);
  await context.addInitScript(observe);
  const page = await context.newPage();
  const faults: string[] = [];
  const fault = (text: string) => {
    if (!expected?.test(text)) faults.push(text);
  };
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) {
      fault(`${message.text()} (${message.location().url})`);
    }
  });
  page.on("pageerror", (error) => fault(String(error)));
  page.on("request", (request: Request) => {
    const to = new URL(request.url());
    if (to.protocol !== "data:" && to.origin !== new URL(url).origin) fault(`asked ${to}`);
  });
  await page.goto(url);
  return {
    page,
    faults,
    violations: () => violations(page),
    shoot: async (name) => {
      await mkdir(pictures, { recursive: true });
      const path = join(pictures, `${name}-${width}-${scheme}.png`);
      await page.screenshot({ path, fullPage: true });
    },
    fits: () =>
      page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"),
    measures: () => page.evaluate("globalThis.measured()") as Promise<Measures>,
    [Symbol.asyncDispose]: () => context.close(),
  };
}

/** Runs in each page before anything of its own. */
const observe = `
  const longTasks = [];
  let shift = 0;
  const watch = (type, hear) => new PerformanceObserver((list) => list.getEntries().forEach(hear))
    .observe({ type, buffered: true });
  watch("longtask", ({ duration }) => longTasks.push(duration));
  watch("layout-shift", ({ value, hadRecentInput }) => { if (!hadRecentInput) shift += value; });
  globalThis.measured = () => {
    const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
    const [paint] = performance.getEntriesByName("first-contentful-paint");
    return {
      longTasks, shift, firstPaintMs: paint?.startTime ?? null, requests: all.length,
      transferred: all.reduce((sum, { transferSize }) => sum + transferSize, 0),
    };
  };
`;

async function violations(page: Page): Promise<readonly string[]> {
  // By the debugger, which the page's policy does not hold up.
  await page.evaluate(axe.source);
  const found = (await page.evaluate(
    "axe.run(document, { resultTypes: ['violations'] })",
  )) as Found;
  return found.violations.flatMap(({ id, help, nodes }) =>
    nodes.map(
      ({ target, failureSummary }) => `${id}: ${help}: ${target.join(" ")}: ${failureSummary}`,
    ),
  );
}

interface Found {
  readonly violations: readonly {
    readonly id: string;
    readonly help: string;
    readonly nodes: readonly {
      readonly target: readonly string[];
      readonly failureSummary: string;
    }[];
  }[];
}
