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

// On a phone the name of a column stands in each cell; the theme would capitalise all of its words.
document.addEventListener("DOMContentLoaded", () => {
  for (const { dataset } of document.querySelectorAll("[data-label]")) {
    dataset.label = dataset.label.charAt(0).toUpperCase() + dataset.label.slice(1);
  }
});

// What the theme draws without a name: a box that completes, and a field within a list.
function nameFields() {
  const boxes = ".select2-container :is([role=combobox], [role=textbox]):not([aria-label])";
  for (const box of document.querySelectorAll(boxes)) {
    const select = box.closest(".select2-container").previousElementSibling;
    const label = select && document.querySelector(`label[for="${select.id}"]`);
    if (!label) continue;
    box.removeAttribute("aria-labelledby"); // of what was chosen, and so of nothing at first
    box.setAttribute("aria-label", label.textContent.trim());
  }
  const fields =
    "#result_list td[data-label] :is(input, select, textarea):not([type=hidden], [aria-label])";
  for (const field of document.querySelectorAll(fields)) {
    field.setAttribute("aria-label", field.closest("td").dataset.label);
  }
}

document.addEventListener("DOMContentLoaded", () => {
  nameFields();
  // The boxes are drawn later, and again when something is chosen in a window of its own.
  new MutationObserver(nameFields).observe(document.body, { childList: true, subtree: true });
});
