import type { Run } from "../../../domain/run.ts";
import { fill, h, mark, say } from "../dom.ts";
import { count, duration, percent, rate } from "../format.ts";
import { errorChain } from "./error-chain.ts";
import { followProgress } from "./progress.ts";
import { isActive, timeOf } from "./words.ts";

/** How far a run has come: a bar, how fast it goes, and what has become of its users. */
export function progressOf(signal: AbortSignal) {
  const follow = followProgress();
  let now: Run | undefined;
  const bar = h("div", {});
  const track = h(
    "div",
    {
      ...{ class: "progress", role: "progressbar", "aria-label": "Users received" },
      ...{ "aria-valuemin": 0, "aria-valuemax": 100 },
    },
    bar,
  );
  const text = {
    main: h("strong", {}),
    more: h("span", { class: "muted" }),
    left: h("span", { class: "muted" }),
  };
  const counters = ["fetched", "accepted", "rejected", "published"] as const;
  const figures = counters.map((name) => ({ name, value: h("dd", {}, "–") }));
  const error = h("div", {});
  let chain = "";
  const draw = () => {
    if (!now) return;
    const { done, perSecond, secondsLeft } = follow(now, Date.now());
    bar.style.setProperty("--done", String(done));
    mark(track, "data-run-state", now.state);
    mark(track, "aria-valuenow", String(Math.floor(done * 100)));
    say(text.main, `${count(now.fetched)} of ${count(now.results)} users`);
    say(text.more, perSecond === null ? percent(done) : `${percent(done)} · ${rate(perSecond)}`);
    say(text.left, leftText(now, secondsLeft));
    for (const { name, value } of figures) say(value, count(now[name]));
    if (chain === now.errorChain.join()) return;
    chain = now.errorChain.join();
    fill(error, chain !== "" && errorChain(now.errorChain));
  };
  // The rate falls and the time goes on also while nothing comes.
  const timer = setInterval(() => now && isActive(now.state) && draw(), 1000);
  signal.addEventListener("abort", () => clearInterval(timer));
  return {
    element: h(
      "div",
      { class: "run-progress live" },
      h("div", { class: "run-progress-text" }, text.main, text.more, text.left),
      track,
      error,
      h(
        "dl",
        { class: "counters" },
        figures.map(({ name, value }) =>
          h("div", { "data-counter": name }, h("dt", {}, name), value),
        ),
      ),
    ),
    update: (run: Run) => {
      now = run;
      draw();
    },
  };
}

function leftText(run: Run, secondsLeft: number | null): string {
  if (run.state === "queued") return waitText(run);
  if (run.state !== "running") return run.seconds === null ? "" : `in ${duration(run.seconds)}`;
  if (run.cancelRequested) return "is asked to end";
  const since = run.startedAt ? duration((Date.now() - Date.parse(run.startedAt)) / 1000) : "";
  return secondsLeft === null ? `for ${since}` : `for ${since}, ${duration(secondsLeft)} left`;
}

function waitText({ notBefore, ...run }: Run): string {
  const ms = notBefore === null ? 0 : Date.parse(notBefore) - Date.now();
  if (ms > 0) return `tried again in ${duration(Math.ceil(ms / 1000))}`;
  // A logical time lies in the past, or it would not be queued; when it was made says more.
  return `waits for ${duration((Date.now() - Date.parse(run.createdAt ?? timeOf({ ...run, notBefore }))) / 1000)}`;
}
