import { expect, test } from "bun:test";
import { createRequire } from "node:module";
import { types } from "cassandra-driver";
import fc from "fast-check";
import { batchBytes, uuidBytes } from "../../../lib/sink/batch.ts";
import { columns } from "../../../lib/sink/schema.ts";

const driver = createRequire(import.meta.url);
const { BatchRequest } = driver("cassandra-driver/lib/requests.js");
const Encoder = driver("cassandra-driver/lib/encoder.js");

const { dataTypes } = types;
const typeOf = (column: string) => {
  if (column === "id") return dataTypes.uuid;
  return column === "dob" || column === "registered_date" ? dataTypes.date : dataTypes.text;
};
const meta = {
  columns: [
    ...columns.map((name) => ({ name, type: { code: typeOf(name), info: null } })),
    { name: "version", type: { code: dataTypes.bigint, info: null } },
  ],
};

const text = fc.string({ unit: "grapheme", maxLength: 40 });
const day = fc
  .date({ min: new Date("0000-01-01"), max: new Date("9999-12-31"), noInvalidDate: true })
  .map((date) => date.toISOString().slice(0, 10));
const user = fc.record({
  id: fc.uuid(),
  ...{ first_name: text, last_name: text, gender: text, address: text, email: text },
  ...{ username: text, dob: day, registered_date: day, phone: text, picture: text },
});
const row = fc.record({ user, version: fc.maxSafeNat() });

test("a batch has the bytes that the driver would write", () => {
  const encoder = new Encoder(types.protocolVersion.v4, { encoding: {} });
  const options = {
    ...{ getOrGenerateTimestamp: () => null, getHints: () => null, getKeyspace: () => null },
    ...{ isBatchCounter: () => false, isBatchLogged: () => false, isQueryTracing: () => false },
    ...{ getCustomPayload: () => null, getSerialConsistency: () => null, getConsistency: () => 6 },
  };
  fc.assert(
    fc.property(
      fc.array(row, { minLength: 1, maxLength: 10 }),
      fc.uint8Array({ minLength: 1, maxLength: 32 }),
      fc.nat(32_767),
      (rows, id, streamId) => {
        const queryId = Buffer.from(id);
        const queries = rows.map(({ user, version }) => ({
          ...{ query: "insert", queryId, meta },
          params: [...columns.map((column) => user[column]), version],
        }));
        const theirs: Buffer = new BatchRequest(queries, options).write(encoder, streamId);
        const frame = { queryId, streamId, version: types.protocolVersion.v4, consistency: 6 };
        expect(batchBytes(rows, frame).toString("hex")).toBe(theirs.toString("hex"));
      },
    ),
  );
});

test("a UUID has the bytes that the driver would write, however it is spelled", () => {
  fc.assert(
    fc.property(fc.uuid(), fc.boolean(), (uuid, upper) => {
      const spelled = upper ? uuid.toUpperCase() : uuid;
      expect(uuidBytes(spelled).toString("hex")).toBe(
        types.Uuid.fromString(uuid).getBuffer().toString("hex"),
      );
    }),
  );
});
