import type * as v from "valibot";
import type { LetterInfo } from "../../../domain/letter-filter.ts";
import type { ShownLetterAnswer } from "../../letter-answers.ts";
import { ask, isTrouble } from "../api.ts";
import { type Child, fill, h } from "../dom.ts";
import { bytes } from "../format.ts";
import { jsonView } from "../json.ts";
import { badge, fact, failed, loading, time, timeAgo } from "../parts.ts";

type ShownLetter = v.InferOutput<typeof ShownLetterAnswer>;

/** One letter of the list: what is wrong with it, and, opened, the record itself. */
export function letterItem(
  info: LetterInfo,
  { pick, picked, signal }: { pick: (on: boolean) => void; picked: boolean; signal: AbortSignal },
): HTMLElement {
  const place = h("div", { class: "letter-more" });
  const box = h("input", {
    ...{ type: "checkbox", "aria-label": `Select ${info.id}`, disabled: info.state !== "open" },
    on: { change: () => pick(box.checked) },
  });
  box.checked = picked;
  const details = h(
    "details",
    { class: "letter-details" },
    h(
      "summary",
      {},
      h("span", { class: "letter-reason" }, info.reason || "No reason was told"),
      h("span", { class: "letter-meta" }, meta(info)),
    ),
    place,
  );
  details.addEventListener("toggle", () => {
    if (details.open && !place.hasChildNodes()) void load(info, place, signal);
  });
  return h("li", { class: "letter" }, box, details);
}

function meta({ id, at, stage, path, attempts, state }: LetterInfo): Child {
  return [
    stage && badge(stage, "idle"),
    path && h("code", {}, path),
    h("span", { class: "mono" }, id),
    attempts > 1 && h("span", {}, `${attempts} attempts`),
    state !== "open" && badge(state, state === "replayed" ? "good" : "idle"),
    h("span", {}, timeAgo(at)),
  ];
}

async function load(info: LetterInfo, place: HTMLElement, signal: AbortSignal): Promise<void> {
  fill(place, loading("the record", "12rem"));
  try {
    fill(place, shown(await ask<ShownLetter>(`/api/letters/${info.id}`, { signal })));
  } catch (error) {
    if (isTrouble(error, signal))
      fill(
        place,
        failed(error, () => load(info, place, signal)),
      );
  }
}

function shown(letter: ShownLetter): Child {
  const { run, raw, recordAt, at, headers, key, value, path, leftOutBytes } = letter;
  const names = Object.entries(headers);
  return [
    h(
      "dl",
      { class: "facts" },
      fact("Refused", time(at)),
      fact("The record's own time", time(recordAt)),
      run !== null && fact("Run", h("a", { href: `#/runs/${run}` }, `run ${run}`)),
      raw !== null && fact("Row of raw_users", h("span", { class: "mono" }, raw)),
      key.as !== "nothing" && fact("Key", h("code", {}, asText(key))),
    ),
    h("h2", { class: "letter-part" }, "Record"),
    leftOutBytes === null
      ? record(value, path)
      : h("p", { class: "muted" }, `It was too large to be kept: ${bytes(leftOutBytes)}.`),
    names.length > 0 && [
      h("h2", { class: "letter-part" }, "Headers"),
      h(
        "dl",
        { class: "facts" },
        names.map(([name, text]) => fact(name, h("code", {}, text))),
      ),
    ],
  ];
}

function record(value: ShownLetter["value"], path: string): HTMLElement {
  if (value.as === "json") return jsonView(value.value, path);
  if (value.as === "nothing") return h("p", { class: "muted" }, "It has no value.");
  return h("pre", { class: "json", tabindex: 0 }, asText(value));
}

function asText({ value }: ShownLetter["value"]): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
