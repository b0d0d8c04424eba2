import { ApiError, type FieldError } from "./api.ts";
import { type Child, h, mark, type Props, say, uniqueId } from "./dom.ts";

/** A label, what is filled in, a hint, and room for what is wrong with it. */
export interface Field<E extends HTMLElement = HTMLElement> {
  readonly element: HTMLElement;
  readonly input: E;
  /** Says what is wrong with it; nothing, with an empty text. */
  fault(message: string): void;
}

/** Names the input by its label, and describes it by hint and fault, for those who only hear it. */
export function field<E extends HTMLElement>(label: string, input: E, hint?: Child): Field<E> {
  const ids = { input: uniqueId(), hint: uniqueId(), fault: uniqueId() };
  input.id = ids.input;
  const fault = h("div", { class: "fault", id: ids.fault, hidden: true });
  mark(input, "aria-describedby", hint ? `${ids.hint} ${ids.fault}` : ids.fault);
  return {
    element: h(
      "div",
      { class: "field" },
      h("label", { for: ids.input }, label),
      input,
      hint && h("div", { class: "hint", id: ids.hint }, hint),
      fault,
    ),
    input,
    fault: (message) => {
      say(fault, message);
      fault.hidden = message === "";
      mark(input, "aria-invalid", message === "" ? undefined : "true");
    },
  };
}

/** A line of text to fill in. */
export function textField(label: string, props: Props = {}, hint?: Child): Field<HTMLInputElement> {
  return field(label, h("input", { type: "text", autocomplete: "off", ...props }), hint);
}

/** One of several values, each with its words. */
export function selectField(
  label: string,
  values: readonly (readonly [string, string])[],
  props: Props = {},
  hint?: Child,
): Field<HTMLSelectElement> {
  const options = values.map(([value, text]) => h("option", { value }, text));
  return field(label, h("select", props, options), hint);
}

export interface FormOptions {
  /** By the path that the service calls them in what it refuses: "results", "nat". */
  readonly fields: Readonly<Record<string, Field>>;
  /** Rejects with `ApiError`: its messages go to the fields they are about. */
  readonly submit: () => Promise<void>;
}

/**
 * A form that the page sends, not the browser. What is refused is said at the field it is about, and
 * the first such field gets the focus; the rest is said below.
 */
export function form({ fields, submit }: FormOptions, ...children: readonly Child[]) {
  const rest = h("p", { class: "fault", role: "alert" });
  let going = false;
  const send = async () => {
    for (const each of Object.values(fields)) each.fault("");
    say(rest, "");
    try {
      await submit();
    } catch (error) {
      say(rest, shown(error, fields));
    }
  };
  const made = h("form", { class: "form", novalidate: true }, ...children, rest);
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    if (going) return;
    going = true;
    const by = event.submitter instanceof HTMLButtonElement ? event.submitter : undefined;
    if (by) by.ariaBusy = "true";
    send()
      .finally(() => {
        going = false;
        if (by) by.ariaBusy = null;
      })
      .catch(reportError);
  });
  return made;
}

/** Says at each field what is wrong with it; gives what belongs to none. */
function shown(error: unknown, fields: Readonly<Record<string, Field>>): string {
  if (!(error instanceof ApiError)) throw error;
  const faults = new Map<Field, string[]>();
  const others: string[] = [];
  for (const { path, message } of error.errors) {
    const found = fieldOf(path, fields);
    if (found) faults.set(found, [...(faults.get(found) ?? []), message]);
    else others.push(path === "" ? message : `${path}: ${message}`);
  }
  for (const [each, messages] of faults) each.fault(messages.join("; "));
  [...faults.keys()][0]?.input.focus();
  if (faults.size > 0) return others.join("; ");
  return [error.message, ...others].join("; ");
}

/** "nat.1" is about the field "nat". */
function fieldOf(path: FieldError["path"], fields: Readonly<Record<string, Field>>) {
  return fields[path] ?? fields[path.split(".")[0] ?? ""];
}
