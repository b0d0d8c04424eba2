import type { Backfill } from "../../../domain/backfill.ts";
import { ask, isTrouble } from "../api.ts";
import { loadAsLive } from "../as-live.ts";
import { fill, h, list } from "../dom.ts";
import { button, empty, failed, loading } from "../parts.ts";
import type { ViewContext } from "../router.ts";
import { backfillCard } from "./card.ts";

interface BackfillPage {
  readonly backfills: readonly Backfill[];
  readonly next: string | null;
}

/** All backfills, the newest first, with older ones on demand. */
export function backfillList({ live, signal }: Pick<ViewContext, "live" | "signal">) {
  let unanswered = true;
  let shown: readonly Backfill[] = [];
  let next: string | null = null;
  let asking = new AbortController();
  /** What was told since a page was asked for, and may be newer than it. */
  let told: Backfill[] | undefined;
  const memory = new Map<string | number, HTMLElement>();
  const updates = new WeakMap<HTMLElement, (backfill: Backfill) => void>();
  const items = h("ul", { class: "backfills live" });
  const place = h("div", {}, loading("the backfills", "10rem"));
  const older = button("Older", () => load(next), { kind: "small", hidden: true });

  function show(): void {
    older.hidden = next === null;
    if (shown.length === 0) return void fill(place, empty("No backfills yet"));
    if (!items.isConnected) fill(place, items);
    list(items, shown, {
      key: ({ id }) => id,
      make: (backfill) => {
        const { element, update } = backfillCard(backfill);
        updates.set(element, update);
        return element;
      },
      update: (element, backfill) => updates.get(element)?.(backfill),
      memory,
    });
  }
  async function load(cursor: string | null): Promise<void> {
    asking.abort();
    asking = new AbortController();
    const either = AbortSignal.any([signal, asking.signal]);
    told = [];
    const query = cursor === null ? "" : `?cursor=${cursor}`;
    try {
      const page = await ask<BackfillPage>(`/api/backfills${query}`, { signal: either });
      shown = cursor === null ? page.backfills : [...shown, ...page.backfills];
      next = page.next;
      for (const backfill of told ?? []) take(backfill);
      told = undefined;
      unanswered = false;
      show();
    } catch (error) {
      if (!isTrouble(error, either)) return;
      unanswered = true;
      fill(place, failed(error, reload));
    }
  }
  const reload = () => {
    load(null).catch(reportError);
  };
  function take(backfill: Backfill): void {
    const at = shown.findIndex(({ id }) => id === backfill.id);
    const isNewest = shown.every(({ id }) => id < backfill.id);
    if (at >= 0) shown = shown.with(at, backfill);
    else if (isNewest) shown = [backfill, ...shown];
  }
  const put = (backfill: Backfill) => {
    told?.push(backfill);
    take(backfill);
    show();
  };
  live.on("backfill", put, signal);
  loadAsLive({ live, signal }, { load: reload, unanswered: () => unanswered });
  return {
    element: h("div", {}, h("div", { class: "card-head" }, h("h2", {}, "Backfills")), place, older),
    put,
  };
}
