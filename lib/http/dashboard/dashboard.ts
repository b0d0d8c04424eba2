import { isTrouble, reasonOf, signedOutEvent } from "./api.ts";
import { backfills } from "./backfills/backfills.ts";
import { fill, h } from "./dom.ts";
import { openFrame } from "./frame.ts";
import { letters } from "./letters/letters.ts";
import { openLive } from "./live.ts";
import { overview } from "./overview/overview.ts";
import { button, keepTimes } from "./parts.ts";
import { type Route, startRouter } from "./router.ts";
import { run } from "./runs/run.ts";
import { runs } from "./runs/runs.ts";
import { schedule } from "./schedule/schedule.ts";
import { type Session, session, signIn, signOut } from "./session.ts";
import { toastError } from "./toast.ts";

/* The page: a frame, the views in it, and one stream of events for all of them. */

const routes: readonly Route[] = [
  {
    path: "/",
    title: () => "Overview",
    view: overview,
  },
  {
    path: "/runs",
    title: () => "Runs",
    view: runs,
  },
  {
    path: "/runs/:id",
    title: ({ id }) => `Run ${id}`,
    view: run,
  },
  {
    path: "/schedule",
    title: () => "Schedule",
    view: schedule,
  },
  {
    path: "/backfills",
    title: () => "Backfills",
    view: backfills,
  },
  {
    path: "/letters",
    title: () => "Dead letters",
    view: letters,
  },
];

const links = [
  { path: "/", text: "Overview" },
  { path: "/runs", text: "Runs" },
  { path: "/schedule", text: "Schedule" },
  { path: "/backfills", text: "Backfills" },
  { path: "/letters", text: "Dead letters" },
];

/** Shows everything, until the service asks for the token. */
async function show({ tokenNeeded }: Session): Promise<void> {
  const ending = new AbortController();
  const { signal } = ending;
  const over = new Promise<void>((resolve) => {
    addEventListener(signedOutEvent, () => resolve(), { signal });
  });
  const leave = () => signOut().then(() => dispatchEvent(new Event(signedOutEvent)), toastError);
  const end = tokenNeeded ? [button("Sign out", leave, { kind: "quiet small" })] : [];
  const live = openLive("?types=run,schedule,backfill,pipeline", signal);
  const main = openFrame(links, { live, signal, end });
  startRouter(main, { routes, live, signal });
  keepTimes(signal);
  await over;
  ending.abort();
}

/** Asked again until the service answers: it may be about to start. */
async function standing(): Promise<Session> {
  for (;;) {
    try {
      return await session();
    } catch (error) {
      if (!isTrouble(error)) throw error;
      const text = h(
        "div",
        { class: "state", role: "status" },
        h("strong", {}, reasonOf(error)),
        "Trying again.",
      );
      fill(document.body, h("main", { class: "main" }, text));
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

for (;;) {
  const now = await standing();
  if (now.signedIn) await show(now);
  else await signIn();
}
