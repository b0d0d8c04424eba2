import type { Backfill } from "../../../domain/backfill.ts";
import { ask } from "../api.ts";
import { openDialog } from "../dialog.ts";
import { h } from "../dom.ts";
import { form } from "../form.ts";
import { count } from "../format.ts";
import { button } from "../parts.ts";
import { toast } from "../toast.ts";

/** Asks whether a backfill is to be cancelled, and whether what is performed ends too. */
export function cancelBackfill({ id, states }: Backfill): void {
  const running = h("input", { type: "checkbox", name: "running" });
  const submit = async () => {
    const body = { running: running.checked };
    await ask<Backfill>(`/api/backfills/${id}/cancel`, { method: "POST", body });
    dialog.close();
    toast(`Backfill ${id} is cancelled.`);
  };
  const dialog = openDialog(
    `Cancel backfill ${id}?`,
    form(
      { fields: {}, submit },
      h("p", {}, `Its runs that wait do not begin: ${count(states.queued)}. What has run stays.`),
      h(
        "label",
        { class: "check" },
        running,
        `End those that are performed too: ${count(states.running)}`,
      ),
      h(
        "div",
        { class: "dialog-end" },
        button("Go back", () => dialog.close(), { autofocus: true }),
        h("button", { class: "button danger", type: "submit" }, "Cancel the backfill"),
      ),
    ),
  );
}
