import { auth, Client, type ClientOptions, policies, types } from "cassandra-driver";
import type { Config } from "../config.ts";
import { type ErrorCode, PipelineError } from "../errors.ts";

/** What writing and reading the table share: the client and its errors in our words. */

/**
 * Longer than the store's own time-outs (Cassandra 2 s, the local servers 10 s), so that it is the
 * store that gives up: a write given up here only would still be worked on there, beside its
 * repetition. Shorter than a shutdown, in which one request is waited for.
 */
export const requestMs = 12_000;
const connectMs = 5000;
/** The driver's default rises to ten minutes. */
const reconnectMs = 1000;

/**
 * Connects to the store, or rejects with the signal's reason. The data centre is the one of the
 * node that answers first, never a setting. The driver retries nothing by itself: that is done
 * once, where the flow can see it.
 */
export async function connect(config: Config["sink"], signal?: AbortSignal): Promise<Client> {
  const options = await clientOptions(config);
  const dataCenter = await unlessAborted(dataCenterOf(options), signal);
  const client = new Client({
    ...options,
    localDataCenter: dataCenter,
    policies: {
      retry: new policies.retry.FallthroughRetryPolicy(),
      reconnection: new policies.reconnection.ConstantReconnectionPolicy(reconnectMs),
      loadBalancing: plansForNodesThatAreUp(dataCenter, () => isLost(client)),
    },
  });
  const connecting = client.connect();
  try {
    await unlessAborted(connecting, signal);
    return client;
  } catch (error) {
    // One that is connecting would wait for that first.
    void connecting.catch(() => {}).finally(() => client.shutdown());
    throw error;
  }
}

/** True when no node can be reached any more. */
export function isLost(client: Client): boolean {
  // Undefined until connected, whatever its type says.
  const hosts = (client.hosts as Client["hosts"] | undefined)?.values() ?? [];
  return hosts.length > 0 && hosts.every((host) => !host.isUp());
}

async function dataCenterOf(options: ClientOptions): Promise<string> {
  const scout = new Client({
    ...options,
    policies: { loadBalancing: new policies.loadBalancing.RoundRobinPolicy() },
  });
  try {
    const found = await scout.execute("select data_center from system.local");
    return String(found.first().get("data_center"));
  } finally {
    await scout.shutdown();
  }
}

/**
 * The driver's default, but no plan where no node is up: with one, the driver's control connection
 * starts anew from the contact points, and each outage leaves more connections behind (4.10).
 */
function plansForNodesThatAreUp(dataCenter: string, isLost: () => boolean) {
  const { DCAwareRoundRobinPolicy, TokenAwarePolicy } = policies.loadBalancing;
  const policy = new TokenAwarePolicy(new DCAwareRoundRobinPolicy(dataCenter));
  const plan = policy.newQueryPlan.bind(policy);
  policy.newQueryPlan = (keyspace, options, callback) => {
    if (isLost()) callback(new Error("no node can be reached"), [][Symbol.iterator]());
    else plan(keyspace, options, callback);
  };
  return policy;
}

/** Rejects with the signal's reason if that aborts first. */
async function unlessAborted<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return await promise;
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

async function clientOptions(config: Config["sink"]): Promise<ClientOptions> {
  return {
    contactPoints: [...config.contactPoints],
    socketOptions: {
      connectTimeout: connectMs,
      readTimeout: requestMs,
      // A connection that leaves a request unanswered for longer than the store's own time-outs is
      // dead; by default the driver keeps it for 64 of them.
      defunctReadTimeoutThreshold: 0,
    },
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
