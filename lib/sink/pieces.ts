import type { Client } from "cassandra-driver";
import type { VersionedUser } from "../domain/event.ts";
import { uuidBytes } from "./batch.ts";
import { columns } from "./schema.ts";

/** Rows for one request, and where each was in what was given. */
export interface Piece {
  readonly indexes: readonly number[];
  readonly rows: readonly VersionedUser[];
}

/**
 * Small batches cost both sides less than single writes. Cassandra warns above 10 partitions and 5
 * KiB (unlogged_batch_across_partitions_warn_threshold, batch_size_warn_threshold). It refuses batches above 50 KiB, but takes single rows of megabytes.
 */
const mostRows = 10;
const mostChars = 5000;

/**
 * How many rows a request gets: as few as use all the requests that may be made. Cassandra writes
 * the rows of a batch one after the other while it has little to do, each waiting for its fsync:
 * eight rows take eight times as long as one.
 */
export function rowsEach(rows: number, requests: number): number {
  return Math.min(mostRows, Math.max(1, Math.ceil(rows / Math.max(1, requests))));
}

/** Says of a row by its id which nodes own it: rows with the same answer have the same owners. */
export type Owners = (id: string) => string;

export interface PieceOptions {
  readonly owners: Owners;
  /** Rows of a piece, at most. */
  readonly most: number;
}

/** Parts of `rows` for a request each, every part with rows that the same nodes own. */
export function pieces(rows: readonly VersionedUser[], { owners, most }: PieceOptions): Piece[] {
  const full: Piece[] = [];
  const open = new Map<string, { indexes: number[]; rows: VersionedUser[]; chars: number }>();
  for (const [index, row] of rows.entries()) {
    const key = owners(row.user.id);
    const chars = charsOf(row);
    let piece = open.get(key);
    if (piece && (piece.rows.length >= most || piece.chars + chars > mostChars)) {
      full.push(piece);
      piece = undefined;
    }
    if (piece === undefined) {
      piece = { indexes: [], rows: [], chars: 0 };
      open.set(key, piece);
    }
    piece.indexes.push(index);
    piece.rows.push(row);
    piece.chars += chars;
  }
  return [...full, ...open.values()];
}

export function singles({ indexes, rows }: Piece): Piece[] {
  return rows.map((row, at) => ({ indexes: indexes.slice(at, at + 1), rows: [row] }));
}

/**
 * By the client's view of the cluster. A batch whose rows have different owners makes one node send
 * most of it on to others, which costs the cluster more than single writes.
 */
export function ownersBy(client: Client, keyspace: string): Owners {
  const nodes = client.hosts.length;
  const replicas = (id: string) => client.getReplicas(keyspace, uuidBytes(id)) ?? [];
  const names = new Map<unknown, string>();
  const [any] = nodes > 1 ? [replicas("00000000-0000-4000-8000-000000000000")] : [];
  if (any === undefined || any.length >= nodes) return () => "";
  return (id) => {
    // The same list for all of a range.
    const owners = replicas(id);
    const name =
      names.get(owners) ??
      owners
        .map(({ address }) => address)
        .sort()
        .join();
    names.set(owners, name);
    return name;
  };
}

function charsOf({ user }: VersionedUser): number {
  let sum = 0;
  for (const column of columns) sum += user[column].length;
  return sum;
}
