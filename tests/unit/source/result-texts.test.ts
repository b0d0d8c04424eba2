import { expect, test } from "bun:test";
import fc from "fast-check";
import { resultTexts } from "../../../lib/source/result-texts.ts";

test("each result is cut out as it was received", () => {
  const user = '{"postcode": 1.50, "id":12345678901234567890, "a":1, "a":2, "name":"\\u00e9"}';
  expect(resultTexts(`{"results":[ ${user} ,\n${user}],"info":{"seed":"a"}}`)).toEqual([
    user,
    user,
  ]);
});

test.each([
  ['{"info":{"results":[1]},"results":[2]}', ["2"]],
  ['{"results":[1],"results":[2]}', ["2"]],
  ['{"a":["results",[3]],"b":"results","results":[4]}', ["4"]],
  ['{"re\\u0073ults":[5, [6, 7]]}', ["5", "[6, 7]"]],
  ['{"a\\\\":"]","results":["]},\\"[{\\\\"]}', ['"]},\\"[{\\\\"']],
  [' { "results" : [ ] } ', []],
  ['{"other":[6],"results":[7],"more":[8]}', ["7"]],
])("in %s it is %s", (body, list) => {
  expect(resultTexts(body)).toEqual(list);
});

test("what is cut out of any body is what a JSON parser finds", () => {
  const name = fc.oneof(fc.constantFrom("results", '"', "\\", "[", "{"), fc.string());
  fc.assert(
    fc.property(
      fc.array(fc.jsonValue()),
      fc.dictionary(name, fc.jsonValue()),
      fc.nat(3),
      (results, others, indent) => {
        const body = JSON.stringify({ ...others, results, info: [{ results: 1 }] }, null, indent);
        expect(resultTexts(body).map((text) => JSON.parse(text))).toEqual(JSON.parse(body).results);
      },
    ),
  );
});
