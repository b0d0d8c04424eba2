import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { PipelineError } from "../errors.ts";

/** A file of the dashboard, as it goes out. */
export interface PageFile {
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Absent where it would not be smaller. */
  readonly gzipped: Uint8Array<ArrayBuffer> | undefined;
}

/** The dashboard, by path: "/" and what that asks for, whose names change with their content. */
export interface Page {
  files(): Promise<ReadonlyMap<string, PageFile>>;
}

/**
 * Bundles the dashboard when it is first asked for, and keeps it in memory. Bun's own routes for HTML
 * would answer past everything that guards the others: no policy, no token, nothing compressed.
 * Rejects with "setup" when its sources cannot be bundled.
 */
export function createPage(): Page {
  let made: Promise<ReadonlyMap<string, PageFile>> | undefined;
  return {
    files: () => {
      made ??= bundle().catch((error: unknown) => {
        made = undefined;
        throw error;
      });
      return made;
    },
  };
}

async function bundle(): Promise<ReadonlyMap<string, PageFile>> {
  const entry = fileURLToPath(new URL("dashboard/index.html", import.meta.url));
  const { outputs } = await Bun.build({
    entrypoints: [entry],
    target: "browser",
    minify: true,
    // A view is loaded when it is first shown.
    splitting: true,
    publicPath: "/",
    naming: {
      entry: "[name].[ext]",
      chunk: "assets/[name]-[hash].[ext]",
      asset: "assets/[name]-[hash].[ext]",
    },
  }).catch((cause: unknown) => {
    throw new PipelineError("setup", "the dashboard cannot be bundled", { cause });
  });
  const files = await Promise.all(
    outputs.map(async (output): Promise<[string, PageFile]> => {
      const bytes = new Uint8Array(await output.arrayBuffer());
      const gzipped = await pressed(bytes);
      const path = output.path.replace(/^\.?\/?/, "/");
      const small = gzipped.length < bytes.length;
      return [
        path === "/index.html" ? "/" : path,
        { type: output.type, bytes, gzipped: small ? gzipped : undefined },
      ];
    }),
  );
  return new Map(files);
}

async function pressed(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await promisify(gzip)(bytes, { level: 9 }));
}
