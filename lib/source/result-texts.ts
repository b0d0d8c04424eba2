/**
 * The text of each entry of the list of results, in a body that is known to be a JSON object with
 * such a list: exactly as received, which parsing and writing it again would not give back (number
 * formats, repeated keys, escapes). Of several lists, the last, which is the one a JSON parser takes.
 */
export function resultTexts(body: string): readonly string[] {
  let depth = 0;
  let name = "";
  let start = 0;
  let reading: string[] | undefined;
  let found: readonly string[] = [];
  for (let at = 0; at < body.length; at++) {
    const char = body.charCodeAt(at);
    if (char === quote) {
      const end = endOfString(body, at);
      if (depth === 1) name = body.slice(at, end + 1);
      at = end;
    } else if (char === comma) {
      if (depth !== 2 || !reading) continue;
      reading.push(body.slice(start, at).trim());
      start = at + 1;
    } else if (char === openList || char === openObject) {
      // The last text before a list at depth 1 is the name it stands under.
      if (depth === 1 && char === openList && JSON.parse(name) === "results") {
        reading = [];
        start = at + 1;
      }
      depth++;
    } else if (char === closeList || char === closeObject) {
      depth--;
      if (depth !== 1 || !reading) continue;
      const last = body.slice(start, at).trim();
      found = last === "" ? reading : [...reading, last];
      reading = undefined;
    }
  }
  return found;
}

const [quote, backslash, comma, openList, closeList, openObject, closeObject] = [...'"\\,[]{}'].map(
  (char) => char.charCodeAt(0),
);

function endOfString(body: string, start: number): number {
  for (let end = start; ; ) {
    end = body.indexOf('"', end + 1);
    let escapes = 0;
    while (body.charCodeAt(end - 1 - escapes) === backslash) escapes++;
    if (escapes % 2 === 0) return end;
  }
}
