import { auth, Client, type ClientOptions, policies, types } from "cassandra-driver";
import type { Config } from "../config.ts";
import { type ErrorCode, PipelineError } from "../errors.ts";

/** What writing and reading the table share: the client and its errors in our words. */

/**
 * Longer than the time-out the local servers give a write (10 s); Cassandra's own default is 2 s.
 */
const requestMs = 12_000;

/**
 * Connects to the store. The data centre is the one of the node that answers first, never a
 * setting. The driver retries nothing by itself: that is done once, where the flow can see it.
 */
export async function connect(config: Config["sink"]): Promise<Client> {
  const options = await clientOptions(config);
  const scout = new Client({
    ...options,
    policies: { loadBalancing: new policies.loadBalancing.RoundRobinPolicy() },
  });
  let dataCenter: string;
  try {
    const found = await scout.execute("select data_center from system.local");
    dataCenter = String(found.first().get("data_center"));
  } finally {
    await scout.shutdown();
  }
  const client = new Client({
    ...options,
    localDataCenter: dataCenter,
    policies: { retry: new policies.retry.FallthroughRetryPolicy() },
  });
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.shutdown();
    throw error;
  }
}

async function clientOptions(config: Config["sink"]): Promise<ClientOptions> {
  return {
    contactPoints: [...config.contactPoints],
    socketOptions: { connectTimeout: 5000, readTimeout: requestMs },
    queryOptions: { consistency: types.consistencies.localQuorum, prepare: true },
    ...(config.username
      ? { authProvider: new auth.PlainTextAuthProvider(config.username, config.password) }
      : {}),
    ...(config.tlsCa
      ? { sslOptions: { ca: [await caText(config.tlsCa)], rejectUnauthorized: true } }
      : {}),
  };
}

async function caText(path: string): Promise<string> {
  try {
    return await Bun.file(path).text();
  } catch (cause) {
    throw new PipelineError("usage", `CASSANDRA_TLS_CA=${path}: expected a readable PEM file`, {
      cause,
    });
  }
}

/** Calls the store and says what went wrong in our words: `what` was asked of it. */
export async function asked<T>(what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    if (cause instanceof PipelineError) throw cause;
    const { reason, first } = reasonOf(cause);
    throw new PipelineError(codeOf(cause), `store, ${what}: ${reason}`, { cause: first });
  }
}

/**
 * Of the protocol's codes only these concern the statement itself; all others pass or refuse
 * everything.
 */
const refusals: readonly number[] = [
  types.responseErrorCodes.invalid,
  types.responseErrorCodes.syntaxError,
];
const timeouts: readonly number[] = [
  types.responseErrorCodes.writeTimeout,
  types.responseErrorCodes.readTimeout,
];

function codeOf(error: unknown): ErrorCode {
  if (!(error instanceof Error)) return "unavailable";
  if (error.name === "OperationTimedOutError") return "timeout";
  // The driver could not even encode a value.
  if (error instanceof TypeError || error instanceof RangeError) return "refused";
  const code = Reflect.get(error, "code");
  if (typeof code !== "number") return "unavailable";
  if (refusals.includes(code)) return "refused";
  return timeouts.includes(code) ? "timeout" : "unavailable";
}

/** The driver's "All host(s) tried for query failed" hides the reasons among its parts. */
function reasonOf(error: unknown): { readonly reason: string; readonly first: unknown } {
  const inner: unknown = error instanceof Error ? Reflect.get(error, "innerErrors") : undefined;
  const parts = typeof inner === "object" && inner !== null ? Object.values(inner) : [];
  const first = parts[0] ?? error;
  const messages = (parts.length > 0 ? parts : [error]).map((each) =>
    each instanceof Error ? each.message : String(each),
  );
  return { reason: messages.join("; "), first };
}
