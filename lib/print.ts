import { PipelineError } from "./errors.ts";

/** Writes to standard output; resolves when it is taken, so that a slow reader is waited for. */
export function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: Error) =>
      reject(new PipelineError("refused", "standard output was closed", { cause }));
    process.stdout.write(text, (error) => (error ? failed(error) : resolve()));
  });
}
