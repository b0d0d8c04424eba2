import type { LetterOrigin } from "../domain/letter.ts";
import type { LetterIndex, LetterState } from "../flow/letters.ts";
import { asked, type Sql } from "./client.ts";

/**
 * Letters seen on the dead-letter topic, in a temporary table: of each record the one with the most
 * attempts, and the first of those where one was written twice.
 */
export const lettersTable = `
  create temporary table seen_letters (
    topic text, partition integer, "offset" bigint, timestamp_ms bigint,
    attempts integer, raw_id bigint, at_partition integer, at_offset bigint,
    primary key (topic, partition, "offset", timestamp_ms));`;

/** Adds letters to it, given as JSON. */
export const addLetters = `
  insert into seen_letters
  select distinct on (topic, partition, "offset", "timestampMs")
    topic, partition, "offset", "timestampMs", attempts, raw, "atPartition", "atOffset"
  from ${recordset('attempts integer, "atPartition" integer, "atOffset" bigint')}
  order by topic, partition, "offset", "timestampMs", attempts desc, "atPartition", "atOffset"
  on conflict (topic, partition, "offset", timestamp_ms) do update
  set attempts = excluded.attempts, raw_id = excluded.raw_id,
    at_partition = excluded.at_partition, at_offset = excluded.at_offset
  where excluded.attempts > seen_letters.attempts`;

/** What settled the letter `l`: no row where it is open. */
export const settledLetter = `
  select s.outcome from settled_letters s
  where s.topic = l.topic and s.partition = l.partition and s."offset" = l."offset"
    and s.timestamp_ms = l.timestamp_ms and s.attempts >= l.attempts`;

/** An index in a temporary table of one connection, gone when it is disposed. */
export async function openLetterIndex(sql: Sql): Promise<LetterIndex & AsyncDisposable> {
  const own = await asked("open an index of letters", () => sql.reserve());
  await asked("open an index of letters", () =>
    own.unsafe(`${lettersTable} create index on seen_letters (at_partition, at_offset);`),
  );
  return {
    add: (letters) =>
      asked("note letters", async () => {
        if (letters.length > 0) await own.unsafe(addLetters, [JSON.stringify(letters)]);
      }),
    states: (places) =>
      asked("look up letters", async () => {
        const found = await own.unsafe<{ state: LetterState | null }[]>(
          `select case when l.topic is not null then coalesce((${settledLetter}), 'open') end as state
           from rows from (
             json_to_recordset($1::text::json) as (partition integer, "offset" bigint)
           ) with ordinality as x (partition, "offset", n)
           left join seen_letters l on l.at_partition = x.partition and l.at_offset = x."offset"
           order by n`,
          [JSON.stringify(places)],
        );
        return found.map(({ state }) => state);
      }),
    settle: (letters, outcome) => settle(sql, letters, outcome),
    firstOpen: () =>
      asked("look for open letters", async () => {
        const found = await own.unsafe<{ partition: number; offset: number }[]>(
          `select at_partition as partition, min(at_offset) as "offset" from seen_letters l
           where not exists (${settledLetter}) group by at_partition`,
        );
        return new Map(found.map(({ partition, offset }) => [partition, offset]));
      }),
    [Symbol.asyncDispose]: async () => {
      await own.unsafe("drop table if exists seen_letters").catch(() => {});
      own.release();
    },
  };
}

function settle(sql: Sql, letters: readonly LetterOrigin[], outcome: LetterState): Promise<void> {
  return asked("settle letters", async () => {
    await sql.unsafe(
      `insert into settled_letters (topic, partition, "offset", timestamp_ms, attempts, raw_id, outcome)
       select topic, partition, "offset", "timestampMs", attempts, raw, $2
       from ${recordset("attempts integer")}
       on conflict (topic, partition, "offset", timestamp_ms) do update
       set attempts = excluded.attempts, raw_id = excluded.raw_id, outcome = excluded.outcome,
         settled_at = now()
       where excluded.attempts >= settled_letters.attempts`,
      [JSON.stringify(letters), outcome],
    );
  });
}

function recordset(more: string): string {
  return `json_to_recordset($1::text::json) as x (
    topic text, partition integer, "offset" bigint, "timestampMs" bigint, raw bigint, ${more})`;
}
