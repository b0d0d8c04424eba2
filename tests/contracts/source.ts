import { describe, expect, test } from "bun:test";
import type { Source } from "../../lib/flow/source-to-raw.ts";
import { failureOf } from "../failure.ts";
import { never } from "../users.ts";

/** What every source of users must do, the fake as well as the real one. */
export function sourceContract(
  name: string,
  open: () => Promise<AsyncDisposable & { readonly source: Source }>,
): void {
  const ask = { seed: "run-1-", page: 1, results: 5, nat: [] } as const;

  describe(name, () => {
    test("a page has as many users as asked for, as text and parsed", async () => {
      await using it = await open();
      const page = await it.source.fetch(ask, never);
      expect(page.users).toHaveLength(5);
      expect(page.payloads.map((text) => JSON.parse(text))).toEqual([...page.users]);
    });

    test("the same request gives the same users", async () => {
      await using it = await open();
      const again = await it.source.fetch(ask, never);
      expect(await it.source.fetch(ask, never)).toEqual(again);
    });

    test("another page, another seed and another nationality give other users", async () => {
      await using it = await open();
      const others = [
        ask,
        { ...ask, page: 2 },
        { ...ask, seed: "run-2-" },
        { ...ask, nat: ["gb"] },
      ];
      const pages = await Promise.all(others.map((request) => it.source.fetch(request, never)));
      expect(new Set(pages.map(({ payloads }) => payloads.join())).size).toBe(4);
    });

    test("more users than a page may have are refused", async () => {
      await using it = await open();
      const error = await failureOf(it.source.fetch({ ...ask, results: 5001 }, never));
      expect(error).toMatchObject({ code: "refused" });
    });

    test("an aborted request rejects with the reason of its signal", async () => {
      await using it = await open();
      const stopped = AbortSignal.abort(new DOMException("stopped", "AbortError"));
      expect((await failureOf(it.source.fetch(ask, stopped))).message).toBe("stopped");
    });
  });
}
