import { silentLog as log } from "../lib/log.ts";
import { openSink } from "../lib/sink/cassandra.ts";
import { never } from "./users.ts";

/*
 * An instance on a machine whose clock is off: writes batches of rows to a table. Arguments: by how many
 * milliseconds, and a file with { config, batches } as JSON.
 */

const [offMs = "0", file = ""] = Bun.argv.slice(2);
const Real = Date;
globalThis.Date = class extends Real {
  constructor(...given: [] | [number]) {
    if (given.length === 0) super(Real.now() + Number(offMs));
    else super(...given);
  }
  static override now() {
    return Real.now() + Number(offMs);
  }
} as DateConstructor;

const { config, batches } = await Bun.file(file).json();
await using sink = await openSink(config, { log, signal: never });
for (const rows of batches) await sink.upsert(rows, never);
