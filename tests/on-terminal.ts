import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Settings } from "./scripts.ts";

const scripts = resolve(import.meta.dir, "../scripts");
/** What the pretty printer writes: nothing but colours. */
const colour = new RegExp(`${"\x1b"}\\[\\d+m`, "g");
/** How a line of progress is rewritten. */
const rewritten = new RegExp(`\r${"\x1b"}\\[K`, "g");

/** Runs a script on a terminal of its own; all it shows, but for colours and rewritten lines. */
export async function runOnTerminal(
  name: string,
  args: readonly string[],
  settings: Settings,
): Promise<string> {
  const decoder = new TextDecoder();
  let shown = "";
  const ended = Promise.withResolvers<void>();
  const child = Bun.spawn([process.execPath, join(scripts, `${name}.ts`), ...args], {
    cwd: tmpdir(),
    env: { PATH: Bun.env.PATH ?? "", HOME: Bun.env.HOME ?? "", ...settings },
    terminal: {
      cols: 1000,
      data: (_, bytes) => {
        shown += decoder.decode(bytes, { stream: true });
      },
      exit: () => ended.resolve(),
    },
  });
  await Promise.all([child.exited, ended.promise]);
  child.terminal?.close();
  return shown.replace(colour, "").replace(rewritten, "").replaceAll("\r\n", "\n");
}
