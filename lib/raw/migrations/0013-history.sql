-- Finds when the API last answered and when it last failed, among any number of attempts.
create index run_attempts_finished on run_attempts (outcome, finished_at);

-- How the pipeline stood, every few seconds: counts that only grow, from which rates of any span are made,
-- and what was just then. Null is what nobody could tell.
create table samples (
  -- The begin of its span of time: of several instances the first one takes it.
  at timestamptz primary key,
  received bigint not null,
  written bigint,
  consumed bigint,
  pending bigint not null,
  lag bigint,
  -- Of the consumers at work.
  batch_rows_p50 real,
  batch_rows_p99 real,
  write_ms_p50 real,
  write_ms_p99 real,
  end_to_end_ms_p50 real,
  end_to_end_ms_p99 real
);
