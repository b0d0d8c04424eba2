import { ask } from "../api.ts";
import { asked } from "../asked.ts";
import { h, say } from "../dom.ts";
import { button, empty } from "../parts.ts";
import type { View } from "../router.ts";
import { toastError } from "../toast.ts";
import { lettersText, type Meant, purge, replay } from "./actions.ts";
import { filterBar, filterOf } from "./filter-bar.ts";
import { type LetterPage, letterList } from "./letter-list.ts";

/** `#/letters`: what did not become a row, why, and what is to become of it. */
export const letters: View = ({ live, signal, query }) => {
  let page: LetterPage = { letters: [], total: 0, next: null };
  const listed = letterList(signal, () => tell());
  const bar = filterBar(query, () => {
    listed.unpick();
    place.again().catch(reportError);
  });
  const read = (cursor: Readonly<Record<string, string>> = {}) => {
    const wanted = { ...filterOf(bar.now()), state: bar.now().state, limit: "50", ...cursor };
    return ask<LetterPage>(`/api/letters?${new URLSearchParams(wanted)}`, { signal });
  };
  const meant = () => target(listed.picked, page.total, filterOf(bar.now()));
  const act = (what: typeof replay) => async () => {
    if (!(await what({ ...meant(), signal }))) return;
    listed.unpick();
    await place.again();
  };
  const tools = toolbar(act(replay), act(purge));
  const more = button("Show more", async () => {
    const before = page;
    const next = await read({ cursor: page.next ?? "" });
    // Others are listed meanwhile: it does not go on from these.
    if (page !== before) return;
    page = { ...next, letters: [...page.letters, ...next.letters] };
    listed.add(next);
    tell();
  });
  const shown = h("div", {}, listed.element, h("div", { class: "letters-more" }, more));
  const tell = () => {
    tools.tell(page.total, bar.now().state === "open" ? meant().letters : 0, listed.picked.size);
    more.hidden = page.next === null;
  };
  const show = (now: LetterPage) => {
    page = now;
    listed.show(now);
    tell();
    if (now.letters.length > 0) return shown;
    return empty("No letters", "What cannot become a row is shown here, with the reason.");
  };
  const place = asked({ what: "the letters", ask: read, show, height: "20rem", live, signal });
  return h(
    "div",
    { class: "view" },
    h("div", { class: "view-head" }, h("h1", {}, "Dead letters"), tools.elements),
    bar.element,
    h("section", { class: "card", "aria-label": "Letters" }, place.element),
  );
};

/** What the buttons are about, and how many that is: what is selected, else all that is listed. */
function target(
  picked: ReadonlySet<string>,
  total: number,
  filter: Readonly<Record<string, string>>,
): { readonly meant: Meant; readonly letters: number } {
  if (picked.size > 0) return { meant: { ids: [...picked] }, letters: picked.size };
  return { meant: Object.keys(filter).length > 0 ? filter : { all: true }, letters: total };
}

function allText(letters: number): string {
  return letters === 1 ? lettersText(1) : `all ${lettersText(letters)}`;
}

function toolbar(replayThem: () => Promise<void>, purgeThem: () => Promise<void>) {
  const safely = (work: () => Promise<void>) => () => work().catch(toastError);
  const total = h("span", { class: "muted", role: "status" });
  const actions = [
    ["Purge", button("Purge", safely(purgeThem), { kind: "danger" })],
    ["Replay", button("Replay", safely(replayThem), { kind: "primary" })],
  ] as const;
  return {
    elements: [total, actions.map(([, each]) => each)],
    /** How many are listed, how many the buttons are about, and whether these are selected ones. */
    tell: (listed: number, letters: number, selected: number) => {
      say(total, listed === 0 ? "" : lettersText(listed));
      for (const [verb, each] of actions) {
        each.disabled = letters === 0;
        const which = selected > 0 ? `${letters} selected` : allText(letters);
        say(each, letters === 0 ? verb : `${verb} ${which}`);
      }
    },
  };
}
