import type { Rejection } from "../../lib/domain/user.ts";
import { PipelineError } from "../../lib/errors.ts";
import type { Outbox, OutboxRow } from "../../lib/flow/raw-to-topic.ts";
import { createFakeBell } from "./bell.ts";

export interface FakeOutbox extends Outbox {
  readonly pending: readonly OutboxRow[];
  readonly rejected: readonly Rejection[];
  /** How many rows takers hold. */
  readonly inHand: number;
  add(...rows: readonly OutboxRow[]): void;
  /** Takes from every taker what it holds, as from one that was frozen. */
  lose(): void;
}

export function createFakeOutbox(): FakeOutbox {
  const bell = createFakeBell();
  let pending: OutboxRow[] = [];
  let taken = new Set<OutboxRow>();
  const rejected: Rejection[] = [];
  return {
    get pending() {
      return pending;
    },
    rejected,
    get inHand() {
      return taken.size;
    },
    add(...rows) {
      pending.push(...rows);
      bell.ring();
    },
    lose() {
      taken = new Set();
    },
    async take(limit, handle) {
      const rows = pending.filter((row) => !taken.has(row)).slice(0, limit);
      if (rows.length === 0) return 0;
      const own = taken;
      for (const row of rows) own.add(row);
      const stillOurs = async () => {
        if (own !== taken) throw new PipelineError("unavailable", "the rows are lost");
      };
      try {
        const refused = await handle(rows, stillOurs);
        await stillOurs();
        rejected.push(...refused.map(({ rejection }) => rejection));
        pending = pending.filter((row) => !rows.includes(row));
        return rows.length;
      } finally {
        for (const row of rows) own.delete(row);
      }
    },
    wait: bell.wait,
  };
}
