-- The record is made when its user is judged, and waits here: publishing reads neither the raw row nor its
-- payload. Null where it was not made, as in rows from before and in those that are published once more:
-- then it is made from the payload.
alter table outbox
  add version bigint,
  add user_id uuid,
  add value text;

-- One index for both, since there are as many index entries to write as rows: it finds the rows of a run,
-- and those to be published next. The outbox is short, or as long as Kafka was away.
drop index outbox_run;
alter table outbox drop constraint outbox_pkey, add primary key (run_id, raw_id);
