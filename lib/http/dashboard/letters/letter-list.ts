import type { LetterInfo } from "../../../domain/letter-filter.ts";
import { fill, h } from "../dom.ts";
import { letterItem } from "./letter.ts";

export interface LetterPage {
  readonly letters: readonly LetterInfo[];
  /** How many match in all. */
  readonly total: number;
  readonly next: string | null;
}

/** Letters, some of them selected. Calls when others are. */
export function letterList(signal: AbortSignal, onPick: () => void) {
  const picked = new Set<string>();
  const element = h("ul", { class: "letters live" });
  const item = (info: LetterInfo) => {
    const pick = (on: boolean) => {
      if (on) picked.add(info.id);
      else picked.delete(info.id);
      onPick();
    };
    return letterItem(info, { picked: picked.has(info.id), pick, signal });
  };
  return {
    element,
    picked: picked as ReadonlySet<string>,
    /** Shows these; what is selected stays so where it is still there. */
    show: ({ letters }: LetterPage) => {
      const there = new Set(letters.map(({ id }) => id));
      for (const id of picked) if (!there.has(id)) picked.delete(id);
      fill(element, letters.map(item));
    },
    add: ({ letters }: LetterPage) => element.append(...letters.map(item)),
    unpick: () => picked.clear(),
  };
}
