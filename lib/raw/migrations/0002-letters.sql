-- What became of letters: dead letters on their topic, which only grows, and rejected rows.

-- The newest outcome of each record that became a dead letter: it settles its letters up to `attempts`.
create table settled_letters (
  topic text not null,
  partition integer not null,
  "offset" bigint not null,
  -- The record's own time, in milliseconds: tells it from one of a topic made anew under the same name.
  timestamp_ms bigint not null,
  attempts integer not null,
  raw_id bigint,
  outcome text not null check (outcome in ('replayed', 'purged')),
  settled_at timestamptz not null default now(),
  primary key (topic, partition, "offset", timestamp_ms)
);

-- How often a row was refused; how often before, while it waits for the topic once more.
alter table rejected_users add attempts integer not null default 1;
alter table outbox add refusals integer not null default 0;

-- No longer listed, and rejected all the same.
alter table rejected_users add purged_at timestamptz;
