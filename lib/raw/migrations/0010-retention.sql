-- What was removed for its age is remembered as a bound: rows of the table with versions below it may be
-- of raw rows that are gone.
create table retention (
  only_row boolean primary key default true check (only_row),
  pruned_below bigint not null
);
