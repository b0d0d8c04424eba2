import type { DueAlert } from "../domain/alert.ts";
import type { AlertQueue } from "../flow/alerts.ts";
import type { Bell } from "./bell.ts";
import { asked, type Sql } from "./client.ts";
import { iso } from "./time.ts";

/** The alerts in PostgreSQL, shared by all instances: they are sent in their order, one at a time. */
export function createAlertQueue(sql: Sql, bell: Bell): AlertQueue {
  return {
    wait: bell.wait,
    take: (leaseMs) =>
      asked("take an alert", async () => {
        const [alert] = await sql<DueAlert[]>`
          update alerts
          set tries = tries + 1, due_at = now() + ${leaseMs} * interval '1 millisecond'
          where id = (select min(id) from alerts where sent_at is null) and due_at <= now()
            and sent_at is null
          returning id, uid, type, data, tries,
            to_char(made_at at time zone 'UTC', ${iso}) as timestamp`;
        return alert;
      }),
    sent: ({ id }) =>
      asked("note that an alert was sent", async () => {
        await sql`update alerts set sent_at = now() where id = ${id}`;
      }),
    again: ({ id, tries }, afterMs) =>
      asked("put an alert off", async () => {
        await sql`
          update alerts set due_at = now() + ${afterMs} * interval '1 millisecond'
          where id = ${id} and tries = ${tries} and sent_at is null`;
      }),
    missed: (deadlineMs) => asked("look at the deadline", () => missed(sql, deadlineMs)),
  };
}

/** While the schedule is paused nothing is late. */
async function missed(sql: Sql, deadlineMs: number): Promise<boolean> {
  await sql`
    insert into alert_state (only_row) values (true)
    on conflict (only_row) do update set watched_from = now()
    where exists (select from schedule where paused)`;
  const made = await sql`
    with late as (
      update alert_state set overdue_since = now()
      where overdue_since is null
        and greatest(watched_from, (select max(finished_at) from runs where state = 'success'))
          < now() - ${deadlineMs} * interval '1 millisecond'
      returning 1
    )
    insert into alerts (type, data)
    select 'run.missed_deadline', json_build_object(
      'deadlineSeconds', ${deadlineMs}::float8 / 1000,
      'lastSuccess', (
        select to_char(max(finished_at) at time zone 'UTC', ${iso}) from runs where state = 'success'))
    from late
    returning pg_notify('alerts', '')`;
  return made.length > 0;
}

/**
 * Parts of the statement that ends an attempt, after its part `held`; the part `rung` must be read: a run that has failed is told
 * of, and the first that succeeds after one that failed or after a deadline that was missed.
 */
export function alerting(sql: Sql) {
  const run = sql`json_build_object(
    'id', h.id, 'trigger', h.trigger, 'state', h.state, 'attempt', h.attempt,
    'logicalTime', to_char(h.logical_time at time zone 'UTC', ${iso}),
    'error', h.error, 'errorChain', h.error_chain,
    'finishedAt', to_char(h.finished_at at time zone 'UTC', ${iso}))`;
  return sql`, failing as (
      insert into alert_state as s (failing_since) select now() from held h where h.state = 'failed'
      on conflict (only_row) do update
      set failing_since = coalesce(s.failing_since, excluded.failing_since)
    ), told as (
      insert into alerts (type, data)
      select 'run.failed', json_build_object('run', ${run}) from held h where h.state = 'failed'
    ), ill as (
      select only_row, least(failing_since, overdue_since) as since from alert_state
      where (failing_since is not null or overdue_since is not null)
        and exists (select from held where state = 'success')
      for update
    ), well as (
      update alert_state s set failing_since = null, overdue_since = null
      from ill, held h
      where s.only_row = ill.only_row and h.state = 'success'
      returning ill.since
    ), told_well as (
      insert into alerts (type, data)
      select 'run.recovered', json_build_object('run', ${run},
        'since', to_char(well.since at time zone 'UTC', ${iso}))
      from held h, well
    ), rung as (
      select pg_notify('alerts', '') from held where state in ('failed', 'success')
    )`;
}
