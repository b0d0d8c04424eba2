import { describe, expect, test } from "bun:test";
import { encode } from "../../lib/domain/event.ts";
import type { Publisher } from "../../lib/flow/raw-to-topic.ts";
import { rows } from "../users.ts";

/** A publisher of an empty topic, and a look at the topic. */
export interface OpenPublisher extends AsyncDisposable {
  readonly publisher: Publisher;
  /** All values on the topic, as JSON, in no particular order. */
  values(): Promise<readonly unknown[]>;
}

/** What every publisher must do, the fake as well as the real one. */
export function publisherContract(name: string, open: () => Promise<OpenPublisher>): void {
  const event = (row: ReturnType<typeof rows>[number]) => encode(row, { run: 1, raw: 1 });
  const byId = (users: readonly unknown[]) =>
    users.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));

  describe(name, () => {
    test("events are on the topic when publishing has resolved", async () => {
      await using it = await open();
      const all = rows(20);
      expect(await it.publisher.publish(all.map(event))).toEqual([]);
      expect(byId(await it.values())).toEqual(byId(all.map(({ user }) => user)));
    });

    test("nothing to publish is published at once", async () => {
      await using it = await open();
      expect(await it.publisher.publish([])).toEqual([]);
      expect(await it.values()).toEqual([]);
    });

    test("an event that is too large is refused alone, while its neighbours go", async () => {
      await using it = await open();
      const [first, last] = rows(2);
      const [big] = rows(1);
      if (!first || !last || !big) throw new Error("no rows");
      const huge = { ...big, user: { ...big.user, phone: "1".repeat(1_100_000) } };
      const refused = await it.publisher.publish([first, huge, last].map(event));
      expect(refused).toMatchObject([{ index: 1, rejection: { path: "" } }]);
      expect(refused[0]?.rejection.reason).toMatch(/large/i);
      expect(byId(await it.values())).toEqual(byId([first.user, last.user]));
    });
  });
}
