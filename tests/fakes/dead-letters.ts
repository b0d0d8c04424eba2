import type { DeadLetter, DeadLetters } from "../../lib/flow/topic-to-sink.ts";

export interface FakeDeadLetters extends DeadLetters {
  readonly letters: readonly DeadLetter[];
}

export function createFakeDeadLetters(): FakeDeadLetters {
  const letters: DeadLetter[] = [];
  return {
    letters,
    async put(more) {
      letters.push(...more);
    },
  };
}
