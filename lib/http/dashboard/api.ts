/** What the service refuses, as it says it in `application/problem+json`. */
export class ApiError extends Error {
  /** The HTTP status; 0 when there was no answer. */
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  /** Each field that is wrong: its path, and what is wrong with it. */
  readonly errors: readonly FieldError[];

  constructor({ status, title, detail = "", errors = [] }: Told) {
    super(detail === "" ? title : `${title}: ${detail}`);
    this.name = "ApiError";
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.errors = errors;
  }
}

export interface FieldError {
  readonly path: string;
  readonly message: string;
}

interface Told {
  readonly status: number;
  readonly title: string;
  readonly detail?: string;
  readonly errors?: readonly FieldError[];
}

export interface Asked {
  readonly method?: "GET" | "POST" | "PATCH" | "DELETE";
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** For what takes longer than usual. */
  readonly withinMs?: number;
}

/** Longer than anything the service answers takes; it is there to end a wait for a dead one. */
const answerMs = 20_000;

/**
 * Asks the service, and gives its answer's JSON. Rejects with `ApiError` when it refuses or does not
 * answer, and with the signal's reason when that aborts.
 */
export async function ask<T>(path: string, asked: Asked = {}): Promise<T> {
  const answer = await send(path, asked);
  if (answer.ok) return (await answer.json()) as T;
  const told = await answer.json().catch(() => undefined);
  if (answer.status === 401) dispatchEvent(new Event(signedOutEvent));
  throw new ApiError({
    title: `The service answered ${answer.status}`,
    ...told,
    status: answer.status,
  });
}

/** Told to the window when the service asks for a token. */
export const signedOutEvent = "signed-out";

/** An error in one line, for people. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** False for an error that only says that nobody waits any more. */
export function isTrouble(error: unknown, signal?: AbortSignal): boolean {
  return !signal?.aborted && !(error instanceof DOMException && error.name === "AbortError");
}

async function send(path: string, { method = "GET", withinMs = answerMs, ...asked }: Asked) {
  const { body, headers, signal } = asked;
  const late = AbortSignal.timeout(withinMs);
  const json = body === undefined ? {} : { "content-type": "application/json" };
  try {
    return await fetch(path, {
      method,
      headers: { accept: "application/json", ...json, ...headers },
      signal: signal ? AbortSignal.any([signal, late]) : late,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    const detail = late.aborted ? `no answer within ${withinMs / 1000} s` : "";
    throw new ApiError({ status: 0, title: "The service cannot be reached", detail });
  }
}
