-- Users that were asked for, or will be, so that all instances together keep to the API's limit.
-- Milliseconds of PostgreSQL's clock: of the first and of the last booking that a slot holds.
create table rate_bookings (
  source text not null,
  from_ms bigint not null,
  at_ms bigint not null,
  users bigint not null,
  primary key (source, from_ms)
);
