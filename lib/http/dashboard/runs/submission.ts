/**
 * The key under which something is asked for: one a body, until it is there. So a double click, or
 * asking again because the answer was lost, makes it once; asking for the same after that makes it
 * again.
 */
export interface Submission {
  keyFor(body: unknown): string;
  /** It is there: what is asked for next is another one. */
  done(): void;
}

export function createSubmission(newKey: () => string): Submission {
  let asked: { readonly text: string; readonly key: string } | undefined;
  return {
    keyFor: (body) => {
      const text = JSON.stringify(body);
      if (asked?.text !== text) asked = { text, key: newKey() };
      return asked.key;
    },
    done: () => {
      asked = undefined;
    },
  };
}
