import { connect } from "node:net";
import { PipelineError } from "../errors.ts";

/** Longer than the way to any broker; a host that is gone without a word says nothing at all. */
const answerMs = 3000;

/**
 * Resolves when one of the brokers takes a connection, which is closed again at once. Rejects with
 * code `unavailable` and what each of them said. It costs next to nothing, where a request of the
 * client (librdkafka) that waits for a broker has it try to connect some 300 times a second.
 */
export async function reachable(brokers: readonly string[], signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const found = new AbortController();
  const either = AbortSignal.any([signal, found.signal, AbortSignal.timeout(answerMs)]);
  try {
    await Promise.any(brokers.map((broker) => dial(broker, either)));
  } catch (cause) {
    signal.throwIfAborted();
    const reasons =
      cause instanceof AggregateError ? cause.errors.map(({ message }) => message) : [];
    throw new PipelineError("unavailable", reasons.join("; "), { cause });
  } finally {
    found.abort();
  }
}

function dial(broker: string, signal: AbortSignal): Promise<void> {
  const { hostname, port } = new URL(`tcp://${broker}`);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port || 9092), hostname.replace(/^\[|\]$/g, ""));
    const end = (settle: () => void) => {
      signal.removeEventListener("abort", late);
      socket.destroy();
      settle();
    };
    const late = () => end(() => reject(new Error(`${broker}: no answer`)));
    socket.once("connect", () => end(resolve));
    socket.once("error", ({ message }) => end(() => reject(new Error(`${broker}: ${message}`))));
    signal.addEventListener("abort", late);
  });
}
