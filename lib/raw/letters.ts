import type { LetterOrigin } from "../domain/letter.ts";
import type { LetterIndex, LetterState } from "../flow/letters.ts";
import { asked, patient, type Sql } from "./client.ts";
import { openSession } from "./session.ts";

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

/**
 * An index in a temporary table of one connection, gone when it is disposed; when the connection is
 * lost, each of its calls rejects. What is settled is kept, by `sql`.
 */
export async function openLetterIndex(
  sql: Sql,
  url: string,
): Promise<LetterIndex & AsyncDisposable> {
  await using opening = new AsyncDisposableStack();
  const own = opening.use(await openSession(url, patient));
  await own.ask("open an index of letters", (sql) =>
    sql.unsafe(`${lettersTable} create index on seen_letters (at_partition, at_offset);`),
  );
  const owned = opening.move();
  return {
    add: (letters) =>
      own.ask("note letters", async (sql) => {
        if (letters.length > 0) await sql.unsafe(addLetters, [JSON.stringify(letters)]);
      }),
    states: (places) =>
      own.ask("look up letters", async (sql) => {
        const found = await sql.unsafe<{ state: LetterState | null }[]>(
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
      own.ask("look for open letters", async (sql) => {
        const found = await sql.unsafe<{ partition: number; offset: number }[]>(
          `select at_partition as partition, min(at_offset) as "offset" from seen_letters l
           where not exists (${settledLetter}) group by at_partition`,
        );
        return new Map(found.map(({ partition, offset }) => [partition, offset]));
      }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
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
