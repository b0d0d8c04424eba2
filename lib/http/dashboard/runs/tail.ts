import type { RunLogLine } from "../../../domain/attempt.ts";

/** The lines of a run's log as far as they are known, without gaps. */
export interface Tail {
  readonly lines: readonly RunLogLine[];
  /** The line after which to ask on; undefined at the start. */
  readonly cursor: string | undefined;
  /** How many lines have been let go, so that the rest fits. */
  readonly dropped: number;
  /** Lines that were asked for: those that are new. */
  append(lines: readonly RunLogLine[]): readonly RunLogLine[];
  /** A line that came by itself: false when there are others between, which must be asked for. */
  follows(line: RunLogLine): boolean;
}

/** Lines that are kept, and so stand on the page: of a run of a million users the newest ones. */
export const mostLines = 2000;

export function createTail(most = mostLines): Tail {
  let lines: readonly RunLogLine[] = [];
  let dropped = 0;
  const isNew = (line: RunLogLine) => after(line, lines.at(-1)) > 0;
  return {
    get lines() {
      return lines;
    },
    get cursor() {
      return lines.at(-1)?.id;
    },
    get dropped() {
      return dropped;
    },
    append: (more) => {
      const fresh = more.filter(isNew);
      const all = [...lines, ...fresh];
      dropped += Math.max(0, all.length - most);
      lines = all.slice(-most);
      return fresh;
    },
    follows: (line) => {
      const last = lines.at(-1);
      if (!isNew(line)) return true;
      return last?.attempt === line.attempt && line.line === last.line + 1;
    },
  };
}

/** Above zero where a line comes after another. */
function after(line: RunLogLine, other: RunLogLine | undefined): number {
  if (other === undefined) return 1;
  return line.attempt - other.attempt || line.line - other.line;
}
