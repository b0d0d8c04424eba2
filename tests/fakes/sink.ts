import type { VersionedUser } from "../../lib/domain/event.ts";
import type { RefusedRow, Sink } from "../../lib/flow/topic-to-sink.ts";

export interface FakeSink extends Sink {
  readonly rows: ReadonlyMap<string, VersionedUser>;
}

/** Refuses an address that is too long for an index, as a store with an index on it does. */
export function createFakeSink(): FakeSink {
  const rows = new Map<string, VersionedUser>();
  return {
    rows,
    async upsert(given, signal) {
      signal.throwIfAborted();
      const refused: RefusedRow[] = [];
      for (const [index, row] of given.entries()) {
        const there = rows.get(row.user.id);
        if (row.user.address.length > 65_535) {
          refused.push({ index, rejection: { path: "", reason: "address: too long" } });
        } else if (there === undefined || there.version < row.version) {
          rows.set(row.user.id, row);
        }
      }
      return refused;
    },
  };
}
