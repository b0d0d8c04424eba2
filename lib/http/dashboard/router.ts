import { h } from "./dom.ts";
import type { Live } from "./live.ts";
import { failed, loading } from "./parts.ts";

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
  /** Loaded when it is first shown. */
  readonly load: () => Promise<View>;
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
  let shown: string | undefined;

  async function show(): Promise<void> {
    const { path, query } = place();
    const first = shown === undefined;
    // What stands behind the `?` is the view's own: it has set it, and shows it already.
    if (shown === path) return;
    shown = path;
    leaving.abort();
    leaving = new AbortController();
    const left = AbortSignal.any([signal, leaving.signal]);
    const { route, params } = routeOf(path, routes);
    document.title = `${route?.title(params) ?? "No such view"} · users-pipeline`;
    main.replaceChildren(loading("the view", "60vh"));
    const made = await viewOf(route, { params, query, live, signal: left }, show);
    if (left.aborted) return;
    main.replaceChildren(made);
    if (first) return;
    scrollTo(0, 0);
    // Whoever hears the page hears where they are now.
    const heading = main.querySelector("h1");
    heading?.setAttribute("tabindex", "-1");
    heading?.focus({ preventScroll: true });
  }

  const showNow = () => {
    show().catch(reportError);
  };
  addEventListener("hashchange", showNow, { signal });
  showNow();
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

async function viewOf(
  route: Route | undefined,
  context: ViewContext,
  again: () => unknown,
): Promise<HTMLElement> {
  if (!route) {
    const back = h("a", { href: "#/" }, "Back to the overview");
    return h("div", { class: "view" }, h("h1", {}, "No such view"), h("p", {}, back));
  }
  try {
    return (await route.load())(context);
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
