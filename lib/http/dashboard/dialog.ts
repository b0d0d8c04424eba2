import { type Child, h, uniqueId } from "./dom.ts";
import { button } from "./parts.ts";

/** A dialog over the page; removed when it is closed. Escape closes it, the focus goes back. */
export function openDialog(title: string, ...children: readonly Child[]): HTMLDialogElement {
  const id = uniqueId();
  const made = h(
    "dialog",
    { class: "dialog", "aria-labelledby": id },
    h("h2", { id }, title),
    ...children,
  );
  made.addEventListener("close", () => made.remove());
  document.body.append(made);
  made.showModal();
  return made;
}

export interface Question {
  readonly title: string;
  readonly text: Child;
  /** What the button that goes on says: what it does, not "OK". */
  readonly yes: string;
  readonly danger?: boolean;
}

/** Resolves to true when somebody says yes. */
export function confirmed({ title, text, yes, danger = false }: Question): Promise<boolean> {
  return new Promise((resolve) => {
    const close = (answer: boolean) => () => {
      resolve(answer);
      made.close();
    };
    const made = openDialog(
      title,
      h("p", {}, text),
      h(
        "div",
        { class: "dialog-end" },
        button("Go back", close(false), { autofocus: danger }),
        button(yes, close(true), { kind: danger ? "danger" : "primary", autofocus: !danger }),
      ),
    );
    made.addEventListener("close", () => resolve(false));
  });
}
