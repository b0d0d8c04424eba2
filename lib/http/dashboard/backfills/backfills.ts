import { h } from "../dom.ts";
import type { View } from "../router.ts";
import { backfillForm } from "./form.ts";
import { backfillList } from "./list.ts";

/** `#/backfills`: asks for runs of times past, and shows what has become of them. */
export const backfills: View = ({ live, signal }) => {
  const list = backfillList({ live, signal });
  const made = backfillForm({ signal, onMade: list.put });
  return h(
    "div",
    { class: "view" },
    h("div", { class: "view-head" }, h("h1", {}, "Backfills")),
    h("section", { class: "card", "aria-label": "A new backfill" }, made),
    h("section", { class: "card", "aria-label": "All backfills" }, list.element),
  );
};
