import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { testApp } from "../../http-app.ts";

setDefaultTimeout(60_000);

describe("a run", () => {
  test("is cancelled, tried again, and refuses what does not fit its state with 409", async () => {
    const { send } = testApp();
    await send("POST", "/api/runs", {});
    const act = async (what: string, body?: object) => {
      const answer = await send("POST", `/api/runs/1/${what}`, body);
      return [answer.status, ((await answer.json()) as { state?: string; detail?: string }).state];
    };
    expect(await act("retry")).toEqual([409, undefined]);
    expect(await act("cancel")).toEqual([202, "cancelled"]);
    expect(await act("retry", { fromStart: true })).toEqual([202, "queued"]);
  });

  test.each(["retry", "cancel"])("that is not there: %s is 404", async (what) => {
    expect((await testApp().send("POST", `/api/runs/7/${what}`)).status).toBe(404);
  });

  test.each([[{ fromStart: "yes" }], [{ from: 1 }], [[]]])(
    "is not tried again for %j",
    async (body) => {
      const { send } = testApp();
      await send("POST", "/api/runs", {});
      expect((await send("POST", "/api/runs/1/retry", body)).status).toBe(422);
    },
  );

  test("tells its log page by page, and where it goes on later", async () => {
    const { send, request } = testApp();
    await send("POST", "/api/runs", {});
    const page = async (query: string) => {
      const log = (await (await request(`/api/runs/1/log${query}`)).json()) as {
        lines: { id: string }[];
        next: string | null;
        more: boolean;
      };
      return { ...log, lines: log.lines.map(({ id }) => id) };
    };
    expect(await page("?limit=6")).toEqual({
      ...{ lines: ["1.1", "1.2", "1.3", "1.4", "1.5", "2.1"], next: "2.1", more: true },
    });
    expect(await page("?limit=6&cursor=2.1")).toEqual({
      ...{ lines: ["2.2", "2.3", "2.4", "2.5"], next: "2.5", more: false },
    });
    expect(await page("?cursor=2.5")).toEqual({ lines: [], next: "2.5", more: false });
    expect(await page("?attempt=2&limit=1")).toEqual({ lines: ["2.1"], next: "2.1", more: true });
  });

  test.each(["limit=0", "limit=1001", "cursor=2", "cursor=a.b", "attempt=x"])(
    "refuses its log for ?%s",
    async (query) => {
      expect((await testApp().request(`/api/runs/1/log?${query}`)).status).toBe(422);
    },
  );
});

describe("the schedule", () => {
  test("is changed where it still is the one that was looked at", async () => {
    const { send, request } = testApp();
    const etag = (await request("/api/schedule")).headers.get("etag") ?? "";
    expect(etag).toBe('"1"');
    const change = (body: object, headers = {}) => send("PATCH", "/api/schedule", body, headers);
    const changed = await change({ paused: true, cron: "*/5 * * * *" }, { "if-match": etag });
    expect(changed.headers.get("etag")).toBe('"2"');
    expect(await changed.json()).toMatchObject({
      paused: true,
      cron: "*/5 * * * *",
      overlap: "queue",
    });
    expect((await change({ paused: false }, { "if-match": etag })).status).toBe(412);
    expect(await (await request("/api/schedule")).json()).toMatchObject({ paused: true });
    expect((await change({ paused: false }, { "if-match": "*" })).status).toBe(200);
    expect((await change({ catchup: true })).status).toBe(200);
    expect((await change({ catchup: false }, { "if-match": "4" })).status).toBe(422);
  });

  test("tells its next times, and those of other settings while it is paused", async () => {
    const { send, request } = testApp();
    const next = async (query: string) => {
      const answer = await (await request(`/api/schedule/next${query}`)).json();
      return (answer as { times: string[] }).times.length;
    };
    expect(await next("?limit=3")).toBe(3);
    await send("PATCH", "/api/schedule", { paused: true });
    expect(await next("?limit=3")).toBe(0);
    expect(await next("?limit=3&cron=0+6+*+*+*&timezone=Europe/Berlin")).toBe(3);
  });

  test.each(["limit=0", "limit=101", "cron=hourly", "timezone=Mars/Olympus"])(
    "tells no next times for ?%s",
    async (query) => {
      expect((await testApp().request(`/api/schedule/next?${query}`)).status).toBe(422);
    },
  );

  test.each<[object, string]>([
    [{ cron: "hourly" }, "cron"],
    [{ timezone: "Mars/Olympus" }, "timezone"],
    [{ maxActiveRuns: 0 }, "maxActiveRuns"],
    [{ overlap: "both" }, "overlap"],
    [{ version: 3 }, "version"],
  ])("is not changed to %j", async (body, path) => {
    const answer = await testApp().send("PATCH", "/api/schedule", body);
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({ errors: [{ path }] });
  });
});

