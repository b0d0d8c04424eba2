import * as v from "valibot";
import { User } from "../domain/user.ts";

/* What is answered of letters and of users in the table. Objects are closed, as in answers.ts. */

const whole = v.pipe(v.number(), v.integer(), v.minValue(0));
const time = v.pipe(v.string(), v.isoTimestamp());

const letter = {
  id: v.pipe(
    v.string(),
    v.description("The record it is about, as topic/partition/offset; raw/ID of a rejected row."),
  ),
  where: v.picklist(["topic", "raw"]),
  state: v.picklist(["open", "replayed", "purged"]),
  stage: v.string(),
  path: v.pipe(
    v.string(),
    v.description("The field that is wrong, such as dob.date; empty where it is not one field."),
  ),
  reason: v.string(),
  attempts: v.pipe(whole, v.description("How often it has become one.")),
  at: v.pipe(time, v.description("When it last became one.")),
  topic: v.nullable(v.string()),
  partition: v.nullable(v.number()),
  offset: v.nullable(v.number()),
  raw: v.pipe(v.nullable(whole), v.description("The raw row it was made of, as far as it says.")),
  run: v.nullable(whole),
};

export const LetterPageAnswer = v.pipe(
  v.strictObject({
    letters: v.array(v.pipe(v.strictObject(letter), v.metadata({ ref: "Letter" }))),
    total: v.pipe(whole, v.description("How many match in all.")),
    next: v.pipe(
      v.nullable(v.string()),
      v.description("The cursor of the next page; null where this is the last one."),
    ),
  }),
  v.metadata({ ref: "LetterPage" }),
);

const bytes = v.strictObject({
  as: v.picklist(["json", "text", "base64", "nothing"]),
  value: v.unknown(),
});

export const ShownLetterAnswer = v.pipe(
  v.strictObject({
    ...letter,
    recordAt: v.pipe(v.nullable(time), v.description("The record's own time.")),
    letter: v.pipe(
      v.nullable(v.strictObject({ partition: whole, offset: whole })),
      v.description("Where the letter itself is on the dead-letter topic."),
    ),
    headers: v.record(v.string(), v.string()),
    key: bytes,
    value: v.pipe(bytes, v.description("As it was; parsed where it is JSON.")),
    leftOutBytes: v.pipe(
      v.nullable(whole),
      v.description("How large the value was, where it was too large to be kept."),
    ),
  }),
  v.metadata({ ref: "ShownLetter" }),
);

const dryRun = v.pipe(v.boolean(), v.description("Whether nothing was changed."));

export const ReplayedAnswer = v.pipe(
  v.strictObject({
    letters: v.pipe(whole, v.description("How many were meant.")),
    replayed: v.pipe(whole, v.description("On their way again.")),
    refused: v.pipe(whole, v.description("Rejected rows that are no users now either.")),
    kept: v.pipe(whole, v.description("Dead letters that cannot be replayed.")),
    dryRun,
  }),
  v.metadata({ ref: "Replayed" }),
);

export const PurgedAnswer = v.pipe(
  v.strictObject({ letters: whole, purged: whole, dryRun }),
  v.metadata({ ref: "Purged" }),
);

export const LatestUsersAnswer = v.pipe(
  v.strictObject({
    users: v.array(
      v.strictObject({
        run: v.pipe(whole, v.description("The run that fetched it last.")),
        receivedAt: time,
        user: v.pipe(
          v.strictObject(v.entriesFromList(Object.keys(User.entries), v.nullable(v.string()))),
          v.description("The row as it stands in the table."),
        ),
      }),
    ),
  }),
  v.metadata({ ref: "LatestUsers" }),
);
