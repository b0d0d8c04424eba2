-- What a run went through: one row an attempt, and what each attempt had to tell.

alter table runs
  -- A queued run waits until then: so long after an attempt that failed.
  add not_before timestamptz,
  -- Attempts in a row that failed and kept no page.
  add failures integer not null default 0,
  -- Whoever holds the run ends it.
  add cancel_requested boolean not null default false,
  -- The messages of the error and of its causes, the outermost first.
  add error_chain text[] not null default '{}',
  -- Pages of earlier rounds: the run was begun anew after so many. `pages` goes on counting.
  add pages_before integer not null default 0;

create table run_attempts (
  run_id bigint not null,
  attempt integer not null,
  worker text not null,
  -- Null while it runs. released: its worker had to stop; lost: its worker fell silent.
  outcome text check (outcome in ('success', 'failed', 'cancelled', 'released', 'lost')),
  error_chain text[] not null default '{}',
  -- Pages of the run when it began and when it ended.
  pages_from integer not null,
  pages_to integer,
  started_at timestamptz not null default now(),
  finished_at timestamptz,
  primary key (run_id, attempt)
);

-- Lines are numbered by the worker that writes them, so that one sent twice is kept once.
create table run_logs (
  run_id bigint not null,
  attempt integer not null,
  line integer not null,
  at timestamptz not null,
  level text not null,
  message text not null,
  fields json not null,
  primary key (run_id, attempt, line)
);
