/** The documents of an envelope or a batch, each with its own verdict. */

import { counted, el, icon } from "./dom.js";
import { wordsFor } from "./verdicts.js";
import { fileBody, isOtherFile } from "./file_view.js";
import { findingsList, reviewNote, summaryOf } from "./findings.js";

const OPEN_AT_FIRST = 3; // documents with faults; a long envelope would bury the rest

/** The documents of an envelope, the worst first. `actions` as in findingsList, and `held`. */
export function documentsList(given, actions) {
  const order = Object.keys(actions.words.verdicts);
  const rank = ({ recommendation }) => order.indexOf(recommendation);
  const documents = given.toSorted((one, other) => rank(one) - rank(other));
  const faulty = documents.filter((one) => one.recommendation === "reject");
  const opened = new Set(faulty.slice(0, OPEN_AT_FIRST));
  return el(
    "section",
    { class: "documents", "aria-label": "Documentos del envío" },
    el("h3", {}, counted(documents.length, "documento en el envío", "documentos en el envío")),
    documents.map((one) => documentNode(one, actions, opened.has(one))),
  );
}

/** One document, folded; what is inside is drawn when it is opened. */
export function documentNode(answer, actions, opened = false) {
  const { number, file, document: summary, recommendation, findings, review } = answer;
  const other = isOtherFile(answer);
  const { type_name: type, folio } = other
    ? { type_name: `${answer.title}: ${answer.headline}` }
    : (summary ?? {});
  const unread = number ? `Documento ${number}` : "Archivo que no se pudo leer";
  const name = [type || unread, folio && `N° ${folio}`].filter(Boolean).join(" ");
  const node = el(
    "details",
    { class: "document" },
    el(
      "summary",
      {},
      icon("chevron"),
      el(
        "span",
        { class: "document-name" },
        name,
        file && el("span", { class: "document-file" }, file),
      ),
      el(
        "span",
        { class: "chip", data: { verdict: recommendation } },
        (other ? wordsFor("file") : actions.words).verdicts[recommendation].title,
      ),
    ),
  );
  const draw = () => {
    if (node.childElementCount > 1) return;
    if (other) {
      node.append(...fileBody(answer, actions));
      return;
    }
    const drawn = findings.length
      ? findingsList(findings, actions)
      : [el("p", { class: "nothing" }, "Sin hallazgos.")];
    node.append(...[summaryOf(summary), reviewNote(review), ...drawn].filter(Boolean));
  };
  const holder = {
    open() {
      draw();
      node.open = true;
    },
  };
  findings.forEach((finding) => actions.held(finding, holder));
  node.addEventListener("toggle", draw);
  if (opened) holder.open();
  return node;
}
