import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { testApp } from "../../http-app.ts";
import { type Document, judgeOf, requestsTo, routesOf } from "../../openapi.ts";

setDefaultTimeout(60_000);

const { request } = testApp();
const document = (await (await request("/openapi.json")).json()) as Document;
const routes = routesOf(document);
const judge = judgeOf(document);

test("the document names every route that README names, and its version of OpenAPI", async () => {
  expect(document.openapi).toBe("3.1.0");
  const readme = await Bun.file(new URL("../../../README.md", import.meta.url)).text();
  const named = [...readme.matchAll(/^\| .*$/gm)].flatMap(([row]) =>
    [...row.matchAll(/`(GET|POST|PATCH|DELETE) (\/[\w./]*)/g)].map(
      ([, method, path]) => `${method} ${path}`,
    ),
  );
  const described = routes.map(({ method, path }) => `${method} ${path.replace("{id}", "ID")}`);
  expect(described.toSorted()).toEqual([...new Set(named)].toSorted());
});

test("every route says in a few words what it does, under a name of its own", () => {
  expect(new Set(routes.map(({ operation }) => operation.operationId)).size).toBe(routes.length);
  for (const { operation } of routes) expect(operation.summary).toMatch(/^[A-Z].{5,60}$/);
});

describe("whatever is asked, no answer is outside the document, and none is a fault of ours:", () => {
  test.each(routes.map((route) => [`${route.method} ${route.path}`, route] as const))(
    "%s",
    async (_, route) => {
      await fc.assert(
        fc.asyncProperty(requestsTo(route, document), async ({ url, ...init }) => {
          expect(await judge(route, await request(url, init))).toBe("");
        }),
        { numRuns: 25 },
      );
    },
  );
});

describe("the judge", () => {
  const [route] = routes.filter(({ path, method }) => path === "/api/runs" && method === "GET");
  if (!route) throw new Error("no such route");
  const json = (body: unknown, status = 200, type = "application/json") =>
    new Response(JSON.stringify(body), { status, headers: { "content-type": type } });

  test.each<[string, Response]>([
    ["a field too few", json({ runs: [] })],
    ["a field too many", json({ runs: [], next: null, more: 1 })],
    ["another type", json({ runs: [], next: 5 })],
    ["a wrong run", json({ runs: [{ id: 1 }], next: null })],
    ["a status of its own", json({ runs: [], next: null }, 201)],
    [
      "a fault of ours",
      json({ type: "about:blank", status: 500, title: "" }, 500, "application/problem+json"),
    ],
    ["a problem that is none", json({ error: "x" }, 422, "application/problem+json")],
    ["another media type", json({ runs: [], next: null }, 200, "text/html")],
  ])("finds %s", async (_, answer) => {
    expect(await judge(route, answer)).not.toBe("");
  });

  test("is content with what is promised", async () => {
    expect(await judge(route, json({ runs: [], next: null }))).toBe("");
  });
});
