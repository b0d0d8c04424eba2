import { type Child, h } from "./dom.ts";

/**
 * A JSON value with one member a line, and the one at `path` marked: "location.street.number". Where
 * the value has no such member, the nearest one around it that is there.
 */
export function jsonView(value: unknown, path = ""): HTMLElement {
  const marked = nearest(value, path === "" ? [] : path.split("."));
  return h("pre", { class: "json", tabindex: 0 }, written(value, [], marked));
}

/** The path as far as it leads, and what it leads to. */
function nearest(value: unknown, path: readonly string[]): string | undefined {
  const found: string[] = [];
  let at = value;
  for (const name of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) break;
    found.push(name);
    at = (at as Readonly<Record<string, unknown>>)[name];
  }
  return path.length === 0 ? undefined : found.join(".");
}

function written(value: unknown, path: readonly string[], marked: string | undefined): Child {
  const here = marked !== undefined && path.join(".") === marked;
  const text = plain(value, path, marked);
  return here ? h("mark", {}, text) : text;
}

function plain(value: unknown, path: readonly string[], marked: string | undefined): Child {
  if (typeof value !== "object" || value === null) {
    return h(
      "span",
      { class: `json-${value === null ? "null" : typeof value}` },
      JSON.stringify(value),
    );
  }
  const list = Array.isArray(value);
  const members = Object.entries(value);
  const [open, close] = list ? ["[", "]"] : ["{", "}"];
  if (members.length === 0) return `${open}${close}`;
  const indent = "  ".repeat(path.length);
  return [
    `${open}\n`,
    members.map(([name, member], n) => [
      `${indent}  `,
      !list && [h("span", { class: "json-name" }, JSON.stringify(name)), ": "],
      written(member, [...path, name], marked),
      n < members.length - 1 ? ",\n" : "\n",
    ]),
    `${indent}${close}`,
  ];
}
