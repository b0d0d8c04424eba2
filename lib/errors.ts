/**
 * What went wrong with a neighbour (a server, an API, the machine), in our words.
 * Bad data is never one of these: it is a value. Any other error is a bug.
 */
export class PipelineError extends Error {
  override readonly name = "PipelineError";
  readonly code: ErrorCode;
  /** How long the neighbour asked us to stay away, when it said so. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: PipelineErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : {});
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** True when the same call may succeed later without anyone changing anything here. */
  get retryable(): boolean {
    return retryable[this.code];
  }
}

export interface PipelineErrorOptions {
  readonly cause?: unknown;
  readonly retryAfterMs?: number;
}

export type ErrorCode = keyof typeof retryable;

const retryable = {
  /**
   * Down, refusing connections, not ready, or refusing everything (a missing grant, keyspace,
   * password).
   */
  unavailable: true,
  /** No answer in the time allowed. */
  timeout: true,
  /** Asked to come back later. */
  rate_limited: true,
  /** An answer that is not what its contract says: HTML, truncated, an error page. */
  bad_response: true,
  /** Understood, and refused for good: the same request will never succeed. */
  refused: false,
  /** This worker no longer owns what it was working on. */
  fenced: false,
  /** Somebody wanted it to end. */
  cancelled: false,
  /** Something on this machine is missing or in the way; the message says what to do. */
  setup: false,
  /** A wrong option or setting. The process exits with 2. */
  usage: false,
} as const;

/** The messages of an error and of all its causes, outermost first. */
export function messageChain(error: unknown): string[] {
  const messages: string[] = [];
  for (let at: unknown = error; at !== undefined && at !== null && messages.length < 10; ) {
    const message = at instanceof Error ? at.message || at.name : String(at);
    if (!messages.some((seen) => seen.includes(message))) messages.push(message);
    at = at instanceof Error ? at.cause : undefined;
  }
  return messages;
}
