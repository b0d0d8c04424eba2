/**
 * A name as the API writes it in an e-mail address: Latin letters without accents, lower case, no
 * spaces.
 */
export function ascii(name: string): string {
  let plain = "";
  for (const char of name.normalize("NFD").toLowerCase()) {
    if (/[!-~]/.test(char)) plain += char;
    else plain += table.get(char) ?? "";
  }
  return plain;
}

/**
 * Persian vowels and alef are dropped, as the API drops them. NFD has taken й and ї apart already.
 */
const table = new Map(
  Object.entries({
    ...{ ø: "o", æ: "ae", œ: "oe", ß: "ss", đ: "d", ð: "d", ł: "l", ı: "i", þ: "th", "’": "'" },
    ...pairs("абвгґдезийклмнопрстуфхцьіе", "a b v h g d e z y y k l m n o p r s t u f kh ts . i e"),
    ...{ є: "ye", ж: "zh", ч: "ch", ш: "sh", щ: "shch", ю: "yu", я: "ya" },
    ...pairs("بپتثجچحخدذرزژسشص", "b p t th j ch h kh d dh r z zh s sh s"),
    ...pairs("ضطظعغفقکكگلمنوهیي", "d t z ` gh f q k k g l m n w h y y"),
  }),
);

function pairs(from: string, to: string): Record<string, string> {
  const latin = to.split(" ");
  return Object.fromEntries(
    [...from].map((char, at) => [char, (latin[at] ?? "").replace(".", "").replace("`", "")]),
  );
}
