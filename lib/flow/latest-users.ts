import type { Pipeline } from "../domain/pipeline.ts";
import type { User } from "../domain/user.ts";

export interface LatestStations {
  readonly raw: {
    latest(options: {
      readonly limit: number;
      readonly until?: Date;
    }): Promise<readonly ReceivedUser[]>;
  };
  readonly table: { rows(ids: readonly string[]): Promise<readonly User[]> };
  readonly pipeline: { now(): Promise<Pipeline> };
}
interface ReceivedUser {
  readonly id: string;
  readonly run: number;
  readonly receivedAt: string;
}

export interface LatestUser extends Omit<ReceivedUser, "id"> {
  /** The row as it stands in the table. */
  readonly user: User;
}

/**
 * The users received last that are in the table, the newest first. While records wait for the table
 * the newest ones are not there: it is looked for those that consumers have told of.
 */
export async function latestUsers(
  { raw, table, pipeline }: LatestStations,
  limit: number,
): Promise<readonly LatestUser[]> {
  const { table: standing } = await pipeline.now();
  const newest = standing && standing.lag > 0 ? standing.newestRowAt : null;
  const until = newest === null ? {} : { until: new Date(newest) };
  // Some may be dead letters, or on their way.
  const received = await raw.latest({ limit: limit * 2, ...until });
  const rows = await table.rows(received.map(({ id }) => id));
  const byId = new Map(rows.map((user) => [user.id, user]));
  return received
    .flatMap(({ id, ...told }) => {
      const user = byId.get(id);
      return user ? [{ ...told, user }] : [];
    })
    .slice(0, limit);
}
