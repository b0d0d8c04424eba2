import { createHash } from "node:crypto";
import type { Context } from "hono";
import { problem } from "./problem.ts";

/** The request id that an idempotency key stands for: the same for the same key, a UUID in form. */
export function requestIdOf(key: string): string {
  const hex = createHash("sha256").update(key).digest("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, "$1-$2-$3-$4-$5");
}

/** Says that the key stands for another request: `made`, such as "run 7", came of that. */
export function keyUsedBefore(c: Context, made: string): Response {
  const detail = `${made} was asked for with it, and asks for something else`;
  return problem(c, { status: 422, title: "The idempotency key was used before", detail });
}
