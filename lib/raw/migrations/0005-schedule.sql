-- How the schedule treats what it missed and what overlaps, and how far it has come.
alter table schedule
  alter cron set default '0 * * * *',
  alter timezone set default 'UTC',
  alter applied_cron set default '0 * * * *',
  alter applied_timezone set default 'UTC',
  add catchup boolean not null default false,
  -- As many as Airflow allows a DAG.
  add max_active_runs integer not null default 16 check (max_active_runs between 1 and 100),
  add overlap text not null default 'queue' check (overlap in ('skip', 'queue')),
  -- Grows with each change of the settings.
  add version integer not null default 1,
  -- All logical times up to here are dealt with. Milliseconds, so that clients can compare it.
  add watermark timestamptz(3) not null default now();

update schedule set watermark = (select max(logical_time) from runs where trigger = 'schedule')
where exists (select from runs where trigger = 'schedule' and logical_time is not null);
