import { setDefaultTimeout } from "bun:test";
import { ledgerContract } from "../../contracts/ledger.ts";
import type { Settled } from "../../fakes/ledger.ts";
import { rawStores } from "../../raw-store.ts";

setDefaultTimeout(180_000);

const openStore = rawStores();

ledgerContract("the ledger in PostgreSQL", async (raws) => {
  await using opening = new AsyncDisposableStack();
  const it = opening.use(await openStore());
  const receive = async (more: typeof raws) => {
    for (const { raw, id, version, payload, state } of more) {
      await it.sql`
        insert into raw_users (id, run_id, page, position, version, user_id, payload)
        overriding system value
        values (${raw}, 1, 1, ${raw}, ${version}, ${id}, ${JSON.stringify(payload)}::text::json)`;
      if (state === "pending") await it.sql`insert into outbox values (${raw}, 1)`;
      if (state === "rejected")
        await it.sql`insert into rejected_users values (${raw}, 'fetch', '', 'no')`;
    }
  };
  await receive(raws);
  const ledger = opening.use(await it.openLedger());
  const owned = opening.move();
  const settle = async (settled: readonly Settled[]) => {
    await using index = await it.openLetterIndex();
    for (const { letter, outcome } of settled) await index.settle([letter], outcome);
  };
  return { ledger, receive, settle, [Symbol.asyncDispose]: () => owned.disposeAsync() };
});
