/**
 * Text from elsewhere as it may stand on a terminal or in a line of a log: what would move the
 * cursor, end the line, turn the direction of reading or is no character at all is shown as its
 * escape, such as `\u001b`. `keep` names what stays, such as "\n".
 */
export function printable(text: string, { keep = "" }: { readonly keep?: string } = {}): string {
  return text.replace(unprintable, (sign) => (keep.includes(sign) ? sign : escaped(sign)));
}

/** JSON on one line that is fit for a terminal, whatever is in it; it parses to the same value. */
export function jsonLine(value: unknown): string {
  return asciiControls(JSON.stringify(value) ?? "null");
}

/** Escapes in JSON text what `JSON.stringify` leaves: these stand inside of strings only. */
export function asciiControls(json: string): string {
  return json.replace(unprintable, (sign) => (sign === "\n" ? sign : escaped(sign)));
}

/** Control characters, ends of lines, marks of direction (Unicode's Bidi_Control), halves of pairs. */
const unprintable = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}\ufeff]/gu;

function escaped(sign: string): string {
  return `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
