/** All nationalities that version 1.4 of the API knows. */
export const nationalities = [
  ..."AU BR CA CH DE DK ES FI FR GB IE IN IR MX NL NO NZ RS TR UA US".toLowerCase().split(" "),
] as const;
