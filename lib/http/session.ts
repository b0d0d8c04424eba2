import { createHmac } from "node:crypto";
import type { Context } from "hono";
import { deleteCookie, getSignedCookie, setSignedCookie } from "hono/cookie";

/** Of this service: cookies of a host are sent to all its ports. */
const cookie = "users_pipeline_session";
/** A week: then the token is asked for again. */
const sessionSeconds = 7 * 24 * 3600;

/**
 * Sessions of browsers. Nothing of them is kept here, so that they outlast a restart and hold at every
 * instance with the same token: the cookie says until when it is good, and is signed with a key made
 * of the token. It is not the token, nor leads back to it; another token ends all sessions.
 */
export interface Sessions {
  /** Hands out the cookie. No script sees it, no other site's page makes a browser send it. */
  begin(c: Context): Promise<void>;
  /** True when the request comes with one that is good. */
  holds(c: Context): Promise<boolean>;
  end(c: Context): void;
}

export function createSessions(
  token: string,
  { now = Date.now }: { readonly now?: () => number } = {},
): Sessions {
  const key = new Uint8Array(createHmac("sha256", token).update("sessions of browsers").digest());
  return {
    begin: (c) => {
      const until = Math.floor(now() / 1000) + sessionSeconds;
      return setSignedCookie(c, cookie, `${until}.${crypto.randomUUID()}`, key, {
        ...{ httpOnly: true, sameSite: "Strict", path: "/", maxAge: sessionSeconds },
        secure: overTls(c),
      });
    },
    holds: async (c) => {
      // Compares in constant time.
      const value = await getSignedCookie(c, key, cookie);
      const [, until] = /^(\d{1,12})\./.exec(value || "") ?? [];
      return until !== undefined && Number(until) > now() / 1000;
    },
    end: (c) => {
      deleteCookie(c, cookie, { path: "/", httpOnly: true, sameSite: "Strict" });
    },
  };
}

/**
 * Whether the browser came over TLS, which may end at what stands in front. Browsers say so in the
 * Origin of what they post; where it says nothing the cookie goes without `Secure`, else it would be
 * lost.
 */
function overTls(c: Context): boolean {
  const told = [c.req.header("origin"), c.req.url].map((url) => URL.parse(url ?? "")?.protocol);
  return told.includes("https:");
}
