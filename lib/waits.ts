/** What the process waits for at this moment: begun with a failure, over with the next success. */
export interface Waits {
  begin(what: string, reason: string): Wait;
  /** Oldest first; of several for the same thing the oldest alone. */
  now(): readonly Waiting[];
  /** How many failures there were in all. */
  failures(): number;
  /** The last of them, over or not. */
  last(): Failure | undefined;
}

export interface Failure {
  readonly reason: string;
  readonly at: Date;
}

export interface Wait {
  /** It failed, and is tried again: why, this time. */
  failed(reason: string): void;
  over(): void;
}

export interface Waiting {
  readonly what: string;
  readonly reason: string;
  readonly since: Date;
}

export function createWaits(now: () => Date = () => new Date()): Waits {
  const waits = new Set<{ what: string; reason: string; since: Date }>();
  let failures = 0;
  let last: Failure | undefined;
  return {
    begin: (what, reason) => {
      const wait = { what, reason, since: now() };
      waits.add(wait);
      return {
        failed: (latest) => {
          failures += 1;
          wait.reason = latest;
          last = { reason: latest, at: now() };
        },
        over: () => waits.delete(wait),
      };
    },
    now: () => {
      const oldest = new Map<string, Waiting>();
      for (const wait of waits) if (!oldest.has(wait.what)) oldest.set(wait.what, { ...wait });
      return [...oldest.values()];
    },
    failures: () => failures,
    last: () => last,
  };
}
