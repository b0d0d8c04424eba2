/** What the process waits for at this moment: begun with a failure, over with the next success. */
export interface Waits {
  begin(what: string, reason: string): Wait;
  /** Oldest first; of several for the same thing the oldest alone. */
  now(): readonly Waiting[];
}

export interface Wait {
  /** It failed again: why, this time. */
  again(reason: string): void;
  over(): void;
}

export interface Waiting {
  readonly what: string;
  readonly reason: string;
  readonly since: Date;
}

export function createWaits(now: () => Date = () => new Date()): Waits {
  const waits = new Set<{ what: string; reason: string; since: Date }>();
  return {
    begin: (what, reason) => {
      const wait = { what, reason, since: now() };
      waits.add(wait);
      return {
        again: (latest) => {
          wait.reason = latest;
        },
        over: () => waits.delete(wait),
      };
    },
    now: () => {
      const oldest = new Map<string, Waiting>();
      for (const wait of waits) if (!oldest.has(wait.what)) oldest.set(wait.what, { ...wait });
      return [...oldest.values()];
    },
  };
}
