import type * as v from "valibot";
import type { LatestUsersAnswer } from "../../letter-answers.ts";
import { ask } from "../api.ts";
import { asked } from "../asked.ts";
import { h, list } from "../dom.ts";
import { empty, timeAgo } from "../parts.ts";
import type { ViewContext } from "../router.ts";

type Latest = v.InferOutput<typeof LatestUsersAnswer>["users"][number];

/** The newest users in the table: the end of the way, as others read it. */
export function latestUsers({ live, signal }: ViewContext): HTMLElement {
  const body = h("tbody", {});
  const table = h(
    "div",
    { class: "table-wrap" },
    h(
      "table",
      { class: "table users live" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          columns.map((name) => h("th", { scope: "col" }, name)),
        ),
      ),
      body,
    ),
  );
  const memory = new Map<string | number, HTMLTableRowElement>();
  const place = asked<{ readonly users: readonly Latest[] }>({
    what: "the newest users",
    ask: () => ask("/api/users/latest?limit=10", { signal }),
    show: ({ users }) => {
      if (users.length === 0) return empty("No users in the table yet", "A run brings some.");
      const key = ({ user, receivedAt }: Latest) => `${user.id} ${receivedAt}`;
      list(body, users, { key, make: row, update: () => {}, memory });
      return table;
    },
    height: "24rem",
    live,
    signal,
  });
  let consumed: number | undefined;
  live.on(
    "pipeline",
    ({ table }) => {
      if (table && consumed !== undefined && table.consumed !== consumed) void place.again();
      consumed = table?.consumed ?? consumed;
    },
    signal,
  );
  return h(
    "section",
    { class: "card", "aria-labelledby": "latest-users" },
    h("div", { class: "card-head" }, h("h2", { id: "latest-users" }, "Latest users in the table")),
    place.element,
  );
}

const columns = ["User", "Address", "Email", "Born", "Received"];

function row({ user, receivedAt, run }: Latest): HTMLTableRowElement {
  const name = `${user.first_name ?? ""} ${user.last_name ?? ""}`;
  return h(
    "tr",
    {},
    h(
      "td",
      {},
      h(
        "div",
        { class: "user" },
        portrait(user.id ?? "", name),
        h(
          "div",
          {},
          h("div", { class: "user-name" }, name),
          h("div", { class: "muted small" }, user.username),
        ),
      ),
    ),
    h("td", { class: "wide" }, user.address),
    h("td", { class: "user-email" }, user.email),
    h("td", { class: "number" }, user.dob),
    h(
      "td",
      { class: "number" },
      timeAgo(receivedAt),
      " ",
      h("a", { href: `#/runs/${run}`, class: "small" }, `run ${run}`),
    ),
  );
}

/** In the place of the picture, which lies on another host: this page asks no other one. */
function portrait(id: string, name: string): HTMLElement {
  const letters = name
    .split(" ")
    .map((part) => [...part][0] ?? "")
    .slice(0, 2);
  const hue = Number.parseInt(id.slice(0, 4), 16) % 360 || 0;
  return h(
    "span",
    { class: "portrait", "aria-hidden": "true", css: { "--hue": hue } },
    letters.join(""),
  );
}
