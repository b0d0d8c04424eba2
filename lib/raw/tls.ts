import { readFileSync } from "node:fs";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { PipelineError } from "../errors.ts";

/** What a database URL says about TLS, apart from the rest of it. */
export interface Secured {
  /** The URL without the parameters that are read here: the driver would send them to the server. */
  readonly url: string;
  readonly ssl: false | "prefer" | TlsOptions;
}

export interface TlsOptions {
  readonly rejectUnauthorized: boolean;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly checkServerIdentity: (host: string, peer: PeerCertificate) => Error | undefined;
}

const parameters = ["sslmode", "sslrootcert", "sslcert", "sslkey"] as const;
const modes = ["disable", "prefer", "require", "verify-ca", "verify-full"];

/**
 * Reads `sslmode`, `sslrootcert`, `sslcert` and `sslkey` as psql does, with two differences, both to
 * the safe side: without `sslrootcert` the system's authorities are trusted, and `sslrootcert` alone
 * means `verify-full`. Fails with `usage` when a mode is unknown or a file cannot be read.
 */
export function securedUrl(text: string): Secured {
  const url = new URL(text);
  const given = (name: (typeof parameters)[number]) => url.searchParams.get(name) ?? "";
  const [mode, root] = [given("sslmode"), given("sslrootcert")];
  const [cert, key] = [given("sslcert"), given("sslkey")];
  for (const name of parameters) url.searchParams.delete(name);
  const wanted = mode || (root === "" ? "disable" : "verify-full");
  if (!modes.includes(wanted)) {
    throw wrong(`sslmode=${JSON.stringify(mode)}: expected one of ${modes.join(", ")}`);
  }
  if (wanted === "disable") return { url: url.href, ssl: false };
  if (wanted === "prefer") return { url: url.href, ssl: "prefer" };
  const named = wanted === "verify-full" || root === "system";
  return {
    url: url.href,
    ssl: {
      rejectUnauthorized: wanted !== "require" || root !== "",
      ...(root === "" || root === "system" ? {} : { ca: pem("sslrootcert", root) }),
      ...(cert === "" ? {} : { cert: pem("sslcert", cert) }),
      ...(key === "" ? {} : { key: pem("sslkey", key) }),
      checkServerIdentity: (_, peer) => (named ? checkServerIdentity(host(url), peer) : undefined),
    },
  };
}

/** The driver names no server to TLS when it is an address, so the certificate is judged by ours. */
function host({ hostname }: URL): string {
  return decodeURIComponent(hostname).replace(/^\[|\]$/g, "");
}

function pem(parameter: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw wrong(`${parameter}=${path}: expected a readable PEM file`, { cause });
  }
}

function wrong(what: string, options: { readonly cause?: unknown } = {}): PipelineError {
  return new PipelineError("usage", `DATABASE_URL: ${what}`, options);
}
