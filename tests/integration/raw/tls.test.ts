import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "../../../lib/raw/client.ts";
import { securedUrl } from "../../../lib/raw/tls.ts";
import { openAuthority } from "../../certificates.ts";
import { failureOf } from "../../failure.ts";

setDefaultTimeout(60_000);

describe("a database URL", () => {
  test("without a word of TLS is used without it, as it is", () => {
    const url = "postgres://me:p%40ss@db/x?target_session_attrs=primary";
    expect(securedUrl(url)).toEqual({ url, ssl: false });
    expect(securedUrl(`${url}&sslmode=disable`)).toEqual({ url, ssl: false });
    expect(securedUrl(`${url}&sslmode=prefer`)).toEqual({ url, ssl: "prefer" });
  });

  test("asks for the certificate's authority and name, unless it says less", async () => {
    const dir = await mkdtemp(join(tmpdir(), "tls-"));
    try {
      const { ca } = await openAuthority(dir);
      const pem = await Bun.file(ca).text();
      const judged = (query: string) => {
        const { url, ssl } = securedUrl(`postgres://db/x?${query}`);
        expect(url).toBe("postgres://db/x");
        if (typeof ssl === "string" || !ssl) throw new Error("no TLS");
        const peer = { subject: { CN: "other" }, subjectaltname: "DNS:other" } as never;
        const wrongName = ssl.checkServerIdentity("db", peer) !== undefined;
        return { authority: ssl.rejectUnauthorized, name: wrongName, ca: ssl.ca };
      };
      expect(judged("sslmode=require")).toEqual({ authority: false, name: false, ca: undefined });
      expect(judged(`sslmode=require&sslrootcert=${ca}`)).toMatchObject({ authority: true });
      expect(judged("sslmode=verify-ca")).toMatchObject({ authority: true, name: false });
      const full = { authority: true, name: true, ca: pem };
      expect(judged(`sslmode=verify-full&sslrootcert=${ca}`)).toEqual(full);
      expect(judged(`sslrootcert=${ca}`)).toEqual(full);
      expect(judged("sslrootcert=system")).toEqual({ ...full, ca: undefined });
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});

test("a server that says it knows no TLS is told neither the user nor the password", async () => {
  let heard = "";
  using server = Bun.listen({
    ...{ hostname: "127.0.0.1", port: 0 },
    socket: {
      data: (socket, bytes) => {
        if (heard === "") socket.write("N");
        else socket.end();
        heard += bytes.toString("latin1");
      },
    },
  });
  const sql = connect(`postgres://account:secret@127.0.0.1:${server.port}/x?sslmode=require`);
  await failureOf(sql`select 1`);
  await sql.end({ timeout: 0 });
  expect(heard.length).toBeGreaterThan(0);
  expect(heard).not.toMatch(/account|secret/);
});
