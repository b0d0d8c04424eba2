import type { Pipeline } from "../../../domain/pipeline.ts";
import { h, mark, say } from "../dom.ts";
import { verdictOf } from "./verdict-of.ts";

/** The verdict at the head of the page. What changes between flowing and stuck is read out. */
export function verdict() {
  const [title, text, heard] = [
    h("strong", {}),
    h("span", {}),
    h("span", { class: "sr", role: "status" }),
  ];
  const element = h("p", { class: "verdict live" }, title, " ", text, heard);
  return {
    element,
    update: (pipeline: Pipeline) => {
      const now = verdictOf(pipeline);
      if (element.dataset.state !== now.state) {
        say(heard, now.state === "stuck" ? `${now.title}: ${now.text}` : now.title);
      }
      mark(element, "data-state", now.state);
      say(title, now.title);
      say(text, now.text);
    },
  };
}
