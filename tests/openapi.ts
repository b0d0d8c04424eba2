import Ajv, { type ValidateFunction } from "ajv/dist/2020";
import fc from "fast-check";

/* The OpenAPI document as a test uses it: it makes requests, and holds answers to what is promised. */

type Schema = Readonly<Record<string, unknown>>;

interface Parameter {
  readonly in: "path" | "query" | "header";
  readonly name: string;
  readonly required?: boolean;
  readonly schema: Schema;
}

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

export interface Operation {
  readonly summary: string;
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: Content;
  readonly responses: Readonly<Record<string, Content & { readonly headers?: object }>>;
  readonly security?: readonly object[];
}

export interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

export interface Route {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export function routesOf(document: Document): readonly Route[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...{ method: method.toUpperCase(), path, operation },
    })),
  );
}

/** Says what is wrong with an answer: nothing when it is what the document promises. */
export function judgeOf(document: Document) {
  const ajv = new Ajv({ strict: false, formats });
  ajv.addSchema({ $id: "api", components: document.components });
  const compiled = new Map<Schema, ValidateFunction>();
  const compile = (schema: Schema) => {
    const known = compiled.get(schema) ?? ajv.compile(rooted(schema) as Schema);
    compiled.set(schema, known);
    return known;
  };
  return async ({ operation }: Pick<Route, "operation">, answer: Response): Promise<string> => {
    const promised = operation.responses[answer.status] ?? operation.responses.default;
    const type = answer.headers.get("content-type")?.split(";")[0] ?? "";
    const told = `${operation.operationId} answered ${answer.status} ${type}`;
    if (answer.status >= 500) return `${told}: ${await answer.text()}`;
    const good = answer.status < 400 && operation.responses[answer.status] === undefined;
    const schema = promised?.content?.[type]?.schema;
    if (good || schema === undefined) return `${told}, which is not promised`;
    if (!/json$/.test(type)) {
      await answer.body?.cancel();
      return "";
    }
    const text = await answer.text();
    const valid = compile(schema);
    return valid(JSON.parse(text)) ? "" : `${told}: ${ajv.errorsText(valid.errors)}: ${text}`;
  };
}

/** Requests to a route: as it wants them, with a part of them as it does not, or with any bytes. */
export function requestsTo({ method, path, operation }: Route, document: Document) {
  const parameters = operation.parameters ?? [];
  const schema = operation.requestBody?.content?.["application/json"]?.schema;
  const values = fc.tuple(...parameters.map((each) => parameterValue(each, document)));
  const body = schema === undefined ? fc.constant(undefined) : bodyText(schema, document);
  return fc.tuple(values, body).map(([given, text]): Asked => {
    const query = new URLSearchParams();
    const headers: Record<string, string> = {};
    let way = path;
    for (const [n, { in: place, name }] of parameters.entries()) {
      const value = given[n];
      if (place === "path") way = way.replace(`{${name}}`, encodeURIComponent(value ?? "1"));
      else if (value === undefined) continue;
      else if (place === "query") query.append(name, value);
      else headers[name] = value;
    }
    if (text !== undefined) headers["content-type"] = "application/json";
    const url = query.size > 0 ? `${way}?${query}` : way;
    return { method, url, headers, ...(text === undefined ? {} : { body: text }) };
  });
}

function parameterValue(
  parameter: Parameter,
  document: Document,
): fc.Arbitrary<string | undefined> {
  const right = taken(parameter.schema, document).map(String);
  // What no client can send as a header is not sent as one.
  const wrong =
    parameter.in === "header"
      ? fc.stringMatching(/^[\x20-\x7e]{0,300}$/)
      : fc.string({ unit: "binary" });
  const absent = fc.constant(undefined);
  const weighted = { right: parameter.in === "path" ? 8 : 3, wrong: 1, absent: 2 };
  return fc.oneof(
    { weight: weighted.right, arbitrary: right },
    { weight: weighted.wrong, arbitrary: wrong },
    { weight: parameter.required ? 0 : weighted.absent, arbitrary: absent },
  );
}

function bodyText(schema: Schema, document: Document): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 6, arbitrary: taken(schema, document).map((value) => JSON.stringify(value)) },
    { weight: 2, arbitrary: fc.json() },
    { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
  );
}

/** Values that a schema takes, as far as it is told here; where fields are many, not all are given. */
function taken(schema: Schema, document: Document): fc.Arbitrary<unknown> {
  const { $ref, anyOf, enum: names, const: only, type, pattern, format } = schema;
  if (typeof $ref === "string") {
    return taken(document.components.schemas[$ref.split("/").at(-1) ?? ""] ?? {}, document);
  }
  if (Array.isArray(anyOf)) return fc.oneof(...anyOf.map((each) => taken(each, document)));
  if (Array.isArray(names)) return fc.constantFrom(...names);
  if (only !== undefined) return fc.constant(only);
  switch (type) {
    case "integer":
    case "number": {
      const { minimum: min = 0, maximum: max = 1000 } = schema as {
        minimum?: number;
        maximum?: number;
      };
      return fc.integer({ min, max });
    }
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "array":
      return fc.array(taken(schema.items as Schema, document), { maxLength: 5 });
    case "string":
      if (format === "date-time")
        return fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
      // Small ids are those that are there.
      if (pattern === String.raw`^\d{1,15}$`)
        return fc
          .oneof(fc.integer({ min: 1, max: 9 }), fc.maxSafeNat())
          .map((id) => String(id).slice(0, 15));
      return typeof pattern === "string" ? fc.stringMatching(new RegExp(pattern)) : fc.string();
    case "object": {
      const fields = Object.entries((schema.properties ?? {}) as Record<string, Schema>);
      const required = (schema.required ?? []) as string[];
      return fc.record(
        Object.fromEntries(fields.map(([name, each]) => [name, taken(each, document)])),
        { requiredKeys: required },
      );
    }
  }
  return fc.jsonValue();
}

/** The same schema for Ajv, to which the document is known as `api`. */
function rooted(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(rooted);
  if (typeof schema !== "object" || schema === null) return schema;
  return Object.fromEntries(
    Object.entries(schema).map(([name, value]) => [
      name,
      name === "$ref" ? `api${value}` : rooted(value),
    ]),
  );
}

export const formats = {
  "date-time": /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/,
  date: /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/,
  uuid: /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/,
  uri: (text: string) => URL.canParse(text),
};
