import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { createSessions } from "../../../lib/http/session.ts";
import { json, testApp } from "../../http-app.ts";

const token = "correct-horse-battery";
const weekMs = 7 * 24 * 3600 * 1000;
const fromPage = { "sec-fetch-site": "same-origin" };

function protectedApp(over: { token?: string } = {}) {
  const it = testApp({ http: { token, auth: "on", ...over } });
  const signIn = (given: unknown, headers: Record<string, string> = {}) =>
    it.send("POST", "/api/session", { token: given }, headers);
  return { ...it, signIn };
}

/** What a browser sends back of what it was given. */
function cookieOf(answer: Response): string {
  return answer.headers.get("set-cookie")?.split(";")[0] ?? "";
}

describe("a session", () => {
  test("is given for the token, and lets a browser do what the token does", async () => {
    const { request, send, signIn, created } = protectedApp();
    expect((await request("/api/schedule")).status).toBe(401);
    const answer = await signIn(token);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ tokenNeeded: true, signedIn: true });
    const cookie = cookieOf(answer);
    for (const path of ["/api/schedule", "/api/events", "/docs", "/openapi.json"]) {
      expect((await request(path, { headers: { cookie } })).status).toBe(200);
    }
    const started = await send("POST", "/api/runs", { results: 5 }, { cookie, ...fromPage });
    expect(started.status).toBe(202);
    expect(created).toHaveLength(1);
  });

  test("is a cookie that no script sees and no other site sends, and is not the token", async () => {
    const { signIn } = protectedApp();
    const [plain, tls] = await Promise.all([
      signIn(token, { origin: "http://localhost", ...fromPage }),
      signIn(token, { origin: "https://localhost", ...fromPage }),
    ]);
    const text = plain.headers.get("set-cookie") ?? "";
    for (const part of ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=604800"]) {
      expect(text).toContain(part);
    }
    expect(text).not.toContain("Secure");
    expect(text).not.toContain("Domain");
    expect(tls.headers.get("set-cookie")).toContain("; Secure");
    const hidden = [token, btoa(token), Buffer.from(token).toString("hex")];
    for (const form of hidden) expect(decodeURIComponent(text)).not.toContain(form);
    expect(cookieOf(plain)).not.toBe(cookieOf(tls));
  });

  test("is given for nothing else", async () => {
    const { signIn, send } = protectedApp();
    for (const wrong of ["", token.slice(1), `${token}x`, token.toUpperCase()]) {
      const answer = await signIn(wrong);
      expect(answer.status).toBe(403);
      expect(answer.headers.get("set-cookie")).toBeNull();
      expect(await answer.text()).not.toContain(token);
    }
    for (const wrong of [undefined, null, 5, [token], "x".repeat(1001)]) {
      expect((await signIn(wrong)).status).toBe(422);
    }
    const form = await send("POST", "/api/session", undefined, {
      "content-type": "application/x-www-form-urlencoded",
    });
    expect(form.status).toBe(415);
    const other = await signIn(token, { "sec-fetch-site": "cross-site" });
    expect(other.status).toBe(403);
    expect(other.headers.get("set-cookie")).toBeNull();
  });

  test("changes nothing without the headers that browsers send, and nothing for another origin", async () => {
    const { send, signIn, created } = protectedApp();
    const cookie = cookieOf(await signIn(token));
    const wrong: Record<string, string>[] = [
      {},
      { origin: "http://evil.example" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
    ];
    for (const headers of wrong) {
      const answer = await send("POST", "/api/runs", {}, { cookie, ...headers });
      expect([headers, answer.status]).toEqual([headers, 403]);
    }
    expect(created).toEqual([]);
  });

  test("outlasts a restart, and ends with its token", async () => {
    const cookie = cookieOf(await protectedApp().signIn(token));
    const headers = { cookie };
    expect((await protectedApp().request("/api/schedule", { headers })).status).toBe(200);
    const other = protectedApp({ token: "another-horse-battery" });
    expect((await other.request("/api/schedule", { headers })).status).toBe(401);
  });

  test("ends by hand", async () => {
    const { request, signIn } = protectedApp();
    const cookie = cookieOf(await signIn(token));
    const answer = await request("/api/session", { method: "DELETE", headers: { cookie } });
    expect(await answer.json()).toEqual({ tokenNeeded: true, signedIn: false });
    expect(answer.headers.get("set-cookie")).toMatch(
      /^users_pipeline_session=; Max-Age=0; Path=\//,
    );
  });

  test("can be made by nobody without the token, and not be lengthened", async () => {
    const { request, signIn } = protectedApp();
    const cookie = decodeURIComponent(cookieOf(await signIn(token)));
    const [name = "", value = ""] = cookie.split(/=(.*)/s);
    const signature = value.slice(value.lastIndexOf(".") + 1);
    const later = `${Math.floor(Date.now() / 1000) + 1e8}.x`;
    const forged = [
      ...["", "x", later, `${later}.`, `${later}.${signature}`, value.slice(0, -3)],
      ...[`9${value}`, `${value}x`, token, value.replace(/^\d+/, "99999999999")],
    ];
    for (const each of forged) {
      const headers = { cookie: `${name}=${encodeURIComponent(each)}` };
      expect([each, (await request("/api/schedule", { headers })).status]).toEqual([each, 401]);
    }
  });

  test("is good for a week and no longer", async () => {
    let now = 0;
    const sessions = createSessions(token, { now: () => now });
    const app = new Hono();
    app.get("/begin", async (c) => {
      await sessions.begin(c);
      return c.text("");
    });
    app.get("/holds", async (c) => c.json(await sessions.holds(c)));
    const cookie = cookieOf(await app.request("/begin"));
    const holds = async () => (await app.request("/holds", { headers: { cookie } })).json();
    now = weekMs - 1000;
    expect(await holds()).toBe(true);
    now = weekMs;
    expect(await holds()).toBe(false);
  });
});

describe("how things stand", () => {
  const standing = async (over: { token?: string }, headers: Record<string, string> = {}) =>
    (await protectedApp(over).request("/api/session", { headers })).json();

  test("is told to everybody", async () => {
    expect(await standing({})).toEqual({ tokenNeeded: true, signedIn: false });
    expect(await standing({}, { authorization: `Bearer ${token}` })).toEqual({
      ...{ tokenNeeded: true, signedIn: true },
    });
    expect(await standing({ token: "" })).toEqual({ tokenNeeded: false, signedIn: true });
  });

  test("without a token there is nothing to sign in to, and no cookie", async () => {
    const { send } = protectedApp({ token: "" });
    const answer = await send("POST", "/api/session", { token: "anything" }, json);
    expect(await answer.json()).toEqual({ tokenNeeded: false, signedIn: true });
    expect(answer.headers.get("set-cookie")).toBeNull();
  });
});
