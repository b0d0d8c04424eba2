import { h } from "../dom.ts";

/** The messages of an error and of its causes, the outermost first. */
export function errorChain(chain: readonly string[]): HTMLElement {
  return h(
    "ol",
    { class: "error-chain", "aria-label": "Error and its causes" },
    chain.map((message) => h("li", {}, message)),
  );
}
