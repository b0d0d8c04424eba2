import type { TestKeyspace } from "../stations.ts";
import { beside, openScene, type Scene } from "./scene.ts";

/** Scenes are slow to make, so faults share one, one after the other: as long as all goes well. */
export interface Lane extends AsyncDisposable {
  /** Resolves, when the faults before it are over, with what the work gives. */
  use<T>(work: (scene: Scene) => Promise<T>): Promise<T>;
}

/** After so many a new scene: each is looked at as a whole after every fault. */
const uses = 15;

/** For faults of one kind of process; the other kind works beside it all the time. */
export function createLane(keyspace: TestKeyspace, process: "ingest" | "consume"): Lane {
  let before: Promise<unknown> = Promise.resolve();
  let stage: (AsyncDisposable & { readonly scene: Scene }) | undefined;
  let left = 0;
  const close = async () => {
    const closing = stage;
    stage = undefined;
    await closing?.[Symbol.asyncDispose]();
  };
  const next = async <T>(work: (scene: Scene) => Promise<T>) => {
    if (left === 0) await close();
    if (stage === undefined) left = uses;
    stage ??= await openStage(keyspace, process === "ingest" ? "consume" : "ingest");
    try {
      left -= 1;
      return await work(stage.scene);
    } catch (error) {
      await close().catch(() => "its end does not matter any more");
      throw error;
    }
  };
  return {
    use: (work) => {
      const mine = before.then(() => next(work));
      before = mine.catch(() => "told to who asked for it");
      return mine;
    },
    [Symbol.asyncDispose]: close,
  };
}

async function openStage(keyspace: TestKeyspace, other: "ingest" | "consume") {
  await using opening = new AsyncDisposableStack();
  const scene = opening.use(await openScene(keyspace, { partitions: 3 }));
  opening.use(await beside(other, scene));
  const owned = opening.move();
  return { scene, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
