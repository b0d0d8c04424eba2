import { createHash } from "node:crypto";

/** The request id that an idempotency key stands for: the same for the same key, a UUID in form. */
export function requestIdOf(key: string): string {
  const hex = createHash("sha256").update(key).digest("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, "$1-$2-$3-$4-$5");
}
