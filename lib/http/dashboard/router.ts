import { fill, h } from "./dom.ts";
import type { Live } from "./live.ts";
import { failed } from "./parts.ts";

/** What a view is given. */
export interface ViewContext {
  /** What stands in the address where the route says `:name`. */
  readonly params: Readonly<Record<string, string>>;
  /** What follows a `?` in the address. */
  readonly query: URLSearchParams;
  readonly live: Live;
  /** Aborts when the view is left: whatever it does ends with it. */
  readonly signal: AbortSignal;
}

/** Makes the view. What it needs it asks for itself, showing meanwhile that it does. */
export type View = (context: ViewContext) => HTMLElement;

export interface Route {
  /** "/runs/:id" */
  readonly path: string;
  /** For the window's title. */
  readonly title: (params: Readonly<Record<string, string>>) => string;
  readonly view: View;
}

/** Shows the view that the address names, and the next one whenever that changes. */
export function startRouter(
  main: HTMLElement,
  {
    routes,
    live,
    signal,
  }: Pick<ViewContext, "live" | "signal"> & { readonly routes: readonly Route[] },
): void {
  let leaving = new AbortController();
  let first = true;

  const show = () => {
    const { path, query } = place();
    leaving.abort();
    leaving = new AbortController();
    const left = AbortSignal.any([signal, leaving.signal]);
    const { route, params } = routeOf(path, routes);
    document.title = `${route?.title(params) ?? "No such view"} · users-pipeline`;
    fill(main, viewOf(route, { params, query, live, signal: left }, show));
    if (!first) enter(main);
    first = false;
  };
  // What stands behind the `?` a view changes itself, which is no such event.
  addEventListener("hashchange", show, { signal });
  show();
}

/** Whoever hears the page hears where they are now. */
function enter(main: HTMLElement): void {
  scrollTo(0, 0);
  const heading = main.querySelector("h1");
  heading?.setAttribute("tabindex", "-1");
  heading?.focus({ preventScroll: true });
}

/** Changes what follows the `?` in the address, without leaving the view: null removes a name. */
export function setQuery(changes: Readonly<Record<string, string | null>>): void {
  const { path, query } = place();
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") query.delete(name);
    else query.set(name, value);
  }
  const text = query.size > 0 ? `?${query}` : "";
  history.replaceState(null, "", `#${path}${text}`);
}

/** Where the address leads: `#/runs?state=failed`. */
export function place(): { readonly path: string; readonly query: URLSearchParams } {
  const [path = "", query = ""] = location.hash.slice(1).split("?");
  return { path: path === "" ? "/" : path, query: new URLSearchParams(query) };
}

function viewOf(route: Route | undefined, context: ViewContext, again: () => void): HTMLElement {
  if (!route) {
    const back = h("a", { href: "#/" }, "Back to the overview");
    return h("div", { class: "view" }, h("h1", {}, "No such view"), h("p", {}, back));
  }
  try {
    return route.view(context);
  } catch (error) {
    reportError(error);
    return failed(error, again);
  }
}

function routeOf(path: string, routes: readonly Route[]) {
  for (const route of routes) {
    const params = matched(path, route.path);
    if (params) return { route, params };
  }
  return { route: undefined, params: {} };
}

function matched(path: string, pattern: string): Record<string, string> | undefined {
  const [given, wanted] = [path.split("/"), pattern.split("/")];
  if (given.length !== wanted.length) return undefined;
  const params: Record<string, string> = {};
  for (const [n, part] of wanted.entries()) {
    const value = given[n] ?? "";
    if (part.startsWith(":") && value !== "") params[part.slice(1)] = value;
    else if (part !== value) return undefined;
  }
  return params;
}
