import { expect, test } from "bun:test";
import fc from "fast-check";
import { resultsText } from "../../../lib/source/results-text.ts";

test("the list of results is cut out as it was received", () => {
  const list = '[ {"postcode": 1.50, "id":12345678901234567890, "a":1, "a":2, "name":"\\u00e9"} ]';
  expect(resultsText(`{"results":${list},"info":{"seed":"a"}}`)).toBe(list);
});

test.each([
  ['{"info":{"results":[1]},"results":[2]}', "[2]"],
  ['{"results":[1],"results":[2]}', "[2]"],
  ['{"a":["results",[3]],"b":"results","results":[4]}', "[4]"],
  ['{"re\\u0073ults":[5]}', "[5]"],
  ['{"a\\\\":"]","results":["]}\\"[{\\\\"]}', '["]}\\"[{\\\\"]'],
  [' { "results" : [ ] } ', "[ ]"],
  ['{"other":[6],"results":[7],"more":[8]}', "[7]"],
])("in %s it is %s", (body, list) => {
  expect(resultsText(body)).toBe(list);
});

test("the list cut out of any body is the list a JSON parser finds", () => {
  const name = fc.oneof(fc.constantFrom("results", '"', "\\", "[", "{"), fc.string());
  fc.assert(
    fc.property(
      fc.array(fc.jsonValue()),
      fc.dictionary(name, fc.jsonValue()),
      fc.nat(3),
      (results, others, indent) => {
        const body = JSON.stringify({ ...others, results, info: [{ results: 1 }] }, null, indent);
        expect(JSON.parse(resultsText(body))).toEqual(JSON.parse(body).results);
      },
    ),
  );
});
