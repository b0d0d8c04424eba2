/* Elements, made without a word of HTML: text is text, whatever it holds. */

export type Child = Node | string | number | null | undefined | false | readonly Child[];

export interface Props {
  /** Attributes by their names; true gives an empty one, false and undefined none. */
  readonly [attribute: string]: unknown;
  readonly class?: string | undefined;
  readonly on?: Handlers | undefined;
  /** Custom properties and styles, set through the CSSOM: the page's policy takes no others. */
  readonly css?: Readonly<Record<string, string | number>> | undefined;
}

export type Handlers = {
  readonly [Type in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[Type]) => void;
};

/** An element of HTML with attributes, handlers and children. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  props: Props = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  return filled(document.createElement(tag), props, children);
}

/** The same of SVG. */
export function s<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  props: Props = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[Tag] {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);
}

/** Puts children in the place of what an element holds. */
export function fill<E extends Element>(element: E, ...children: readonly Child[]): E {
  element.replaceChildren(...nodes(children));
  return element;
}

/** Sets an element's text, unless it is that already: what has not changed is not drawn again. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets or removes an attribute, unless it is as wanted already. */
export function mark(element: Element, name: string, value: string | boolean | undefined): void {
  const wanted = value === true ? "" : value === false ? undefined : value;
  if (wanted === undefined) element.removeAttribute(name);
  else if (element.getAttribute(name) !== wanted) element.setAttribute(name, wanted);
}

/**
 * Keeps one element for each item, in the items' order: those that stay are brought up to date and
 * keep focus and place. `memory` is the caller's, one for each parent.
 */
export function list<Item, E extends Element>(
  parent: Element,
  items: readonly Item[],
  { key, make, update, memory }: ListOptions<Item, E>,
): void {
  const wanted = new Set(items.map(key));
  for (const [name, element] of memory) {
    if (wanted.has(name)) continue;
    element.remove();
    memory.delete(name);
  }
  let before: Element | null = null;
  for (const item of items) {
    const name = key(item);
    const known = memory.get(name);
    const element: E = known ?? make(item);
    memory.set(name, element);
    if (known) update(element, item);
    const place: Element | null = before ? before.nextElementSibling : parent.firstElementChild;
    if (place !== element) parent.insertBefore(element, place);
    before = element;
  }
}

export interface ListOptions<Item, E extends Element> {
  readonly key: (item: Item) => string | number;
  readonly make: (item: Item) => E;
  readonly update: (element: E, item: Item) => void;
  readonly memory: Map<string | number, E>;
}

/** An id that no other element has, for labels and what they name. */
export function uniqueId(): string {
  ids += 1;
  return `id-${ids}`;
}
let ids = 0;

function filled<E extends HTMLElement | SVGElement>(
  element: E,
  { on, css, ...attributes }: Props,
  children: readonly Child[],
): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === undefined || value === null) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const [type, handler] of Object.entries(on ?? {})) {
    element.addEventListener(type, handler as EventListener);
  }
  for (const [name, value] of Object.entries(css ?? {})) {
    element.style.setProperty(name, String(value));
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children: readonly Child[]): (Node | string)[] {
  return children.flatMap((child): (Node | string)[] => {
    if (child === null || child === undefined || child === false) return [];
    if (child instanceof Node) return [child];
    return typeof child === "object" ? nodes(child) : [String(child)];
  });
}
