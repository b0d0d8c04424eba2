-- Finds what was fetched in a span of time, to send it again. Rows come in the order of their times, so a
-- few kilobytes do for any number of them; autovacuum takes in new ones, and until then they are read.
create index raw_users_fetched on raw_users using brin (fetched_at) with (autosummarize = on);
