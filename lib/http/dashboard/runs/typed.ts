/**
 * What was typed for a number, for a body: nothing where the field is empty, and the text as it is
 * where it is no number, so that the service says what is wrong with it.
 */
export function numberOf(name: string, typed: string): Readonly<Record<string, number | string>> {
  const text = typed.trim();
  if (text === "") return {};
  return { [name]: /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text };
}
