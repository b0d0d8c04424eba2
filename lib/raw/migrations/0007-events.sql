-- What changed, in order, for those who watch: which run, line of a log, and so on; not how it is.
create table events (
  id bigint generated always as identity primary key,
  type text not null,
  -- The id of what changed; the run of a line.
  subject bigint,
  attempt integer,
  line integer
);

-- Runs at the end of a transaction, and holds the lock to the end of its commit, which is a moment: so
-- ids are given in the order in which others get to see them, and whoever has seen one has seen all
-- before it.
create function note_event() returns trigger language plpgsql as $$
begin
  perform pg_advisory_xact_lock(7305215);
  if tg_argv[0] = 'log' then
    insert into events (type, subject, attempt, line)
    values ('log', new.run_id, new.attempt, new.line);
  elsif tg_argv[0] = 'schedule' then
    insert into events (type) values ('schedule');
  else
    insert into events (type, subject) values (tg_argv[0], new.id);
    -- It counts its runs by their states.
    if tg_argv[0] = 'run' and tg_op = 'UPDATE' then
      insert into events (type, subject)
      select 'backfill', new.backfill_id
      where new.backfill_id is not null and old.state <> new.state;
    end if;
  end if;
  perform pg_notify('events', '');
  return null;
end
$$;

create constraint trigger runs_made after insert on runs
  deferrable initially deferred for each row execute function note_event('run');
-- That a worker is alive is no news.
create constraint trigger runs_changed after update on runs
  deferrable initially deferred for each row
  when (
    (old.state, old.attempt, old.pages, old.pages_before, old.accepted, old.rejected, old.error,
      old.not_before, old.cancel_requested)
    is distinct from
    (new.state, new.attempt, new.pages, new.pages_before, new.accepted, new.rejected, new.error,
      new.not_before, new.cancel_requested))
  execute function note_event('run');

create constraint trigger run_logs_made after insert on run_logs
  deferrable initially deferred for each row execute function note_event('log');

create constraint trigger schedule_changed after update on schedule
  deferrable initially deferred for each row
  when (old.version <> new.version)
  execute function note_event('schedule');

create constraint trigger backfills_made after insert on backfills
  deferrable initially deferred for each row execute function note_event('backfill');
create constraint trigger backfills_cancelled after update on backfills
  deferrable initially deferred for each row
  when (old.cancelled_at is distinct from new.cancelled_at)
  execute function note_event('backfill');
