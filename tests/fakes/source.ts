import { PipelineError } from "../../lib/errors.ts";
import type { PageRequest, Source } from "../../lib/flow/source-to-raw.ts";
import { createUsers } from "../../lib/local/fake-api/users.ts";

export interface FakeSource extends Source {
  readonly asked: readonly PageRequest[];
}

/** Gives the same users for the same request; fails with `failures` first, one for each call. */
export function createFakeSource(...failures: PipelineError[]): FakeSource {
  const asked: PageRequest[] = [];
  return {
    asked,
    async fetch(request, signal) {
      signal.throwIfAborted();
      const { seed, page, results } = request;
      asked.push(request);
      if (results > 5000) throw new PipelineError("refused", `${results} users at once`);
      const failure = failures.shift();
      if (failure) throw failure;
      const nat = request.nat.map((each) => each.toUpperCase());
      const users = createUsers({ seed, page, results, nat, now: new Date(0) });
      return { payloads: users.map((user) => JSON.stringify(user)), users };
    },
  };
}
