import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createPage } from "../../../lib/http/page.ts";
import { testApp } from "../../http-app.ts";

const { request } = testApp();
const folder = join(import.meta.dir, "../../../lib/http/dashboard");

/** The page, and every file it asks for at once or later. */
async function pageFiles() {
  return [...(await createPage().files())];
}

describe("the page", () => {
  test("is less than 100 kB in all, as it goes out", async () => {
    const files = await pageFiles();
    expect(files.length).toBeGreaterThan(4);
    const sizes = files.map(([, { bytes, gzipped }]) => (gzipped ?? bytes).length);
    const sum = sizes.reduce((total, size) => total + size, 0);
    expect(sum).toBeGreaterThan(5000);
    expect(sum).toBeLessThan(100_000);
  });

  test("names files of its own alone, each under a name that changes with its content", async () => {
    const files = new Map(await pageFiles());
    const html = new TextDecoder().decode(files.get("/")?.bytes);
    const named = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, path = ""]) => path);
    expect(named.length).toBeGreaterThan(2);
    for (const path of named) {
      expect(path).toMatch(/^\/assets\/[\w-]+-[0-9a-z]{8}\.(js|css|svg)$/);
      expect([...files.keys()]).toContain(path);
    }
  });

  test("may run its own scripts and styles and no others, and has none in itself", async () => {
    const answer = await request("/");
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toStartWith("text/html");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const policy = answer.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
    expect(policy).not.toContain("unsafe");
    const html = await answer.text();
    expect(html).not.toMatch(/<style|<script(?![^>]*\bsrc=)|\bstyle=|\bon\w+=/i);
  });

  test("writes text, never HTML", async () => {
    const paths = [...new Bun.Glob("**/*.ts").scanSync(folder)];
    expect(paths.length).toBeGreaterThan(10);
    for (const path of paths) {
      const source = await Bun.file(join(folder, path)).text();
      expect([
        path,
        source.match(/innerHTML|outerHTML|insertAdjacent|document\.write|eval\(/),
      ]).toEqual([path, null]);
    }
  });
});

describe("its files", () => {
  const script = async () => {
    const html = await (await request("/")).text();
    return /src="(\/assets\/[^"]*\.js)"/.exec(html)?.[1] ?? "";
  };
  const get = async (encoding: string) =>
    request(await script(), { headers: { "accept-encoding": encoding } });

  test("are kept by browsers for good", async () => {
    const answer = await get("gzip");
    expect(answer.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect(answer.headers.get("content-type")).toStartWith("text/javascript");
    expect(answer.headers.get("content-security-policy")).toStartWith("default-src 'none'");
  });

  test.each(["gzip", "br, gzip", "gzip, deflate, br, zstd", "GZIP;q=0.5, *"])(
    "are pressed for who takes %s",
    async (encoding) => {
      const answer = await get(encoding);
      expect(answer.headers.get("content-encoding")).toBe("gzip");
      expect(answer.headers.get("vary")).toBe("accept-encoding");
      const plain = Bun.gunzipSync(new Uint8Array(await answer.arrayBuffer()));
      expect(plain).toEqual(new Uint8Array(await (await get("")).arrayBuffer()));
    },
  );

  test.each(["", "br", "gzip;q=0", "gzip;q=0.0", "xgzip", "identity"])(
    "are not for who takes %j",
    async (encoding) => {
      const answer = await get(encoding);
      expect(answer.headers.get("content-encoding")).toBeNull();
    },
  );

  test.each(["/assets/nothing.js", "/assets/", "/assets/..%2findex.html", "/index.html"])(
    "are not %s",
    async (path) => {
      expect((await request(path)).status).toBe(404);
    },
  );
});
