-- What we received, kept: runs, raw rows, and what still has to go to the topic.

create table runs (
  id bigint generated always as identity primary key,
  -- Made by who asks for the run: asking again because the answer was lost gives the same run.
  request_id uuid not null unique default gen_random_uuid(),
  trigger text not null check (trigger in ('schedule', 'manual', 'backfill')),
  logical_time timestamptz,
  state text not null default 'queued'
    check (state in ('queued', 'running', 'success', 'failed', 'cancelled', 'skipped')),
  attempt integer not null default 0,
  seed text not null,
  results integer not null check (results > 0),
  nat text[] not null default '{}',
  pages integer not null default 0,
  fetched bigint not null default 0,
  accepted bigint not null default 0,
  rejected bigint not null default 0,
  error text,
  worker text,
  heartbeat_at timestamptz,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz
);

-- However many instances see a tick, a logical time is one run.
create unique index runs_logical_time on runs (logical_time) where logical_time is not null;
create index runs_waiting on runs (id) where state in ('queued', 'running');

-- Append-only, every record as received. user_id is null where the record is no user.
-- Here and in the outbox no foreign keys: rows are only ever written together with what they refer to,
-- and a check per row would cost as much as the row.
create table raw_users (
  id bigint generated always as identity primary key,
  run_id bigint not null,
  page integer not null,
  position integer not null,
  -- Microseconds: when the page was kept, plus the position in it. The write time in the table.
  version bigint not null,
  user_id uuid,
  payload json not null,
  fetched_at timestamptz not null default now(),
  unique (run_id, page, position)
);
create index raw_users_user on raw_users (user_id, version desc);

-- Raw rows not yet acknowledged by the topic. Small rows: publishing never rewrites the raw row.
create table outbox (
  raw_id bigint primary key,
  run_id bigint not null
);
create index outbox_run on outbox (run_id);

-- Raw rows that will not be published, and why: path in the payload and reason.
create table rejected_users (
  raw_id bigint primary key references raw_users (id),
  stage text not null check (stage in ('fetch', 'publish')),
  path text not null,
  reason text not null,
  rejected_at timestamptz not null default now()
);

-- What was last applied from the environment, beside what was set at run time.
create table schedule (
  only_row boolean primary key default true check (only_row),
  cron text not null,
  timezone text not null,
  applied_cron text not null,
  applied_timezone text not null,
  paused boolean not null default false
);
