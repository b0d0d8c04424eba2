import { closeSync, openSync, readSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { messageChain, PipelineError } from "../errors.ts";

/** The Kafka client, both of its interfaces. */
export type KafkaClient = typeof import("@confluentinc/kafka-javascript");

/**
 * Loads the Kafka client with its native addon; only the first call does anything.
 * Throws PipelineError("setup") with what to do when the addon is missing, cut short, of another
 * machine, or needs a library that is not here.
 */
export async function loadKafkaClient(): Promise<KafkaClient> {
  checkAddon(addonPath);
  try {
    return await import("@confluentinc/kafka-javascript");
  } catch (cause) {
    const reason = messageChain(cause)[0] ?? "";
    throw unusable(`cannot be loaded: ${reason}`, cause);
  }
}

/** Where the package's own loader looks for its addon. */
export const packageDir = resolve(
  import.meta.dir,
  "../../node_modules/@confluentinc/kafka-javascript",
);
export const addonPath = join(packageDir, "build/Release/confluent-kafka-javascript.node");

/**
 * Says what is wrong with an addon before the system is asked to map it: a cut one ends the
 * process.
 */
export function checkAddon(path: string): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined) throw unusable("is not built");
  if (process.platform !== "linux") return;
  const header = firstBytes(path, 64);
  // ELF: magic, machine at 18; the table of sections (at 40: where, at 58: size and number) comes
  // last.
  if (header.length < 64 || header.toString("latin1", 0, 4) !== "\x7fELF") {
    throw unusable("is not a library");
  }
  const machine = machines[process.arch];
  if (machine !== undefined && header.readUInt16LE(18) !== machine) {
    throw unusable(`is not for this machine (${process.arch})`);
  }
  const end =
    Number(header.readBigUInt64LE(40)) + header.readUInt16LE(58) * header.readUInt16LE(60);
  if (size < end) throw unusable(`is cut short (${size} of ${end} bytes)`);
}

/** The numbers of ELF's e_machine. */
const machines: Partial<Record<NodeJS.Architecture, number>> = { x64: 62, arm64: 183 };

function firstBytes(path: string, count: number): Buffer {
  const file = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(count);
    return bytes.subarray(0, readSync(file, bytes, 0, count, 0));
  } finally {
    closeSync(file);
  }
}

/** An error that says what to do about the addon. */
export function unusable(what: string, cause?: unknown): PipelineError {
  return new PipelineError(
    "setup",
    `the Kafka client's addon ${what}: run "bun install", or "bun lib/native/build.ts" to see why it fails`,
    cause === undefined ? {} : { cause },
  );
}
