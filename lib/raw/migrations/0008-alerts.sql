-- What somebody is to be told: made together with what it tells of, and kept until it is sent.

create table alerts (
  id bigint generated always as identity primary key,
  -- The same each time it is sent, so that who gets it twice can tell.
  uid uuid not null default gen_random_uuid(),
  type text not null check (type in ('run.failed', 'run.recovered', 'run.missed_deadline')),
  data json not null,
  made_at timestamptz not null default now(),
  -- Not sent before: so long after a try that failed, or while one is under way.
  due_at timestamptz not null default now(),
  tries integer not null default 0,
  sent_at timestamptz
);
create index alerts_unsent on alerts (id) where sent_at is null;

create table alert_state (
  only_row boolean primary key default true check (only_row),
  -- The first failure since the last success.
  failing_since timestamptz,
  -- The deadline was missed, and nothing has succeeded since.
  overdue_since timestamptz,
  -- The deadline counts from here, or from the last success where that is later.
  watched_from timestamptz not null default now()
);

create index runs_succeeded on runs (finished_at) where state = 'success';
