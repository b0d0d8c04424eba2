/** What somebody is to be told of the runs. */
export interface Alert {
  /** The same each time it is sent. */
  readonly uid: string;
  readonly type: AlertType;
  /** When it happened; ISO 8601, UTC. */
  readonly timestamp: string;
  readonly data: unknown;
}

export type AlertType = "run.failed" | "run.recovered" | "run.missed_deadline";

/** An alert that is to be sent now. */
export interface DueAlert extends Alert {
  readonly id: number;
  /** How often it was tried, this time included. */
  readonly tries: number;
}

/** The body that is sent, in the form of Standard Webhooks. */
export function alertBody({ type, timestamp, data }: Alert): string {
  return JSON.stringify({ type, timestamp, data });
}
