import type { Run } from "../../../domain/run.ts";
import { ask } from "../api.ts";
import { confirmed } from "../dialog.ts";
import { h } from "../dom.ts";
import { button } from "../parts.ts";
import { toast, toastError } from "../toast.ts";
import { isActive } from "./words.ts";

/**
 * What can be done with a run as it stands. What comes of it is seen where the run is shown: it is
 * told as an event.
 */
export function actions(
  run: Run,
  { small = false }: { readonly small?: boolean } = {},
): readonly HTMLElement[] {
  const size = small ? "small" : "";
  const named = (label: string, action: string, press: () => Promise<void>, kind = "") => {
    const about = small ? { "aria-label": `${label}: run ${run.id}` } : {};
    return button(label, press, { kind: `${kind} ${size}`, "data-action": action, ...about });
  };
  if (isActive(run.state)) {
    if (run.cancelRequested) return [h("span", { class: "muted small" }, "asked to end")];
    return [named("Cancel", "cancel", () => cancel(run), small ? "quiet" : "danger")];
  }
  const anew = named("From the start", "anew", () => anewConfirmed(run), small ? "quiet" : "");
  // From the start alone is what has succeeded run again.
  if (run.state === "success") return small ? [] : [anew];
  return [
    named("Retry", "retry", () => retry(run, false), small ? "quiet" : "primary"),
    ...(small ? [] : [anew]),
  ];
}

async function cancel(run: Run): Promise<void> {
  const text =
    run.state === "queued"
      ? "It has not begun, and will not. It can be tried again later."
      : "It ends after the request that is under way. Its committed pages stay, and it can be tried again: it goes on after them.";
  const sure = await confirmed({
    ...{ title: `Cancel run ${run.id}?`, text, yes: "Cancel the run", danger: true },
  });
  const said = ({ state }: Run) => (state === "cancelled" ? "is cancelled" : "is asked to end");
  if (sure) await post(run, "cancel", {}, said);
}

async function anewConfirmed(run: Run): Promise<void> {
  const sure = await confirmed({
    title: `Run ${run.id} from the start?`,
    text: "It fetches the same users again: its seed stays. In the table each user stays one row.",
    yes: "Run from the start",
  });
  if (sure) await retry(run, true);
}

function retry(run: Run, fromStart: boolean): Promise<void> {
  const from = fromStart ? "from the start" : "after its last committed page";
  return post(run, "retry", { fromStart }, () => `is queued again, ${from}`);
}

/** What the service refuses, because the run has ended meanwhile perhaps, is told. */
async function post(
  { id }: Run,
  what: "cancel" | "retry",
  body: object,
  said: (run: Run) => string,
): Promise<void> {
  try {
    const run = await ask<Run>(`/api/runs/${id}/${what}`, { method: "POST", body });
    toast(`Run ${id} ${said(run)}.`);
  } catch (error) {
    toastError(error);
  }
}
