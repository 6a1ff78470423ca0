/** The documents of an envelope or a batch, each with its own verdict. */

import { counted, el, icon } from "../dom.js";
import { readable } from "../format.js";
import { wordsFor } from "./verdicts.js";
import { fileBody, isOtherFile } from "./file_view.js";
import { DocumentFilter, searchable } from "./filter.js";
import { findingsList, reviewNote, summaryOf } from "./findings.js";
import { storedReport } from "./stored.js";

const OPEN_AT_FIRST = 3; // documents with faults; a long envelope would bury the rest
const CODES_SHOWN = 4;

/** The documents of an envelope, the worst first. `actions` as in findingsList, and `held`. */
export function documentsList(given, actions) {
  const order = Object.keys(actions.words.verdicts);
  const rank = ({ recommendation }) => order.indexOf(recommendation);
  const documents = given.toSorted((one, other) => rank(one) - rank(other));
  const faulty = documents.filter((one) => one.recommendation === "reject");
  const opened = new Set(faulty.slice(0, OPEN_AT_FIRST));
  const filter = new DocumentFilter(actions.words);
  const nodes = documents.map((one) => {
    const node = documentNode(one, actions, opened.has(one));
    filter.add(node, searchable(one), one.recommendation);
    return node;
  });
  return el(
    "section",
    { class: "documents", "aria-label": "Documentos del envío" },
    el("h3", {}, counted(documents.length, "documento en el envío", "documentos en el envío")),
    filter.node,
    nodes,
  );
}

/**
 * One document, folded; what is inside is drawn when it is opened.
 *
 * @param {Object} answer The service's answer for it, or a row of the history, read when opened.
 */
export function documentNode(answer, actions, opened = false) {
  const { recommendation } = answer;
  const other = isOtherFile(answer);
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
        nameOf(answer, other),
        noteOf(answer) && el("span", { class: "document-file" }, noteOf(answer)),
      ),
      el(
        "span",
        { class: "chip", data: { verdict: recommendation } },
        (other ? wordsFor("file") : actions.words).verdicts[recommendation].title,
      ),
    ),
  );
  let drawn = false;
  const draw = async () => {
    if (drawn) return;
    drawn = true;
    if (answer.findings) {
      node.append(...contentOf(answer, other, actions));
      return;
    }
    const waiting = el("p", { class: "nothing" }, "Cargando…");
    node.append(waiting);
    try {
      waiting.replaceWith(...contentOf(await storedReport(answer.id), other, actions));
    } catch (error) {
      drawn = false;
      waiting.textContent = error.message;
    }
  };
  const holder = {
    open() {
      draw();
      node.open = true;
    },
  };
  for (const finding of answer.findings ?? []) actions.held(finding, holder);
  node.addEventListener("toggle", () => node.open && draw());
  node.addEventListener("unfold", draw);
  if (opened) holder.open();
  return node;
}

function nameOf({ number, title, headline, document: summary, type, kind }, other) {
  if (other && headline) return readable(`${title}: ${headline}`);
  if (other) return kind;
  const { type_name: typeName, folio } = summary ?? {};
  if (type === "envelope") return `Sobre ${typeName ?? ""}`.trim();
  const unread = number ? `Documento ${number}` : "Archivo que no se pudo leer";
  return [typeName || unread, folio && `N° ${folio}`].filter(Boolean).join(" ");
}

/** Its file, and which codes were raised: enough to know whether to open it. */
function noteOf({ file, findings, codes }) {
  const raised = [...new Set(codes ?? (findings ?? []).map(({ code }) => code))];
  const shown = raised.slice(0, CODES_SHOWN).join(", ");
  const more = raised.length > CODES_SHOWN ? ` y ${raised.length - CODES_SHOWN} más` : "";
  return [file, shown + more].filter(Boolean).join(" · ");
}

function contentOf(answer, other, actions) {
  if (other && answer.facts) return fileBody(answer, actions);
  const { document: summary, findings, review } = answer;
  const list = findings.length
    ? findingsList(findings, actions)
    : [el("p", { class: "nothing" }, "Sin hallazgos.")];
  return [other ? null : summaryOf(summary), reviewNote(emptyAsNone(review)), ...list].filter(
    Boolean,
  );
}

/** A stored answer without a review has an empty one. */
const emptyAsNone = (review) => (review?.status ? review : null);
