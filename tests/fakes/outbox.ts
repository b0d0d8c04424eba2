import type { Rejection } from "../../lib/domain/user.ts";
import type { Outbox, OutboxRow } from "../../lib/flow/raw-to-topic.ts";
import { createFakeBell } from "./bell.ts";

export interface FakeOutbox extends Outbox {
  readonly pending: readonly OutboxRow[];
  readonly rejected: readonly Rejection[];
  add(...rows: readonly OutboxRow[]): void;
}

export function createFakeOutbox(): FakeOutbox {
  const bell = createFakeBell();
  let pending: OutboxRow[] = [];
  const taken = new Set<OutboxRow>();
  const rejected: Rejection[] = [];
  return {
    get pending() {
      return pending;
    },
    rejected,
    add(...rows) {
      pending.push(...rows);
      bell.ring();
    },
    async take(limit, handle) {
      const rows = pending.filter((row) => !taken.has(row)).slice(0, limit);
      if (rows.length === 0) return 0;
      for (const row of rows) taken.add(row);
      try {
        const refused = await handle(rows);
        rejected.push(...refused.map(({ rejection }) => rejection));
        pending = pending.filter((row) => !rows.includes(row));
        return rows.length;
      } finally {
        for (const row of rows) taken.delete(row);
      }
    },
    wait: bell.wait,
  };
}
