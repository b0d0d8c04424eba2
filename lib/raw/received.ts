import type { ReceivedUser } from "../domain/user-way.ts";
import type { SettledLetter, TracedStations } from "../flow/trace-user.ts";
import { asked, type Sql } from "./client.ts";
import { iso } from "./time.ts";

/** Each time that a user was received, and what became of its dead letters. */
export function createReceived(sql: Sql): TracedStations["raw"] {
  return {
    received: (id, limit) =>
      asked("look up a user", async () => {
        const accepted = await sql<ReceivedUser[]>`
          ${selectReceived(sql)} where r.user_id = ${id} order by r.version desc limit ${limit}`;
        const rejected = await rejectedAsReceived(sql, id, limit);
        return [...accepted, ...rejected].toSorted((a, b) => b.version - a.version).slice(0, limit);
      }),
    settled: (raws) =>
      asked("look up settled letters", async () => [
        ...(await sql<SettledLetter[]>`
          select topic, partition, "offset", timestamp_ms as "timestampMs", attempts, raw_id as raw,
            outcome
          from settled_letters
          where raw_id in (select json_array_elements_text(${JSON.stringify(raws)}::text::json)::bigint)`),
      ]),
  };
}

/**
 * Rows that are no user have no id: whether one is meant is in what was received. That may be any
 * JSON, also such as PostgreSQL takes nothing out of, so it is looked into here.
 */
async function rejectedAsReceived(
  sql: Sql,
  id: string,
  limit: number,
): Promise<readonly ReceivedUser[]> {
  const found = await sql<(ReceivedUser & { payload: unknown })[]>`
    ${selectReceived(sql, sql`, r.payload`)}
    where j.raw_id is not null and r.user_id is null
      and strpos(lower(r.payload::text), ${id}) > 0
    order by r.version desc limit ${limit}`;
  return found.flatMap(({ payload, ...row }) => (idIn(payload) === id ? [row] : []));
}

function idIn(payload: unknown): string | undefined {
  const login: unknown = Object(payload).login;
  const uuid: unknown = Object(login).uuid;
  return typeof uuid === "string" ? uuid.toLowerCase() : undefined;
}

function selectReceived(sql: Sql, more = sql``) {
  return sql`
    select r.id as raw, r.version, to_char(r.fetched_at at time zone 'UTC', ${iso}) as "receivedAt",
      r.page, r.position, r.run_id as run, u.trigger, u.state as "runState",
      substr(u.traceparent, 4, 32) as "traceId",
      (select min(attempt) from run_attempts a
        where a.run_id = r.run_id and a.pages_from < r.page and coalesce(a.pages_to, r.page) >= r.page
      ) as attempt,
      o.raw_id is not null as waiting,
      case when j.raw_id is not null then json_build_object(
        'stage', j.stage, 'path', j.path, 'reason', j.reason,
        'at', to_char(j.rejected_at at time zone 'UTC', ${iso}), 'purged', j.purged_at is not null
      ) end as rejection ${more}
    from raw_users r
    left join runs u on u.id = r.run_id
    left join outbox o on o.run_id = r.run_id and o.raw_id = r.id
    left join rejected_users j on j.raw_id = r.id`;
}
