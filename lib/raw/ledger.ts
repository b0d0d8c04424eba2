import type { Expected, Ledger } from "../flow/verify.ts";
import { patient, type Sql } from "./client.ts";
import { addLetters, lettersTable, settledLetter } from "./letters.ts";
import { openSession } from "./session.ts";

/** Rows held in memory at once while comparing. */
const pageRows = 2000;

/**
 * A ledger in temporary tables of one connection, gone when it is disposed. What is received is
 * fixed by the snapshot of a transaction that only reads; it ends before invented rows are looked
 * for. When the connection is lost, each of its calls rejects.
 */
export async function openLedger(url: string): Promise<Ledger & AsyncDisposable> {
  await using opening = new AsyncDisposableStack();
  const own = opening.use(await openSession(url, patient));
  const other = opening.use(await openSession(url, patient));
  const owned = opening.move();
  const add = (statement: string, values: readonly unknown[]) =>
    own.ask("note what was seen", async (sql) => {
      if (values.length > 0) await sql.unsafe(statement, [JSON.stringify(values)]);
    });
  // Up to now, and not as the snapshot has it: what is purged meanwhile is missing on the topic.
  async function* purged() {
    const pages = other.pages("look for purged letters", (sql) =>
      sql<{ raw: number }[]>`
        select raw_id as raw from settled_letters
        where outcome = 'purged' and raw_id is not null`.cursor(pageRows),
    );
    for await (const page of pages) yield page.map(({ raw }) => raw);
  }
  return {
    counts: () =>
      own.ask("count what was received", async (sql) => {
        await sql.unsafe(tables);
        await sql.unsafe("begin isolation level repeatable read");
        const [row] = await sql<{ raw: number; rejected: number; pending: number }[]>`
          select (select count(*) from raw_users) as raw,
            (select count(*) from rejected_users) as rejected,
            (select count(*) from outbox) as pending`;
        return row ?? { raw: 0, rejected: 0, pending: 0 };
      }),
    addRows: (rows) =>
      add(
        `insert into seen_rows
         select id, version, digest from json_to_recordset($1::text::json)
           as x (id uuid, version bigint, digest uuid)
         on conflict do nothing`,
        rows,
      ),
    addUnconsumed: (raws) =>
      add(
        `insert into seen_unconsumed
         select value::bigint from json_array_elements_text($1::text::json)
         on conflict do nothing`,
        raws,
      ),
    addDeadLetters: (letters) => add(addLetters, letters),
    totals: () =>
      own.ask("count what was seen", async (sql) => {
        await sql.unsafe("analyze seen_rows, seen_unconsumed, seen_letters");
        const [row] = await sql.unsafe<{ table: number; deadLetters: number; onTheWay: number }[]>(
          `select (select count(*) from seen_rows) as table,
            (select count(*) from seen_letters l where not exists (${settledLetter})) as "deadLetters",
            (select count(*) from seen_unconsumed u join raw_users r on r.id = u.raw_id
              where not exists (select from outbox o where o.raw_id = r.id)) as "onTheWay"`,
        );
        return row ?? { table: 0, deadLetters: 0, onTheWay: 0 };
      }),
    async *expected() {
      for await (const page of purged()) {
        await add(
          "insert into seen_purged select value::bigint from json_array_elements_text($1::text::json)",
          page,
        );
      }
      await own.ask("find out what should be there", (sql) => sql.unsafe(findExpected));
      yield* own.pages("compare", (sql) =>
        sql<Expected[]>`
          select e.id, e.version, r.payload, s.version as "rowVersion",
            replace(s.digest::text, '-', '') as digest
          from seen_expected e
          join raw_users r on r.id = e.raw_id
          left join seen_rows s on s.id = e.id
          where s.version is null or s.version <= e.version`.cursor(pageRows),
      );
      await own.ask("compare", (sql) => sql.unsafe("commit"));
    },
    newer: () =>
      own.pages("compare what came meanwhile", (sql) =>
        sql<Expected[]>`
          select s.id, s.version, r.payload, s.version as "rowVersion",
            replace(s.digest::text, '-', '') as digest
          from seen_expected e
          join seen_rows s on s.id = e.id and s.version > e.version
          left join raw_users r on r.user_id = s.id and r.version = s.version
          where r.id is not null or s.version >= ${prunedBelow(sql)}`.cursor(pageRows),
      ),
    async *invented() {
      const pages = own.pages("look for invented rows", (sql) =>
        sql<{ id: string }[]>`
          select s.id from seen_rows s
          where s.version >= (select min(version) from raw_users)
            and s.version >= ${prunedBelow(sql)}
            and not exists (select from raw_users r where r.user_id = s.id)`.cursor(pageRows),
      );
      for await (const page of pages) yield page.map(({ id }) => id);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Of older versions the raw row may have been removed for its age: nothing is said of them. */
function prunedBelow(sql: Sql) {
  return sql`coalesce((select pruned_below from retention), 0)`;
}

const tables = `
  create temporary table seen_rows (id uuid primary key, version bigint, digest uuid);
  create temporary table seen_unconsumed (raw_id bigint primary key);
  create temporary table seen_expected (id uuid primary key, raw_id bigint, version bigint);
  create temporary table seen_purged (raw_id bigint);
  ${lettersTable}
  create index on seen_letters (raw_id);`;

/**
 * Of each id the newest version that the group has consumed, and that was neither refused nor a
 * dead letter, unless that was replayed.
 */
const findExpected = `
  truncate seen_expected;
  insert into seen_expected
  select distinct on (user_id) user_id, id, version
  from raw_users r
  where user_id is not null
    and not exists (select from outbox o where o.raw_id = r.id)
    and not exists (select from rejected_users j where j.raw_id = r.id)
    and not exists (select from seen_unconsumed u where u.raw_id = r.id)
    and not exists (
      select from seen_letters l
      where l.raw_id = r.id
        and not exists (select from (${settledLetter}) settled where outcome = 'replayed'))
    and not exists (select from seen_purged p where p.raw_id = r.id)
  order by user_id, version desc;
  analyze seen_expected;`;
