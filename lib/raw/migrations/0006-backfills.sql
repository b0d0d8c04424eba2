-- Backfills, and how many runs of the schedule or of a backfill are performed at once.

create table backfills (
  id bigint generated always as identity primary key,
  -- Made by who asks for it: asking again because the answer was lost gives the same backfill.
  request_id uuid not null unique,
  -- Logical times from the first on, and before the second.
  from_time timestamptz not null,
  to_time timestamptz not null,
  reprocess text not null check (reprocess in ('none', 'failed', 'completed')),
  run_order text not null check (run_order in ('newest', 'oldest')),
  max_active_runs integer not null check (max_active_runs between 1 and 100),
  -- Runs that were made or begun again.
  runs integer not null default 0,
  -- What had become of those that a later backfill has begun again.
  past_success integer not null default 0,
  past_failed integer not null default 0,
  past_cancelled integer not null default 0,
  past_skipped integer not null default 0,
  created_at timestamptz not null default now(),
  cancelled_at timestamptz
);

alter table runs
  -- The newest backfill that has made the run or begun it again.
  add backfill_id bigint,
  -- Runs of a lane hold each other back: 0 is the schedule, others are backfills; manual runs have none.
  add lane bigint generated always as (
    coalesce(backfill_id, case when trigger = 'schedule' then 0 end)) stored,
  -- Each run of a lane that is performed has a slot of its own, from 1 to the most allowed.
  add slot integer;

create unique index runs_slot on runs (lane, slot) where state = 'running';
create index runs_backfill on runs (backfill_id) where backfill_id is not null;
