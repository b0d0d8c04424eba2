import { readConfig } from "../../../lib/config.ts";
import type { VersionedUser } from "../../../lib/domain/event.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { openSink } from "../../../lib/sink/cassandra.ts";
import { connect } from "../../../lib/sink/client.ts";
import { columns } from "../../../lib/sink/schema.ts";
import { batchesAtWork, batchRecords } from "../../../lib/topic/read-on.ts";
import { readRows } from "../records.ts";
import { never, openWindow, tell } from "../window.ts";

/** sink FILE ours|singly:N|batches:N:N WARM: our sink, or the driver in a plain loop. */
const [file = "", setting = "ours", warm] = process.argv.slice(2);
const config = readConfig(Bun.env).sink;
const rows = await readRows(file);
const write = setting === "ours" ? await throughSink() : await throughDriver(setting);

await write(rows.slice(0, Number(warm)));
const measured = rows.slice(Number(warm));
const window = openWindow();
await write(measured);
tell(window.close(measured.length));
process.exit(0);

/** As the flow calls it: with what one poll gives, a few beside each other. */
async function throughSink() {
  const sink = await openSink(config, { log, signal: never });
  return async (rows: readonly VersionedUser[]) => {
    let next = 0;
    const polls = async () => {
      while (next < rows.length) {
        const some = rows.slice(next, next + batchRecords);
        next += batchRecords;
        const refused = await sink.upsert(some, never);
        if (refused.length > 0) throw new Error(`refused: ${Bun.inspect(refused[0])}`);
      }
    };
    await Promise.all(Array.from({ length: batchesAtWork }, polls));
  };
}

/** Values are made while writing, as for us, and so many requests are always in flight. */
async function throughDriver(setting: string) {
  const parts = setting.split(":");
  const size = parts.length === 3 ? Number(parts[1]) : 1;
  const inFlight = Number(parts.at(-1));
  const client = await connect(config);
  const query =
    `insert into ${config.keyspace}.${config.table} (${columns.join(", ")}) ` +
    `values (${columns.map(() => "?").join(", ")}) using timestamp ?`;
  const values = ({ user, version }: VersionedUser) => [
    ...columns.map((name) => user[name]),
    version,
  ];
  const options = { prepare: true, logged: false, isIdempotent: true };
  return async (rows: readonly VersionedUser[]) => {
    let next = 0;
    const writer = async () => {
      while (next < rows.length) {
        const some = rows.slice(next, next + size);
        next += size;
        if (size > 1)
          await client.batch(
            some.map((row) => ({ query, params: values(row) })),
            options,
          );
        else for (const row of some) await client.execute(query, values(row), options);
      }
    };
    await Promise.all(Array.from({ length: inFlight }, writer));
  };
}
