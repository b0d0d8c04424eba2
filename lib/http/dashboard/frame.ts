import { fill, h, mark, say } from "./dom.ts";
import iconPath from "./icon.svg";
import type { Connection, Live } from "./live.ts";
import { place } from "./router.ts";
import { toastRegion } from "./toast.ts";

export interface NavLink {
  readonly path: string;
  readonly text: string;
  /** What stands beside it: how many wait for somebody to look at them. */
  readonly count?: HTMLElement;
}

/** The page around the views: bar, navigation, state of the connection. Gives the element for the view. */
export function openFrame(
  links: readonly NavLink[],
  { live, signal, end }: { live: Live; signal: AbortSignal; end?: readonly Node[] },
): HTMLElement {
  const main = h("main", { class: "main", id: "main", tabindex: -1 });
  const frame = h(
    "div",
    { class: "frame" },
    skipLink(main),
    bar(links, { live, signal, ...(end ? { end } : {}) }),
    main,
    lostBar(live, signal),
  );
  fill(document.body, frame, toastRegion());
  return main;
}

/** Leads past the bar. The address names views, and so no places in the page. */
function skipLink(main: HTMLElement): HTMLElement {
  const go = (event: Event) => {
    event.preventDefault();
    main.focus();
  };
  return h("a", { href: "#main", class: "button skip", on: { click: go } }, "Skip to content");
}

function bar(
  links: readonly NavLink[],
  { live, signal, end = [] }: { live: Live; signal: AbortSignal; end?: readonly Node[] },
): HTMLElement {
  const items = links.map(({ path, text, count }) => ({
    path,
    element: h("a", { href: `#${path}` }, text, count),
  }));
  const markCurrent = () => {
    const now = place().path;
    for (const { path, element } of items) {
      const inside = path === "/" ? now === path : now === path || now.startsWith(`${path}/`);
      mark(element, "aria-current", inside ? "page" : undefined);
      // On a narrow screen they scroll sideways.
      if (inside) element.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  };
  addEventListener("hashchange", markCurrent, { signal });
  markCurrent();
  return h(
    "header",
    { class: "bar" },
    h("a", { class: "brand", href: "#/" }, h("img", { src: iconPath, alt: "" }), "users-pipeline"),
    h(
      "nav",
      { class: "views", "aria-label": "Views" },
      items.map(({ element }) => element),
    ),
    h("div", { class: "bar-end" }, connectionMark(live, signal), apiLink(), end),
  );
}

function apiLink(): HTMLElement {
  return h("a", { class: "button quiet small", href: "/docs" }, "API");
}

const words = {
  connecting: "Connecting",
  live: "Live",
  lost: "Reconnecting",
  waiting: "Not ready",
  paused: "Paused",
} as const;

function connectionMark(live: Live, signal: AbortSignal): HTMLElement {
  const text = h("span", {});
  const made = h("div", { class: "connection" }, h("span", { class: "dot" }), text);
  const show = ({ state }: Connection) => {
    mark(made, "data-state", state);
    mark(document.documentElement, "data-connection", state);
    say(text, words[state]);
  };
  show(live.connection);
  live.on("connection", show, signal);
  return made;
}

/** Said aloud once when the connection is lost, and once when it is back. */
function lostBar(live: Live, signal: AbortSignal): HTMLElement {
  const text = h("div", { role: "status" });
  let gone = false;
  live.on(
    "connection",
    ({ state, reason = "no answer" }) => {
      if (state === "lost" || state === "waiting") {
        mark(text, "class", `lost ${state}`);
        say(text, state === "lost" ? lostText(reason) : waitingText(reason));
        gone = true;
      } else if (gone && state === "live") {
        mark(text, "class", "sr");
        say(text, "Connected again.");
        gone = false;
      }
    },
    signal,
  );
  return h("div", {}, text);
}

function lostText(reason: string): string {
  return `Connection lost: ${reason}. What is shown may be old; reconnecting.`;
}

function waitingText(reason: string): string {
  return `The service is not ready: ${reason}. It goes on by itself.`;
}
