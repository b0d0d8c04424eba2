import { base, en, Faker, fr, fr_CA, type LocaleDefinition } from "@faker-js/faker";
import { ascii } from "./ascii.ts";

export interface Pools {
  readonly male: readonly Name[];
  readonly female: readonly Name[];
  readonly last: readonly Name[];
  readonly streets: readonly string[];
  readonly cities: readonly string[];
  readonly states: readonly string[];
}

/** A name and how it is written in an e-mail address. */
export interface Name {
  readonly text: string;
  readonly ascii: string;
}

/** Where the names of a nation are drawn from. */
export interface Draw {
  readonly locales: readonly LocaleDefinition[];
  /** Instead of the states of the locale, which are not always what the API has. */
  readonly states?: "county" | readonly string[];
  /** What streets end in; some of the API's end in a space. */
  readonly streetEnd?: readonly string[];
}

/**
 * faker takes 5 µs and more a call, and a page of 5,000 users would need 30,000: so names are drawn
 * once, always the same ones, and users are put together from them.
 */
export function drawPools({ locales, states, streetEnd = [""] }: Draw): Pools {
  const fakers = locales.map((own) => {
    const each = new Faker({
      locale: own === fr_CA ? [own, fr, en, base] : [own, en, base],
    });
    each.seed(20_221_122);
    return each;
  });
  const texts = (one: (from: Faker) => string) => [
    ...new Set(fakers.flatMap((from) => Array.from({ length: poolSize }, () => one(from)))),
  ];
  const names = (one: (from: Faker) => string) =>
    texts(one).map((text): Name => ({ text, ascii: ascii(text) }));
  return {
    male: names((from) => from.person.firstName("male")),
    female: names((from) => from.person.firstName("female")),
    last: names((from) => from.person.lastName()),
    streets: texts((from) => from.location.street()).flatMap((street) =>
      streetEnd.map((end) => street + end),
    ),
    cities: texts((from) => from.location.city()),
    states:
      states === "county"
        ? texts((from) => from.location.county())
        : (states ?? texts((from) => from.location.state())),
  };
}

/**
 * How many different ones of each are drawn at most: enough that users differ, few enough to be
 * quick.
 */
const poolSize = 120;
