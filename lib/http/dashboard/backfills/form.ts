import type { Backfill, BackfillRun } from "../../../domain/backfill.ts";
import { ask } from "../api.ts";
import { fill, h, say } from "../dom.ts";
import { type Field, field, form, selectField, textField } from "../form.ts";
import { utc } from "../format.ts";
import { momentOf } from "../runs/local-time.ts";
import { natField } from "../runs/nat-field.ts";
import { createSubmission } from "../runs/submission.ts";
import { numberOf } from "../runs/typed.ts";
import { toast } from "../toast.ts";
import { listed } from "./listed.ts";

/** As `POST /api/backfills` answers. */
export interface Backfilled {
  readonly backfill: Backfill | null;
  readonly runs: readonly BackfillRun[];
}

export interface BackfillFormOptions {
  readonly signal: AbortSignal;
  readonly onMade: (backfill: Backfill) => void;
}

/** The form that asks for a backfill: first what it would run, then that it runs. */
export function backfillForm({ onMade, signal }: BackfillFormOptions): HTMLElement {
  const submission = createSubmission(() => crypto.randomUUID());
  const fields = backfillFields();
  const preview = h("div", { class: "preview", role: "status" });
  const bodyOf = () => ({
    ...{ from: fields.from.moment(), to: fields.to.moment() },
    ...{ reprocess: fields.reprocess.input.value, order: fields.order.input.value },
    ...numberOf("maxActiveRuns", fields.maxActiveRuns.input.value),
    ...numberOf("results", fields.results.input.value),
    ...(fields.nat.chosen().length === 0 ? {} : { nat: fields.nat.chosen() }),
  });
  const list = async () => {
    const body = { ...bodyOf(), dryRun: true };
    const { runs } = await ask<Backfilled>("/api/backfills", { method: "POST", body, signal });
    fill(preview, listed(runs));
  };
  const start = async () => {
    const body = bodyOf();
    const headers = { "idempotency-key": submission.keyFor(body) };
    const made = await ask<Backfilled>("/api/backfills", { method: "POST", body, headers });
    submission.done();
    fill(preview, made.backfill ? null : listed(made.runs));
    if (!made.backfill) return;
    onMade(made.backfill);
    toast(`Backfill ${made.backfill.id}: ${made.backfill.runs} runs are queued.`);
  };
  let starts = false;
  const made = form(
    { fields, submit: () => (starts ? start() : list()) },
    h("div", { class: "card-head" }, h("h2", {}, "A new backfill")),
    h("div", { class: "fields" }, fields.from.element, fields.to.element, fields.reprocess.element),
    h(
      "div",
      { class: "fields" },
      ...[fields.order.element, fields.maxActiveRuns.element, fields.results.element],
    ),
    fields.nat.element,
    h(
      "div",
      { class: "row" },
      // The first one is what Enter presses: it changes nothing.
      h("button", { class: "button", type: "submit", value: "list" }, "Show what would run"),
      h(
        "button",
        { class: "button primary", type: "submit", value: "start" },
        "Start the backfill",
      ),
    ),
    preview,
  );
  // Before the form hears of it.
  made.addEventListener(
    "submit",
    ({ submitter }) => {
      starts = submitter instanceof HTMLButtonElement && submitter.value === "start";
    },
    { capture: true },
  );
  // What is listed is not what these fields ask for any more.
  made.addEventListener("input", () => fill(preview));
  return made;
}

function backfillFields() {
  return {
    from: momentField("From", "from", "The first logical time."),
    to: momentField("To", "to", "Before this one."),
    reprocess: selectField(
      "Reprocess",
      [
        ["none", "none: times that have a run keep it"],
        ["failed", "failed: what has failed goes on"],
        ["completed", "completed: what has ended begins anew"],
      ],
      { name: "reprocess" },
      "What becomes of logical times that have a run.",
    ),
    order: selectField(
      "Order",
      [
        ["oldest", "the oldest first"],
        ["newest", "the newest first"],
      ],
      { name: "order" },
    ),
    maxActiveRuns: textField(
      "Max active runs",
      { name: "maxActiveRuns", inputmode: "numeric", placeholder: "1" },
      "From 1 to 100.",
    ),
    results: textField(
      "Users of each run",
      { name: "results", inputmode: "numeric", placeholder: "as set" },
      "Empty: as RESULTS says for the service.",
    ),
    nat: natField(),
  };
}

interface MomentField extends Field {
  /** ISO 8601, UTC; the empty text where nothing is chosen. */
  moment(): string;
}

/** A time in the reader's zone, and in UTC, as the pipeline has it, below it. */
function momentField(label: string, name: string, about: string): MomentField {
  const input = h("input", { type: "datetime-local", name });
  const hint = h("span", {}, about);
  const moment = () => momentOf(input.value) ?? "";
  input.addEventListener("input", () => say(hint, moment() === "" ? about : utc(moment())));
  return { ...field(label, input, hint), moment };
}
