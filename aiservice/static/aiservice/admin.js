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

// Django's autocompletion draws a box of its own, which its label does not name.
window.addEventListener("load", () => {
  for (const select of document.querySelectorAll("select.admin-autocomplete")) {
    const label = document.querySelector(`label[for="${select.id}"]`);
    const box = select.nextElementSibling;
    if (!label || !box) continue;
    for (const part of box.querySelectorAll("[role=combobox], [role=textbox]")) {
      part.setAttribute("aria-label", label.textContent.trim());
    }
  }
});
