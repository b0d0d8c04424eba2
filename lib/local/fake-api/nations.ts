import * as faker from "@faker-js/faker";
import { type Draw, drawPools, type Pools } from "./pools.ts";
import type { Random } from "./random.ts";

/** What makes a user of one nationality: its names, drawn once, and the shapes of its numbers. */
export interface Nation extends Shape {
  readonly code: string;
  readonly pools: Pools;
}

interface Shape extends Draw {
  readonly country: string;
  readonly titles?: { readonly male: readonly string[]; readonly female: readonly string[] };
  /** Patterns of `Random.fill`. */
  readonly phone: readonly string[];
  readonly cell: readonly string[];
  /** Numbers by default, as most nations have them. */
  readonly postcode?: (random: Random) => string | number;
  /**
   * Its value is a pattern in which DDMMYY stands for the day of birth; null where there is none.
   */
  readonly id: { readonly name: string; readonly value: string | null };
}

/** The nation of a code in upper case. Its names are drawn at the first call, in some 5 ms. */
export function nationOf(code: string): Nation | undefined {
  const shape = shapes[code];
  if (shape === undefined) return undefined;
  const known = drawn.get(code) ?? { ...shape, code, pools: drawPools(shape) };
  drawn.set(code, known);
  return known;
}

const drawn = new Map<string, Nation>();
const none = { name: "", value: null };
/** As the API writes Finnish ids: its generator fails on the date. */
const hetu = { name: "HETU", value: "NaNNA###undefined" };

const shapes: Readonly<Record<string, Shape>> = {
  AU: {
    country: "Australia",
    locales: [faker.en_AU],
    phone: ["0#-####-####"],
    cell: ["04##-###-###"],
    postcode: (random) => random.between(200, 9999),
    id: { name: "TFN", value: "#########" },
  },
  BR: {
    country: "Brazil",
    locales: [faker.pt_BR],
    streetEnd: ["", " "],
    phone: ["(##) ####-####"],
    cell: ["(##) ####-####"],
    id: { name: "CPF", value: "###.###.###-##" },
  },
  CA: {
    country: "Canada",
    locales: [faker.en_CA, faker.fr_CA],
    phone: ["@## @##-####"],
    cell: ["@## @##-####"],
    postcode: (random) => random.fill("@#@ #@#"),
    id: { name: "SIN", value: "#########" },
  },
  CH: {
    country: "Switzerland",
    locales: [faker.de_CH, faker.fr_CH],
    titles: { male: ["Monsieur"], female: ["Mademoiselle", "Madame"] },
    phone: ["07# ### ## ##"],
    cell: ["07# ### ## ##"],
    postcode: (random) => random.between(1000, 9999),
    id: { name: "AVS", value: "756.####.####.##" },
  },
  DE: {
    country: "Germany",
    locales: [faker.de],
    phone: ["0###-#######"],
    cell: ["017#-#######"],
    id: { name: "SVNR", value: "## DDMMYY @ ###" },
  },
  DK: {
    country: "Denmark",
    locales: [faker.da],
    phone: ["########"],
    cell: ["########"],
    id: { name: "CPR", value: "DDMMYY-####" },
  },
  ES: {
    country: "Spain",
    locales: [faker.es],
    phone: ["9##-###-###"],
    cell: ["6##-###-###"],
    id: { name: "DNI", value: "########-@" },
  },
  FI: {
    country: "Finland",
    locales: [faker.fi],
    phone: ["0%-###-###"],
    cell: ["04#-###-##-##"],
    id: hetu,
  },
  FR: {
    country: "France",
    locales: [faker.fr],
    phone: ["01-##-##-##-##", "03-##-##-##-##", "05-##-##-##-##"],
    cell: ["06-##-##-##-##"],
    id: { name: "INSEE", value: "1############ ##" },
  },
  GB: {
    country: "United Kingdom",
    locales: [faker.en_GB],
    states: "county",
    phone: ["01### #####", "01#1 ### ####", "015396 #####", "016977 ####", "02# #### ####"],
    cell: ["07### ######"],
    postcode: (random) => random.fill(random.pick(britishPostcodes)),
    id: { name: "NINO", value: "@@ ## ## ## @" },
  },
  IE: {
    country: "Ireland",
    locales: [faker.en_IE],
    states: "county",
    phone: ["0##-###-####"],
    cell: ["081-###-####"],
    id: { name: "PPS", value: "#######T" },
  },
  IN: {
    country: "India",
    locales: [faker.en_IN],
    phone: ["7#########", "8#########", "9#########"],
    cell: ["7#########", "8#########", "9#########"],
    id: { name: "UIDAI", value: "############" },
  },
  IR: {
    country: "Iran",
    locales: [faker.fa],
    phone: ["0##-########"],
    cell: ["09##-###-####"],
    id: none,
  },
  MX: {
    country: "Mexico",
    locales: [faker.es_MX],
    phone: ["(6##) ### ####"],
    cell: ["(6##) ### ####"],
    id: { name: "NSS", value: "## ## ## #### #" },
  },
  NL: {
    country: "Netherlands",
    locales: [faker.nl],
    phone: ["(0##) #######", "(0###) ######"],
    cell: ["(06) ########"],
    postcode: (random) => random.fill("#### @@"),
    id: { name: "BSN", value: "########" },
  },
  NO: {
    country: "Norway",
    locales: [faker.nb_NO],
    phone: ["%#######"],
    cell: ["4#######", "9#######"],
    postcode: (random) => random.fill("####"),
    id: { name: "FN", value: "DDMMYY#####" },
  },
  NZ: {
    country: "New Zealand",
    locales: [faker.en_AU],
    states: ["Auckland", "Canterbury", "Manawatu-Wanganui", "Otago", "Waikato", "Wellington"],
    phone: ["(###)-###-####"],
    cell: ["(###)-###-####"],
    id: none,
  },
  RS: {
    country: "Serbia",
    locales: [faker.sr_RS_latin],
    phone: ["0##-####-###"],
    cell: ["06#-####-###"],
    id: { name: "SID", value: "#########" },
  },
  TR: {
    country: "Turkey",
    locales: [faker.tr],
    phone: ["(###)-###-####"],
    cell: ["(###)-###-####"],
    id: none,
  },
  UA: {
    country: "Ukraine",
    locales: [faker.uk],
    phone: ["(067) @##-####", "(096) @##-####"],
    cell: ["(068) @##-####", "(099) @##-####"],
    id: none,
  },
  US: {
    country: "United States",
    locales: [faker.en_US],
    phone: ["(%##) ###-####"],
    cell: ["(%##) ###-####"],
    id: { name: "SSN", value: "###-##-####" },
  },
};

const britishPostcodes = ["@# #@@", "@@# #@@", "@## #@@", "@@## #@@", "@@#@ #@@", "@#@ #@@"];
