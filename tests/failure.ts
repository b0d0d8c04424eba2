/**
 * What a promise was rejected with. Instead of `expect(promise).rejects`, which runs the event loop inside
 * itself: time and order are not what they are outside.
 */
export async function failureOf(work: Promise<unknown>): Promise<Error> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Error || error instanceof DOMException) return error;
    throw new Error(`not an error was thrown: ${Bun.inspect(error)}`);
  }
  throw new Error("nothing was thrown");
}
