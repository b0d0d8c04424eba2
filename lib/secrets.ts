import type { Config } from "./config.ts";

/**
 * The secrets among the settings, as they could turn up in what a server or a driver says. Shorter
 * ones than six characters are left out: they would be found in ordinary words.
 */
export function secretsOf({
  source,
  raw,
  topic,
  sink,
  http,
  alerts,
  traces,
}: Config): readonly string[] {
  const properties = Object.entries(topic.properties).flatMap(([name, value]) =>
    secretProperty.test(name) ? [String(value)] : [],
  );
  const all = [
    ...[...inUrl(source.url), passwordOf(raw.url), ...properties, sink.password, http.token],
    ...[...inUrl(traces.url), ...Object.values(traces.headers)],
    ...[alerts.secret, ...(alerts.url === "" ? [] : inWebhook(alerts.url))],
  ];
  const isLong = (secret: string) => secret.length >= 6;
  return [...new Set(all.filter(isLong).flatMap(spellings))].filter(isLong);
}

/** Takes secrets out of texts: each is shown as `[secret]`. */
export function concealer(secrets: readonly string[]): (text: string) => string {
  if (secrets.length === 0) return (text) => text;
  // The longest first: one may be the beginning of another.
  const ordered = secrets.toSorted((a, b) => b.length - a.length);
  const any = new RegExp(ordered.map((secret) => RegExp.escape(secret)).join("|"), "g");
  return (text) => text.replace(any, "[secret]");
}

/** User, password and the values of the query: APIs take keys in any of them. */
function inUrl(url: string): readonly string[] {
  const { username, password, searchParams } = new URL(url);
  // As it is sent: Authorization: Basic …
  const pair = Buffer.from(`${decoded(username)}:${decoded(password)}`).toString("base64");
  return [username, password, pair, ...searchParams.values()];
}

/** Of a webhook also the path: who knows it may send. */
function inWebhook(url: string): readonly string[] {
  return [...inUrl(url), new URL(url).pathname];
}

function passwordOf(url: string): string {
  return new URL(url).password;
}

const secretProperty = /password|secret|token|pem|jaas|oauthbearer\.config|\.key$/;

/** As it is, without and with percent-encoding, and as it stands in JSON. */
function spellings(secret: string): readonly string[] {
  const plain = decoded(secret);
  return [secret, plain, encodeURIComponent(plain), JSON.stringify(plain).slice(1, -1)];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
