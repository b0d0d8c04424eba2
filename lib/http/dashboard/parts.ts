import type { RunState } from "../../domain/run.ts";
import { ApiError, reasonOf } from "./api.ts";
import { type Child, h, type Props, say } from "./dom.ts";
import { ago, moment, utc } from "./format.ts";

/* The small parts that views are made of. */

/** A button that does something. While what it started goes on it cannot be pressed again. */
export function button(
  label: Child,
  press: () => unknown,
  { kind = "", ...props }: Props & { readonly kind?: string } = {},
): HTMLButtonElement {
  const made = h("button", { type: "button", class: `button ${kind}`.trim(), ...props }, label);
  made.addEventListener("click", () => {
    if (made.ariaBusy === "true") return;
    const going = press();
    if (going instanceof Promise) busy(made, going).catch(reportError);
  });
  return made;
}

/** Shows on a button that something goes on, until it has ended, well or not. */
export async function busy<T>(on: HTMLButtonElement, going: Promise<T>): Promise<T> {
  on.ariaBusy = "true";
  try {
    return await going;
  } finally {
    on.ariaBusy = null;
  }
}

/** The state of a run, in words and colour. */
export function stateBadge(state: RunState): HTMLElement {
  return h("span", { class: "badge", "data-run-state": state }, state);
}

/** A few words in a colour of meaning. */
export function badge(text: string, tone: "good" | "bad" | "warn" | "busy" | "idle"): HTMLElement {
  return h("span", { class: "badge", "data-tone": tone }, text);
}

/** A time in the reader's zone; in UTC, as the pipeline counts it, on hover. */
export function time(iso: string | null | undefined): Child {
  if (!iso) return h("span", { class: "muted" }, "–");
  return h("time", { datetime: iso, title: utc(iso) }, moment(iso));
}

/** How long ago something was, as that grows; the time itself on hover. */
export function timeAgo(iso: string | null | undefined): Child {
  if (!iso) return h("span", { class: "muted" }, "–");
  const title = `${moment(iso)} · ${utc(iso)}`;
  return h("time", { datetime: iso, title, "data-ago": "" }, ago(iso));
}

/** Brings every `timeAgo` of the page up to date, each second. */
export function keepTimes(signal: AbortSignal): void {
  const timer = setInterval(() => {
    if (document.visibilityState === "hidden") return;
    for (const each of document.querySelectorAll<HTMLTimeElement>("time[data-ago]")) {
      say(each, ago(each.dateTime));
    }
  }, 1000);
  signal.addEventListener("abort", () => clearInterval(timer));
}

/** While something is asked for. Takes the room that the answer will need. */
export function loading(what: string, height = "7rem"): HTMLElement {
  return h(
    "div",
    { class: "skeleton", role: "status", css: { "min-height": height } },
    h("span", { class: "sr" }, `Loading ${what}`),
  );
}

/** Where there is nothing, and what to do about that. */
export function empty(title: string, ...more: readonly Child[]): HTMLElement {
  return h("div", { class: "state" }, h("strong", {}, title), ...more);
}

/** What went wrong, and a way to try again. */
export function failed(error: unknown, again?: () => unknown): HTMLElement {
  const title = error instanceof ApiError ? error.title : "Something went wrong";
  const detail = error instanceof ApiError ? error.detail : reasonOf(error);
  return h(
    "div",
    { class: "state", role: "alert" },
    h("strong", {}, title),
    detail && h("span", {}, detail),
    again && button("Try again", again),
  );
}

/** A name and its value, for `<dl class="facts">`. */
export function fact(name: string, ...value: readonly Child[]): HTMLElement {
  return h("div", {}, h("dt", {}, name), h("dd", {}, ...value));
}

/** One of several, side by side: calls when another one is chosen. */
export function choices<Value extends string>(
  label: string,
  values: readonly (readonly [Value, string])[],
  chosen: Value,
  choose: (value: Value) => void,
): HTMLElement {
  const buttons = values.map(([value, text]) =>
    h(
      "button",
      {
        type: "button",
        "aria-pressed": String(value === chosen),
        on: {
          click: () => {
            for (const [n, each] of buttons.entries()) {
              each.ariaPressed = String(values[n]?.[0] === value);
            }
            choose(value);
          },
        },
      },
      text,
    ),
  );
  return h("div", { class: "choices", role: "group", "aria-label": label }, buttons);
}