describe("a backfill", () => {
  const range = { from: "2026-01-01T00:00:00Z", to: "2026-01-02T00:00:00Z" };

  test("is listed first, then made, looked at and cancelled", async () => {
    const { send, request } = testApp();
    const listed = await send("POST", "/api/backfills", { ...range, dryRun: true });
    expect(listed.status).toBe(200);
    expect(await listed.json()).toMatchObject({ backfill: null, runs: [{ id: null }] });
    const made = await send("POST", "/api/backfills", range);
    expect(made.status).toBe(202);
    const address = made.headers.get("location") ?? "";
    expect(await (await request(address)).json()).toMatchObject({ id: 1, reprocess: "none" });
    const page = await (await request("/api/backfills")).json();
    expect(page).toMatchObject({ backfills: [{ id: 1 }], next: null });
    expect((await send("POST", `${address}/cancel`)).status).toBe(202);
    expect(await (await request(address)).json()).toMatchObject({ state: "cancelled" });
    expect((await request("/api/backfills/2")).status).toBe(404);
    expect((await send("POST", "/api/backfills/2/cancel")).status).toBe(404);
  });

  test("is the same for the same key, which is refused for another one", async () => {
    const { request } = testApp();
    const make = async (body: object) => {
      const headers = { "content-type": "application/json", "idempotency-key": "january" };
      const init = { method: "POST", headers, body: JSON.stringify(body) };
      return await request("/api/backfills", init);
    };
    expect((await make(range)).headers.get("location")).toBe("/api/backfills/1");
    expect((await make(range)).headers.get("location")).toBe("/api/backfills/1");
    for (const other of [
      { to: "2026-01-03T00:00:00Z" },
      { order: "newest" },
      { maxActiveRuns: 3 },
    ]) {
      const refused = await make({ ...range, ...other });
      expect(refused.status).toBe(422);
      expect(await refused.json()).toMatchObject({ title: "The idempotency key was used before" });
    }
  });

  test.each<[object, string]>([
    [{ from: range.from }, "to"],
    [{ ...range, to: "tomorrow" }, "to"],
    [{ ...range, from: "0000-01-01T00:00:00Z" }, "from"],
    [{ ...range, reprocess: "all" }, "reprocess"],
    [{ ...range, limit: 1 }, "limit"],
  ])("is not made of %j", async (body, path) => {
    const answer = await testApp().send("POST", "/api/backfills", body);
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({ errors: [{ path }] });
  });
});

describe("events", () => {
  test("are of what is asked for, from where it is asked for", async () => {
    const { request, opened } = testApp();
    const answer = await request("/api/events?types=run,log&run=7", {
      headers: { "last-event-id": "12" },
    });
    expect(answer.headers.get("content-type")).toBe("text/event-stream");
    await request("/api/events");
    const types = ["run", "log", "schedule", "backfill", "pipeline"];
    expect(opened).toEqual([
      [{ types: ["run", "log"], run: 7 }, 12],
      [{ types } as never, undefined],
    ]);
  });

  test.each(["types=", "types=runs", "run=x"])("are refused for ?%s", async (query) => {
    expect((await testApp().request(`/api/events?${query}`)).status).toBe(422);
  });

  test("are not there for one stream too many", async () => {
    const { request } = testApp({ events: { open: () => undefined } });
    expect((await request("/api/events")).status).toBe(503);
  });
});

describe("the history", () => {
  const { request } = testApp();
  const steps = async (query: string) => {
    const answer = await request(`/api/history${query}`);
    expect(answer.status).toBe(200);
    return ((await answer.json()) as { at: number[] }).at;
  };

  test("is of the last hour by default, and steps begin at the same times whenever it is asked for", async () => {
    const at = await steps("");
    expect(at.length).toBeWithin(360, 362);
    expect((at[0] ?? 1) % 10).toBe(0);
    const span = "?from=1970-01-01T00:01:07Z&to=1970-01-01T00:02:00Z&step=30";
    expect(await steps(span)).toEqual([60, 90]);
  });

  test.each([
    ["?step=0"],
    ["?from=now"],
    ["?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z"],
    ["?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&step=1"],
  ])("is refused for %s", async (query) => {
    const answer = await request(`/api/history${query}`);
    expect(answer.status).toBe(422);
  });
});

describe("letters", () => {
  const { request, send } = testApp();

  test("are listed with where the page goes on, and shown one by one", async () => {
    const first = await (await request("/api/letters?reason=DATE&limit=1")).json();
    expect(first).toMatchObject({ letters: [{ id: "raw/7", path: "dob.date" }], total: 1 });
    const { next } = first as { next: string };
    const second = await request(`/api/letters?cursor=${encodeURIComponent(next)}`);
    expect(await second.json()).toMatchObject({ letters: [], next: null });
    expect(await (await request("/api/letters?partition=3")).json()).toMatchObject({ total: 0 });
    expect(await (await request("/api/letters/raw/7")).json()).toMatchObject({
      value: { as: "json", value: { dob: { date: "soon" } } },
    });
    expect((await request("/api/letters/users/0/17")).status).toBe(404);
    expect((await request("/api/letters/raw/x")).status).toBe(422);
  });

  test("are replayed and purged", async () => {
    const replay = (body: object) => send("POST", "/api/letters/replay", body);
    expect(await (await replay({ ids: ["raw/7"] })).json()).toEqual({
      ...{ letters: 1, replayed: 0, refused: 1, kept: 0, dryRun: false },
    });
    expect(await (await replay({ stage: "write" })).json()).toMatchObject({ letters: 0 });
    const purge = await send("POST", "/api/letters/purge", { all: true, dryRun: true });
    expect(await purge.json()).toEqual({ letters: 1, purged: 0, dryRun: true });
  });

  test.each([
    [{}],
    [{ limit: 5 }],
    [{ all: true, stage: "write" }],
    [{ ids: [] }],
    [{ ids: ["raw/x"] }],
    [{ ids: ["raw/7"], state: "purged" }],
    [[]],
  ])("are not touched for %j, which does not say which", async (body) => {
    for (const what of ["replay", "purge"]) {
      expect((await send("POST", `/api/letters/${what}`, body)).status).toBe(422);
    }
  });
});

test.each([
  ["/api/letters/purge", "POST"],
  ["/api/letters/replay", "POST"],
  ["/api/letters/raw/7", "GET, HEAD"],
  ["/api/runs", "GET, HEAD, POST"],
])("%s says that it takes %s, and nothing else", async (path, methods) => {
  const answer = await testApp().send("OPTIONS", path);
  expect(answer.status).toBe(405);
  expect(answer.headers.get("allow")?.split(", ").toSorted().join(", ")).toBe(methods);
});
