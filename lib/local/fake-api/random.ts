/** Numbers that look random and follow from a seed alone. */
export interface Random {
  /** A whole number from 0 to 2^32 - 1. */
  next(): number;
  /** From 0 to `bound` - 1; even enough for bounds far below 2^32. */
  below(bound: number): number;
  /** From `least` to `most`, both included, up to 2^53. */
  between(least: number, most: number): number;
  pick<T>(list: readonly T[]): T;
  /** `#` becomes a digit, `%` one from 2 to 9, `@` an upper case letter; the rest stays. */
  fill(pattern: string): string;
  /** `length` letters and digits. */
  word(length: number): string;
}

/**
 * sfc32 on the 128 bits of the seed's MD5: long streams of different seeds do not meet, which a
 * state of 32 bits could not promise for the ids of millions of users.
 */
export function createRandom(seed: string): Random {
  const next = sfc32(new Uint32Array(new Bun.CryptoHasher("md5").update(seed).digest().buffer));
  const below = (bound: number) => Math.floor((next() / 2 ** 32) * bound);
  const pick = <T>(list: readonly T[]): T => {
    const item = list[below(list.length)];
    if (item === undefined) throw new RangeError("nothing to pick from");
    return item;
  };
  const between = (least: number, most: number) => {
    const fraction = (next() * 2 ** 21 + (next() >>> 11)) / 2 ** 53;
    return least + Math.floor(fraction * (most - least + 1));
  };
  const fill = (pattern: string) => {
    let filled = "";
    for (const char of pattern) {
      if (char === "#") filled += below(10);
      else if (char === "%") filled += 2 + below(8);
      else if (char === "@") filled += letters[below(26)];
      else filled += char;
    }
    return filled;
  };
  const word = (length: number) => {
    let made = "";
    while (made.length < length) made += alphanumeric[below(alphanumeric.length)];
    return made;
  };
  return { next, below, between, pick, fill, word };
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const alphanumeric = `${letters}${letters.toLowerCase()}0123456789`;

/** Chris Doty-Humphrey's small fast counting generator, from PractRand. */
function sfc32([a = 0, b = 0, c = 0, counter = 1]: Uint32Array): () => number {
  const next = () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let round = 0; round < 12; round++) next();
  return next;
}
