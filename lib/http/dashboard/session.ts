import { ask } from "./api.ts";
import { fill, h } from "./dom.ts";
import { form, textField } from "./form.ts";
import iconPath from "./icon.svg";
import { toastRegion } from "./toast.ts";

export interface Session {
  readonly tokenNeeded: boolean;
  readonly signedIn: boolean;
}

export function session(): Promise<Session> {
  return ask<Session>("/api/session");
}

/** Ends the session of this browser. */
export function signOut(): Promise<Session> {
  return ask<Session>("/api/session", { method: "DELETE" });
}

/** Asks for the token; resolves when the service has taken it. The page keeps nothing of it. */
export function signIn(): Promise<void> {
  return new Promise((resolve) => {
    const token = textField("Token", {
      ...{ type: "password", autocomplete: "current-password", required: true, autofocus: true },
    });
    const submit = async () => {
      const body = { token: token.input.value };
      await ask<Session>("/api/session", { method: "POST", body });
      resolve();
    };
    const made = form(
      { fields: { token }, submit },
      // Password managers file a password under a name.
      h("input", {
        class: "sr",
        autocomplete: "username",
        value: "users-pipeline",
        tabindex: -1,
        "aria-hidden": "true",
        readonly: true,
      }),
      token.element,
      h("button", { class: "button primary", type: "submit" }, "Sign in"),
    );
    document.title = "Sign in · users-pipeline";
    const hint = [
      "It is what ",
      h("code", {}, "API_TOKEN"),
      " says where the service was started.",
    ];
    const card = h(
      "div",
      { class: "card sign-in" },
      h("div", { class: "brand" }, h("img", { src: iconPath, alt: "" }), "users-pipeline"),
      h("h1", {}, "Sign in"),
      h("p", { class: "muted" }, hint),
      made,
    );
    fill(document.body, h("main", { class: "main" }, card), toastRegion());
    token.input.focus();
  });
}
