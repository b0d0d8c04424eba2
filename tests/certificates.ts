import { writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Certificates made by openssl, valid for two days, and the password of every PKCS #12 file. */
export const storePassword = "changeit";

export interface Authority {
  /** PEM file of the authority itself. */
  readonly ca: string;
  /** A certificate for these names, such as `IP:127.0.0.1` or `DNS:localhost`. */
  sign(name: string, ...alternatives: readonly string[]): Promise<Certificate>;
}

/** Files: PEM of the certificate, PEM of its key, PKCS #12 of both. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
  readonly store: string;
}

/** An authority of our own, with its files in `dir`. */
export async function openAuthority(dir: string, name = "authority"): Promise<Authority> {
  const file = (end: string) => join(dir, `${name}${end}`);
  await openssl(
    ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", `/CN=${name}`],
    ...["-keyout", file(".key"), "-out", file(".pem")],
  );
  return {
    ca: file(".pem"),
    sign: async (name, ...alternatives) => {
      const own = (end: string) => join(dir, `${name}${end}`);
      await writeFile(own(".names"), `subjectAltName=${alternatives.join(",")}\n`);
      await openssl(
        ...["req", "-newkey", "rsa:2048", "-nodes", "-subj", `/CN=${name}`],
        ...["-keyout", own(".key"), "-out", own(".csr")],
      );
      await openssl(
        ...["x509", "-req", "-in", own(".csr"), "-CA", file(".pem"), "-CAkey", file(".key")],
        ...["-days", "2", "-CAcreateserial", "-extfile", own(".names"), "-out", own(".pem")],
      );
      await openssl(
        ...["pkcs12", "-export", "-in", own(".pem"), "-inkey", own(".key"), "-out", own(".p12")],
        ...["-passout", `pass:${storePassword}`],
      );
      return { certificate: own(".pem"), key: own(".key"), store: own(".p12") };
    },
  };
}

async function openssl(...args: readonly string[]): Promise<void> {
  const run = Bun.spawn(["openssl", ...args], { stdout: "ignore", stderr: "pipe" });
  if ((await run.exited) !== 0) throw new Error(await new Response(run.stderr).text());
}
