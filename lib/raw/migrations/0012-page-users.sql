-- Users of a page, kept with the run: seed and page together decide the users, so a run that is half done, or
-- begun anew, goes on with the pages it was made with.
alter table runs add page_users integer not null default 5000 check (page_users between 1 and 5000);

-- Of new runs; `pageUsers` in lib/domain/run.ts says why so many.
alter table runs alter page_users set default 1000;
