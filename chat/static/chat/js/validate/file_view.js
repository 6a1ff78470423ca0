/** The service's report on a file that is no document: what it is, is worth and says. */

import { el, formatNumber, icon } from "../dom.js";
import { readable } from "../format.js";
import { findingsList, verdictBanner } from "./findings.js";
import { wordsFor } from "./verdicts.js";

const DOCUMENTS = new Set(["DTE", "EnvioDTE", "EnvioBOLETA", "SetDTE"]);
const OUTCOMES = {
  accepted: "aceptado",
  objected: "aceptado con reparos",
  rejected: "rechazado",
  annulled: "folio anulado",
};

/** Whether a report is about a file of another kind than a document or an envelope. */
export const isOtherFile = ({ kind }) => Boolean(kind) && !DOCUMENTS.has(kind);

/**
 * The whole report. `actions` as in findingsList; `send(fields)` examines the file again with
 * what was asked for.
 */
export function fileView(report, actions, send) {
  const banner = fileBanner(report);
  const node = el(
    "div",
    {},
    banner,
    ...fileBody(report, actions),
    asksForm(report.asks ?? [], send),
  );
  return { node, banner };
}

function fileBanner(report) {
  const words = wordsFor("file");
  const verdicts = Object.fromEntries(
    Object.entries(words.verdicts).map(([name, verdict]) => [
      name,
      { ...verdict, title: readable(report.headline) },
    ]),
  );
  return verdictBanner(report, [], { ...words, verdicts });
}

/** Facts, findings and tables, as a report and a row of a batch show them. */
export function fileBody({ title, facts = [], tables = [], links = [], findings = [] }, actions) {
  return [
    factsOf([{ label: "Archivo", value: title }, ...facts]),
    ...findingsList(findings, { ...actions, words: wordsFor("file") }),
    linksOf(links),
    ...tables.map(tableOf),
  ].filter(Boolean);
}

function factsOf(facts) {
  const shown = facts.filter(({ value }) => value);
  if (!shown.length) return null;
  return el(
    "dl",
    { class: "summary", "aria-label": "Resumen del archivo" },
    shown.map(({ label, value }) =>
      el(
        "div",
        { class: value.length > 24 ? "is-wide" : null },
        el("dt", {}, label),
        el("dd", {}, readable(value)),
      ),
    ),
  );
}

const named = ({ kind, type, folio }) => [
  kind === "DTE" ? `Tipo ${type}` : kind,
  folio && `N° ${folio}`,
];

function linksOf(links) {
  if (!links.length) return null;
  return el(
    "section",
    { class: "sheet" },
    el("h3", {}, "Validaciones a las que responde"),
    el(
      "ul",
      { class: "linked" },
      links
        .slice(0, 50)
        .map((link) =>
          el(
            "li",
            {},
            icon("ok"),
            named(link).filter(Boolean).join(" "),
            OUTCOMES[link.outcome] && `: quedó como ${OUTCOMES[link.outcome]}`,
          ),
        ),
      links.length > 50 && el("li", {}, `y ${formatNumber(links.length - 50)} más`),
    ),
  );
}

function tableOf({ title, columns, rows }) {
  return el(
    "section",
    { class: "sheet" },
    el("h3", {}, title),
    el(
      "div",
      { class: "sheet-scroller", tabindex: "0", role: "region", "aria-label": title },
      el(
        "table",
        {},
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            columns.map((name) => el("th", { scope: "col" }, name)),
          ),
        ),
        el(
          "tbody",
          {},
          rows.map((row) => el("tr", {}, row.map(cellOf))),
        ),
      ),
    ),
  );
}

// What is short, such as a RUT or a range, is not broken: the table scrolls instead.
const cellOf = (text) => el("td", { class: text.length <= 16 ? "unbroken" : null }, readable(text));

function asksForm(asks, send) {
  if (!asks.length) return null;
  const fields = asks.map(({ name, label, hint, type }) => {
    const id = `ask-${name}`;
    return el(
      "div",
      { class: "ask" },
      el("label", { for: id }, label),
      el("input", {
        id,
        name,
        type,
        autocomplete: "off",
        "aria-describedby": hint ? `${id}-hint` : null,
      }),
      hint && el("p", { class: "note", id: `${id}-hint` }, hint),
    );
  });
  const form = el(
    "form",
    { class: "asks" },
    ...fields,
    el("button", { class: "button button-primary", type: "submit" }, "Revisar con esto"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const given = [...new FormData(form)].filter(([, value]) =>
      value instanceof File ? value.size : value.trim(),
    );
    if (given.length) send(given);
  });
  return form;
}
