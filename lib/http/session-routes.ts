import { type Context, Hono } from "hono";
import * as v from "valibot";
import { equal, hasBearer } from "./auth.ts";
import { described } from "./describe.ts";
import { problem } from "./problem.ts";
import type { Sessions } from "./session.ts";
import { valid } from "./valid.ts";

const SessionAnswer = v.pipe(
  v.strictObject({
    tokenNeeded: v.pipe(v.boolean(), v.description("Whether the service asks for a token at all.")),
    signedIn: v.pipe(v.boolean(), v.description("Whether it would answer this client.")),
  }),
  v.metadata({ ref: "Session" }),
);

const SignIn = v.strictObject(
  { token: v.pipe(v.string("a text"), v.maxLength(1000, "at most 1000 characters")) },
  "an object with token and nothing else",
);

const tag = "service";
const answers = { 200: ["How things stand", SessionAnswer] } as const;

/** `/api/session`: the token, given once, for a cookie that browsers keep. Open to all. */
export function sessionRoutes(token: string, sessions: Sessions): Hono {
  const app = new Hono();
  const tokenNeeded = token !== "";
  const standing = (c: Context, signedIn: boolean) => c.json({ tokenNeeded, signedIn });

  app.get(
    "/api/session",
    described({ tag, summary: "Is a token needed, and was it given?", answers, open: true }),
    async (c) => standing(c, !tokenNeeded || hasBearer(c, token) || (await sessions.holds(c))),
  );
  app.post(
    "/api/session",
    described({
      ...{ tag, answers, open: true },
      summary: "Signs a browser in: the token for a cookie",
      headers: { 200: { "set-cookie": "The session, where a token is needed" } },
      problems: { 403: "Not the token", 415: "Not JSON", 422: "No token" },
    }),
    valid("json", SignIn, "No token"),
    async (c) => {
      if (!tokenNeeded) return standing(c, true);
      if (!equal(c.req.valid("json").token, token)) {
        return problem(c, { status: 403, title: "That is not the token" });
      }
      await sessions.begin(c);
      return standing(c, true);
    },
  );
  app.delete(
    "/api/session",
    described({ tag, summary: "Signs a browser out", answers, open: true }),
    (c) => {
      sessions.end(c);
      return standing(c, !tokenNeeded);
    },
  );
  return app;
}
