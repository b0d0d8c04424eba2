import * as v from "valibot";
import { ConsumerFigures } from "../domain/consumer-figures.ts";

/*
 * What goes with a commit as its metadata: the id of the topic that is read, and on some commits,
 * after a space, what the consumer says of itself.
 */

export interface CommitNote {
  /** Undefined where another program has committed. */
  readonly topicId: string | undefined;
  readonly consumer: ConsumerFigures | undefined;
}

/** A broker takes 4096 bytes by default (`offset.metadata.max.bytes`); this is well below. */
export const maxNoteBytes = 2000;

/** In ASCII, as the client counts characters; without the figures where they would be too large. */
export function noteText(topicId: string, consumer?: ConsumerFigures): string {
  if (consumer === undefined) return topicId;
  const text = `${topicId} ${JSON.stringify(consumer).replaceAll(/[^\x20-\x7e]/g, escaped)}`;
  return text.length > maxNoteBytes ? topicId : text;
}

export function readNote(text: string): CommitNote {
  const [, topicId, json] = /^(\S+)(?: (.*))?$/s.exec(text) ?? [];
  return { topicId, consumer: json === undefined ? undefined : figuresIn(json) };
}

/** Undefined for those of another version of this program. */
function figuresIn(json: string): ConsumerFigures | undefined {
  try {
    const parsed = v.safeParse(ConsumerFigures, JSON.parse(json));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
