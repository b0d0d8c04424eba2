import { openFrame } from "./frame.ts";
import { openLive } from "./live.ts";
import { keepTimes } from "./parts.ts";
import { type Route, startRouter } from "./router.ts";

/* The page: a frame, the views in it, and one stream of events for all of them. */

const routes: readonly Route[] = [
  {
    path: "/",
    title: () => "Overview",
    load: async () => (await import("./overview.ts")).overview,
  },
];

const links = [{ path: "/", text: "Overview" }];

const { signal } = new AbortController();
const live = openLive("?types=run,schedule,backfill,pipeline", signal);
const main = openFrame(links, { live, signal });
startRouter(main, { routes, live, signal });
keepTimes(signal);
