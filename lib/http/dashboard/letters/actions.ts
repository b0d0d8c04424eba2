import type * as v from "valibot";
import type { PurgedAnswer, ReplayedAnswer } from "../../letter-answers.ts";
import { ask } from "../api.ts";
import { confirmed } from "../dialog.ts";
import { count } from "../format.ts";
import { toast, toastError } from "../toast.ts";

/** Which letters are meant: some by their ids, or those older than `to` that a filter finds. */
export type Meant =
  | { readonly ids: readonly string[] }
  | ({ readonly to: string; readonly limit: number } & Readonly<Record<string, string | number>>);

interface Doing {
  readonly meant: Meant;
  /** How many, for the question. */
  readonly letters: number;
  readonly signal: AbortSignal;
}

/** Longer than the service takes to answer, or to say what it waits for. */
const withinMs = 30_000;

/** Sends letters on their way again, after a question. Resolves to whether it was done. */
export async function replay({ meant, letters, signal }: Doing): Promise<boolean> {
  const yes = await confirmed({
    title: `Replay ${lettersText(letters)}?`,
    text: "Dead letters go through the topic again, rejected rows are judged again. What fails once more comes back here.",
    yes: "Replay",
  });
  return yes && (await done(() => send<Replayed>("replay", meant, signal), replayedText));
}

/** Has letters listed no longer, after a question. Resolves to whether it was done. */
export async function purge({ meant, letters, signal }: Doing): Promise<boolean> {
  const yes = await confirmed({
    title: `Purge ${lettersText(letters)}?`,
    text: "They are listed no longer, and do not become rows. This cannot be undone.",
    yes: "Purge",
    danger: true,
  });
  return yes && (await done(() => send<Purged>("purge", meant, signal), purgedText));
}

type Replayed = v.InferOutput<typeof ReplayedAnswer>;
type Purged = v.InferOutput<typeof PurgedAnswer>;

function replayedText({ replayed, refused, kept }: Replayed): string {
  const others = [
    ...(refused > 0 ? [`${count(refused)} refused again`] : []),
    ...(kept > 0 ? [`${count(kept)} cannot be replayed`] : []),
  ];
  return [`${lettersText(replayed)} on the way again`, ...others].join(", ");
}

function purgedText({ purged }: Purged): string {
  return `${lettersText(purged)} purged`;
}

export function lettersText(letters: number): string {
  return letters === 1 ? "1 letter" : `${count(letters)} letters`;
}

function send<T>(what: "replay" | "purge", body: Meant, signal: AbortSignal): Promise<T> {
  return ask<T>(`/api/letters/${what}`, { method: "POST", body, signal, withinMs });
}

async function done<T>(work: () => Promise<T>, text: (answer: T) => string): Promise<boolean> {
  try {
    toast(text(await work()));
    return true;
  } catch (error) {
    toastError(error);
    return false;
  }
}
