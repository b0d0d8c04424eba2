import { spoilers } from "../../lib/local/fake-api/faults.ts";
import { createFakeApi } from "../../lib/local/fake-api/handler.ts";
import type { FakeUser } from "../../lib/local/fake-api/users.ts";

/** The stand-in of the API whose users change. */
export interface ChangingApi extends AsyncDisposable {
  /** What `SOURCE_URL` must be. */
  readonly url: string;
  /** How many pages it has given so far. */
  readonly pages: number;
}

/**
 * Gives the same ids for the same seed, as the API does, but other contents with each page it gives;
 * every twentieth user or so is none, another one each time. So it is seen in a row which version it
 * is.
 */
export function startChangingApi(): ChangingApi {
  const answer = createFakeApi();
  let pages = 0;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const body = (await (await answer(request)).json()) as { readonly results: FakeUser[] };
      pages += 1;
      const edition = pages;
      const results = body.results.map((user, at) => {
        const spoil = spoilers[(edition + at) % (20 * spoilers.length)];
        return spoil ? spoil(user) : changed(user, edition);
      });
      return Response.json({ ...body, results });
    },
  });
  return {
    url: new URL("/api/1.4/", server.url).href,
    get pages() {
      return pages;
    },
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

function changed(user: FakeUser, edition: number) {
  return {
    ...user,
    name: { ...user.name, first: `${user.name.first} ${edition}` },
    email: `${edition}.${user.email}`,
    phone: String(edition),
    picture: { ...user.picture, medium: `${user.picture.medium}?${edition}` },
  };
}
