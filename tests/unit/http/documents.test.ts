import { describe, expect, test } from "bun:test";
import Ajv from "ajv/dist/2020";
import { encode } from "../../../lib/domain/event.ts";
import { letterHeaders, replayHeaders } from "../../../lib/domain/letter.ts";
import { parseUser } from "../../../lib/domain/user.ts";
import { testApp } from "../../http-app.ts";
import { formats } from "../../openapi.ts";
import { users } from "../../users.ts";

const { request } = testApp();

interface Message {
  readonly payload: object;
  readonly headers: { readonly properties: object };
}

async function document(path: string) {
  const answer = await request(path);
  expect(answer.status).toBe(200);
  return (await answer.json()) as {
    components: { messages: { user: Message; deadLetter: Message } };
    channels: Record<string, { address: string }>;
  };
}

describe("the schema of the record", () => {
  const [user] = users(1, "documents");
  if (!user) throw new Error("no user");

  test("takes what the consumer takes, field by field", async () => {
    const takes = new Ajv({ strict: false, formats }).compile(await document("/schemas/user.json"));
    for (const each of users(50, "many")) expect(takes(each)).toBe(true);
    const changed = Object.keys(user).flatMap((name) => [
      ...[undefined, null, 5, "", "x", "2026-13-01"].map((value) => ({ ...user, [name]: value })),
    ]);
    for (const each of [...changed, { ...user, more: 1 }, {}, [], null]) {
      const plain: unknown = JSON.parse(JSON.stringify(each));
      expect([plain, takes(plain)]).toEqual([plain, "user" in parseUser(plain)]);
    }
  });

  test("is the payload of the message in the AsyncAPI document", async () => {
    const { components } = await document("/asyncapi.json");
    expect(await document("/schemas/user.json")).toMatchObject(components.messages.user.payload);
  });
});

describe("the AsyncAPI document", () => {
  test("names the topics and every header that is written", async () => {
    const { channels, components } = await document("/asyncapi.json");
    expect(Object.values(channels).map(({ address }) => address)).toEqual([
      ...["users_created", "users_created.dlq"],
    ]);
    const [user] = users(1);
    const trace = { traceparent: "00-1", tracestate: "a=1" };
    const { headers } = encode({ user: user as never, version: 1 }, { run: 1, raw: 1, trace });
    const written = headers.flatMap((header) => Object.keys(header));
    const { user: record, deadLetter } = components.messages;
    expect(Object.keys(record.headers.properties)).toEqual([
      ...[...written, ...Object.values(replayHeaders)],
    ]);
    expect(Object.keys(deadLetter.headers.properties)).toEqual(
      expect.arrayContaining(Object.values(letterHeaders)),
    );
  });
});

describe("/docs", () => {
  test("is a page whose parts all come from here, and that may ask nobody else", async () => {
    const page = await request("/docs");
    const policy = page.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
    expect(policy).not.toContain("unsafe");
    const html = await page.text();
    const parts = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address = ""]) => address);
    expect(parts.length).toBe(4);
    for (const part of parts.filter((address) => address !== "data:,")) {
      const answer = await request(part);
      expect(answer.status).toBe(200);
      expect(answer.headers.get("content-type")).toMatch(/^text\/(javascript|css)/);
      expect((await answer.text()).length).toBeGreaterThan(100);
    }
    expect(html).not.toMatch(/<script>|style=|onload=/);
  });

  test("needs the token where there is one, with all its parts", async () => {
    const { request } = testApp({ http: { token: "0123456789abcdef", auth: "on" } });
    for (const path of ["/docs", "/docs/docs.js", "/docs/swagger-ui.css", "/openapi.json"]) {
      expect((await request(path)).status).toBe(401);
    }
  });
});
