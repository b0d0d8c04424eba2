import { ask } from "../api.ts";
import { asked } from "../asked.ts";
import { h, say } from "../dom.ts";
import { count } from "../format.ts";
import { button, empty } from "../parts.ts";
import type { View } from "../router.ts";
import { toastError } from "../toast.ts";
import { lettersText, type Meant, purge, replay } from "./actions.ts";
import { type Filter, filterBar, filterOf } from "./filter-bar.ts";
import { type LetterPage, letterList } from "./letter-list.ts";

/** What is listed, and what was asked for. */
interface Listed extends LetterPage {
  readonly filter: Filter;
}

/** `#/letters`: what did not become a row, why, and what is to become of it. */
export const letters: View = ({ live, signal, query }) => {
  const listed = letterList(signal, () => tell());
  const bar = filterBar(query, () => {
    listed.unpick();
    place.again().catch(reportError);
  });
  let page: Listed = { letters: [], total: 0, next: null, filter: bar.now() };
  const read = async (filter: Filter, cursor: Readonly<Record<string, string>> = {}) => {
    const wanted = { ...filterOf(filter), state: filter.state, limit: "50", ...cursor };
    const search = new URLSearchParams(wanted);
    return { ...(await ask<LetterPage>(`/api/letters?${search}`, { signal })), filter };
  };
  const meant = () => target(listed.picked, page);
  const act = (what: typeof replay) => async () => {
    if (!(await what({ ...meant(), signal }))) return;
    listed.unpick();
    await place.again();
  };
  const tools = toolbar(act(replay), act(purge));
  const more = button("Show more", async () => {
    const before = page;
    const next = await read(page.filter, { cursor: page.next ?? "" });
    // Others are listed meanwhile: it does not go on from these.
    if (page !== before) return;
    page = { ...next, letters: [...page.letters, ...next.letters] };
    listed.add(next);
    tell();
  });
  const shown = h("div", {}, listed.element, h("div", { class: "letters-more" }, more));
  const tell = () => {
    const isOpen = page.filter.state === "open";
    tools.tell(page.total, isOpen ? meant().letters : 0, listed.picked.size);
    more.hidden = page.next === null;
  };
  const show = (now: Listed) => {
    page = now;
    listed.show(now);
    tell();
    if (now.letters.length > 0) return shown;
    return empty("No letters", "What cannot become a row is shown here, with the reason.");
  };
  const place = asked<Listed>({
    what: "the letters",
    ask: () => read(bar.now()),
    show,
    height: "20rem",
    live,
    signal,
  });
  return h(
    "div",
    { class: "view" },
    h("div", { class: "view-head" }, h("h1", {}, "Dead letters"), tools.elements),
    bar.element,
    h("section", { class: "card", "aria-label": "Letters" }, place.element),
  );
};

/** What is settled at once, at most. */
const mostLetters = 1000;

/**
 * What the buttons are about, and how many that is: what is selected, else what is listed. That is
 * not what came since, nor what the fields say by now.
 */
function target(
  picked: ReadonlySet<string>,
  { letters: [newest], total, filter }: Listed,
): { readonly meant: Meant; readonly letters: number } {
  if (picked.size > 0) return { meant: { ids: [...picked] }, letters: picked.size };
  const letters = Math.min(total, mostLetters);
  const to = new Date(newest ? Date.parse(newest.at) + 1 : 0).toISOString();
  return { meant: { ...filterOf(filter), to, limit: letters }, letters };
}

function allText(letters: number, listed: number): string {
  if (letters < listed) return `${lettersText(letters)} of ${count(listed)}`;
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
        const which = selected > 0 ? `${letters} selected` : allText(letters, listed);
        say(each, letters === 0 ? verb : `${verb} ${which}`);
      }
    },
  };
}
