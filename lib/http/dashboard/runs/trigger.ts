import type { Run } from "../../../domain/run.ts";
import { ask } from "../api.ts";
import { openDialog } from "../dialog.ts";
import { h } from "../dom.ts";
import { form, textField } from "../form.ts";
import { button } from "../parts.ts";
import { toast } from "../toast.ts";
import { natField } from "./nat-field.ts";
import { createSubmission } from "./submission.ts";
import { numberOf } from "./typed.ts";

/** The form that asks for a run. What is wrong with a field, the service says. */
export function openTrigger(): void {
  const submission = createSubmission(() => crypto.randomUUID());
  const fields = {
    results: textField(
      "Users",
      { inputmode: "numeric", name: "results", placeholder: "as set", autofocus: true },
      "How many to fetch, up to 1,000,000. Empty: as RESULTS says for the service.",
    ),
    seed: textField(
      "Seed",
      { name: "seed", placeholder: "made up", spellcheck: "false" },
      "The same seed gives the same users. Empty: one of the run's own.",
    ),
    nat: natField(),
  };
  const submit = async () => {
    const seed = fields.seed.input.value;
    const nat = fields.nat.chosen();
    const body = {
      ...numberOf("results", fields.results.input.value),
      ...(seed === "" ? {} : { seed }),
      ...(nat.length === 0 ? {} : { nat }),
    };
    const headers = { "idempotency-key": submission.keyFor(body) };
    const run = await ask<Run>("/api/runs", { method: "POST", body, headers });
    submission.done();
    dialog.close();
    toast(h("a", { href: `#/runs/${run.id}` }, `Run ${run.id}`), " is queued.");
  };
  const dialog = openDialog(
    "Trigger a run",
    form(
      { fields, submit },
      h("div", { class: "fields" }, fields.results.element, fields.seed.element),
      fields.nat.element,
      h(
        "div",
        { class: "dialog-end" },
        button("Go back", () => dialog.close()),
        h("button", { class: "button primary", type: "submit" }, "Trigger the run"),
      ),
    ),
  );
}
