// Shows the Markdown being written as it will be read. The server renders and sanitises it.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const editor = document.querySelector("textarea.knowledge-editor");
  if (!editor) return;
  const preview = document.createElement("div");
  preview.className = "knowledge-preview";
  preview.setAttribute("role", "region");
  preview.setAttribute("aria-live", "polite");
  preview.setAttribute("aria-label", "Vista previa");
  editor.after(preview);

  const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
  // The form is at …/document/add/ or …/document/7/change/; the preview at …/document/preview/.
  const address = location.pathname.replace(/(add|[^/]+\/change)\/$/, "preview/");
  let timer;
  let asked = 0;

  async function render() {
    const number = ++asked;
    const response = await fetch(address, {
      method: "POST",
      headers: { "X-CSRFToken": token },
      body: new URLSearchParams({ body: editor.value }),
    });
    const html = response.ok ? await response.text() : "<p>No se pudo mostrar la vista previa.</p>";
    if (number === asked) preview.innerHTML = html; // an answer that came late must not win
  }

  editor.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(render, 250);
  });
  render();
});
