/** The passages behind an answer: cards under it, numbers in its text, both opening the passage. */

import { el } from "../dom.js";
import { formatDate } from "../format.js";
import { showPassage } from "./passage.js";

/** The passages the answer cites; all it had when it cites none, as one without the model does. */
export function sourcesOf({ citations = [] }) {
  const cited = citations.filter((citation) => citation.cited);
  const shown = cited.length ? cited : citations;
  if (!shown.length) return null;
  return el(
    "section",
    { class: "sources", "aria-label": "Fuentes" },
    el("h3", {}, shown.length === 1 ? "Fuente" : "Fuentes"),
    el("ol", {}, shown.map(sourceCard)),
  );
}

/** Let the numbers in a text open what they stand for. */
export function connectCitations(prose, citations = []) {
  for (const button of prose.querySelectorAll(".citation")) {
    const cited = citations.find(({ number }) => number === Number(button.dataset.cites));
    if (!cited) continue;
    button.disabled = false;
    button.title = cited.title;
    button.addEventListener("click", () => showPassage(cited));
  }
}

/** A module as people write it: `odoo_facturacion` is "Odoo Facturación", `dte` is "DTE". */
const moduleName = (module) =>
  module
    .replace(/cion$/, "ción")
    .split("_")
    .filter(Boolean)
    .map((word) => (word.length <= 3 ? word.toUpperCase() : word[0].toUpperCase() + word.slice(1)))
    .join(" ");

function sourceCard(citation) {
  const { number, title, module, section, date } = citation;
  const place = [
    module && moduleName(module),
    section !== title && section,
    date && formatDate(date),
  ].filter(Boolean);
  return el(
    "li",
    {},
    el(
      "button",
      {
        class: "source",
        type: "button",
        data: { number },
        on: { click: () => showPassage(citation) },
      },
      el("span", { class: "source-number", "aria-hidden": "true" }, number),
      el(
        "span",
        { class: "source-text" },
        el("span", { class: "source-title" }, title),
        place.length > 0 && el("span", { class: "source-place" }, place.join(" · ")),
      ),
    ),
  );
}
