// A button beside whatever is worth copying, such as a secret that is shown once.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  for (const shown of document.querySelectorAll("[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy-button";
    button.textContent = "Copiar";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(shown.textContent);
        button.textContent = "Copiada";
      } catch {
        getSelection().selectAllChildren(shown); // without HTTPS there is no clipboard
        button.textContent = "Seleccionada: Ctrl+C";
      }
    });
    shown.after(" ", button);
  }
});
