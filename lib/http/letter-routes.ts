import { Hono } from "hono";
import type { LetterFilter, LetterInfo } from "../domain/letter-filter.ts";
import type { ShownLetter } from "../letter-text.ts";
import { described } from "./describe.ts";
import {
  LetterPageAnswer,
  PurgedAnswer,
  ReplayedAnswer,
  ShownLetterAnswer,
} from "./letter-answers.ts";
import {
  cursorText,
  LetterId,
  LetterQuery,
  letterFilter,
  SettleLetters,
} from "./letter-requests.ts";
import { problem } from "./problem.ts";
import { valid } from "./valid.ts";

/** Dead letters and rejected rows, as those who look at them see them. */
export interface LetterDesk {
  list(query: {
    readonly filter: LetterFilter;
    readonly state: LetterInfo["state"] | "all";
    readonly limit: number;
    readonly after?: LetterPlace;
  }): Promise<{
    readonly letters: readonly LetterInfo[];
    readonly total: number;
    readonly next: LetterPlace | undefined;
  }>;
  show(id: string): Promise<ShownLetter | undefined>;
  replay(
    request: SettleRequest,
  ): Promise<Record<"letters" | "replayed" | "refused" | "kept", number>>;
  purge(request: SettleRequest): Promise<Record<"letters" | "purged", number>>;
}

interface LetterPlace {
  readonly at: string;
  readonly id: string;
}

interface SettleRequest {
  readonly filter: LetterFilter;
  readonly limit: number;
  readonly dryRun: boolean;
}

const tag = "letters";
const settling = { 415: "Not JSON", 422: "Not to be understood: which letters?" };

/** `/api/letters`: what did not become a row, why, and what is to become of it. */
export function letterRoutes(desk: LetterDesk): Hono {
  const app = new Hono();

  app.get(
    "/api/letters",
    described({
      tag,
      summary: "Lists dead letters and rejected rows, the newest first",
      answers: { 200: ["A page of them", LetterPageAnswer] },
      problems: { 422: "Not a query" },
    }),
    valid("query", LetterQuery, "Not a query"),
    async (c) => {
      const asked = c.req.valid("query");
      const { limit, state, cursor } = asked;
      const { next, ...page } = await desk.list({
        ...{ filter: letterFilter(asked), state, limit },
        ...(cursor === undefined ? {} : { after: cursor }),
      });
      return c.json({ ...page, next: next ? cursorText(next) : null });
    },
  );

  app.post(
    "/api/letters/replay",
    described({
      tag,
      summary: "Sends open letters on their way again",
      answers: { 200: ["What became of them", ReplayedAnswer] },
      problems: settling,
    }),
    valid("json", SettleLetters, "Not to be understood"),
    async (c) => {
      const { limit, dryRun, ...asked } = c.req.valid("json");
      const filter = letterFilter({ limit, dryRun, ...asked });
      return c.json({ ...(await desk.replay({ filter, limit, dryRun })), dryRun });
    },
  );

  app.post(
    "/api/letters/purge",
    described({
      tag,
      summary: "Lists open letters no longer",
      answers: { 200: ["What became of them", PurgedAnswer] },
      problems: settling,
    }),
    valid("json", SettleLetters, "Not to be understood"),
    async (c) => {
      const { limit, dryRun, ...asked } = c.req.valid("json");
      const filter = letterFilter({ limit, dryRun, ...asked });
      return c.json({ ...(await desk.purge({ filter, limit, dryRun })), dryRun });
    },
  );

  app.get(
    // Of the two routes before it there is nothing to get, and they are not to say so.
    "/api/letters/:id{(?!replay$|purge$).+}",
    described({
      tag,
      summary: "One letter: its record, and why it is none",
      answers: { 200: ["The letter", ShownLetterAnswer] },
      problems: { 404: "There is no such letter", 422: "Not an id" },
    }),
    valid("param", LetterId, "Not an id"),
    async (c) => {
      const letter = await desk.show(c.req.valid("param").id);
      return letter ? c.json(letter) : problem(c, { status: 404, title: "No such letter" });
    },
  );
  return app;
}
