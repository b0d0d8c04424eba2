import { Hono } from "hono";
import type { User } from "../domain/user.ts";
import { described } from "./describe.ts";
import { LatestUsersAnswer } from "./letter-answers.ts";
import { Latest } from "./requests.ts";
import { valid } from "./valid.ts";

/** Users, as they are in the table. */
export interface UserDesk {
  /** Those received last that are in the table, the newest first. Rejects while the store is down. */
  latest(limit: number): Promise<readonly LatestUser[]>;
}

export interface LatestUser {
  readonly run: number;
  readonly receivedAt: string;
  readonly user: User;
}

/** `/api/users/latest`: the end of the way. */
export function userRoutes(users: UserDesk): Hono {
  const app = new Hono();
  app.get(
    "/api/users/latest",
    described({
      tag: "pipeline",
      summary: "The newest users that are in the table",
      answers: { 200: ["The rows as they stand", LatestUsersAnswer] },
      problems: { 422: "Not a query", 503: "The store does not answer" },
    }),
    valid("query", Latest, "Not a query"),
    async (c) => c.json({ users: await users.latest(c.req.valid("query").limit) }),
  );
  return app;
}
