-- The place of each run in a trace, as W3C Trace Context writes it: that of what asked for it, or a trace of
-- its own, of which nobody says that it is recorded. It never changes, so that a record of the run is the same
-- whenever it is made.

create function new_traceparent() returns text language sql volatile as $$
  -- Random, and never all zeros: a UUID has fixed bits in both halves.
  select concat('00-', replace(gen_random_uuid()::text, '-', ''), '-',
    right(replace(gen_random_uuid()::text, '-', ''), 16), '-00')
$$;

alter table runs
  add traceparent text not null default new_traceparent(),
  add tracestate text;
