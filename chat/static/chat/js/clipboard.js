/** Copying, also over plain http, where browsers hide the clipboard's API. */

import { announce, el, icon } from "./dom.js";

async function copy(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Refused, as in a page without the focus: the old way may still do.
    }
  }
  const box = el("textarea", { class: "sr-only", "aria-hidden": "true", tabindex: "-1" });
  box.value = text;
  const host = document.querySelector("dialog[open]") ?? document.body; // what is behind is inert
  const before = document.activeElement;
  host.append(box);
  box.select();
  const done = document.execCommand("copy");
  box.remove();
  before?.focus({ preventScroll: true });
  return done;
}

/** A button that copies what `textOf` returns and says so. */
export function copyButton(textOf, { label = "Copiar", className = "" } = {}) {
  const words = el("span", {}, label);
  return el(
    "button",
    {
      class: `button button-small button-quiet ${className}`.trim(),
      type: "button",
      on: {
        async click() {
          const done = await copy(textOf());
          words.textContent = done ? "Copiado" : "No se pudo copiar";
          announce(words.textContent);
          setTimeout(() => (words.textContent = label), 2000);
        },
      },
    },
    icon("copy"),
    words,
  );
}
