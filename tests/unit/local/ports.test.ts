import { expect, test } from "bun:test";
import { listeningInodes } from "../../../lib/local/ports.ts";

test("who listens is read from the system's table: the port in hexadecimal, the state LISTEN", () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2384 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11111 1 0
   1: 0100007F:2384 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 22222 1 0
   2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 33333 1 0
`;
  expect(listeningInodes(table, 9092)).toEqual(["11111"]);
  expect(listeningInodes(table, 80)).toEqual(["33333"]);
  expect(listeningInodes(table, 81)).toEqual([]);
  expect(listeningInodes("", 80)).toEqual([]);
});
