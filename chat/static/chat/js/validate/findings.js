/** How a verdict and its findings look. */

import { costOf, counted, el, formatNumber, icon } from "../dom.js";
import { formatDate, formatMoney, formatRut, readable } from "../format.js";
import { bySeverity } from "./verdicts.js";

const SII_SEVERITY = { rechazo: "el SII lo rechaza", reparo: "el SII lo acepta con reparo" };

/** The verdict, as the first thing to be read; `words` as of `wordsFor`. */
export function verdictBanner(
  { recommendation, confidence, valid_for_sii: statement },
  findings,
  { verdicts, severities },
) {
  const verdict = verdicts[recommendation] ?? verdicts.review;
  const counts = bySeverity(findings).map(([severity, group]) =>
    counted(group.length, severities[severity].one, severities[severity].many),
  );
  return el(
    "section",
    { class: "verdict", data: { verdict: recommendation }, "aria-label": "Veredicto" },
    icon(verdict.icon, "verdict-icon"),
    el(
      "div",
      {},
      el("h2", { tabindex: "-1" }, verdict.title),
      (counts.length > 0 || !statement) &&
        el("p", {}, counts.length ? `${counts.join(", ")}.` : verdict.detail),
      Number.isFinite(confidence) &&
        el(
          "p",
          { class: "verdict-confidence" },
          `Confianza en este veredicto: ${formatNumber(Math.round(confidence))} de 100`,
        ),
    ),
    scopeOf(statement),
  );
}

/** What was and was not checked, in the service's words; or a statement ready to be shown. */
function scopeOf(statement) {
  if (statement === null || statement === undefined || typeof statement === "boolean") return null;
  if (typeof statement === "string")
    return el("p", { class: "verdict-scope" }, readable(statement));
  if (Array.isArray(statement)) return el("p", { class: "verdict-scope" }, statement);
  const { statement: text, checked = [], not_checked: unchecked = [] } = statement;
  return el(
    "div",
    { class: "verdict-scope" },
    text && el("p", {}, readable(text)),
    (checked.length > 0 || unchecked.length > 0) &&
      el(
        "details",
        {},
        el("summary", {}, "Qué se revisó y qué no"),
        checked.length > 0 &&
          el(
            "div",
            {},
            el("h3", {}, "Revisado"),
            el(
              "ul",
              {},
              checked.map((item) => el("li", {}, item)),
            ),
          ),
        unchecked.length > 0 &&
          el(
            "div",
            {},
            el("h3", {}, "No se pudo revisar aquí"),
            el(
              "ul",
              {},
              unchecked.map((item) => el("li", {}, item)),
            ),
          ),
      ),
  );
}

/** What became of Claude's review, in one line; nothing when none was wanted. */
export function reviewNote(review) {
  if (!review) return null;
  const { status, doubts = 0, detail } = review;
  const found = doubts ? `dejó ${counted(doubts, "duda", "dudas")}` : "no tuvo dudas";
  const facts = costOf(review);
  const cost = facts.length ? ` (${facts.join(", ")})` : "";
  const done = `La IA también lo revisó y ${found}${cost}.`;
  return el("p", { class: "review-note" }, icon("spark"), status === "done" ? done : detail);
}

const SUMMARY = [
  ["Tipo", ({ type, type_name: name }) => [name, type && `(${type})`].filter(Boolean).join(" ")],
  ["Documentos", ({ documents }) => documents && formatNumber(documents)],
  ["Folio", ({ folio }) => folio && formatFolio(folio)],
  ["Emisión", ({ issue_date: date }) => date && formatDate(date)],
  ["Total", ({ total, currency }) => formatMoney(total, currency)],
  ["Emisor", ({ issuer }) => partyOf(issuer)],
  ["Receptor", ({ receiver }) => partyOf(receiver)],
];

/** The document in six facts, or nothing when it could not be read. */
export function summaryOf(summary) {
  const facts = SUMMARY.map(([label, read]) => [label, read(summary ?? {})]).filter(
    ([, value]) => value,
  );
  if (!facts.length) return null;
  return el(
    "dl",
    { class: "summary", "aria-label": "Resumen del documento" },
    facts.map(([label, value]) =>
      el("div", { data: { fact: label.toLowerCase() } }, el("dt", {}, label), el("dd", {}, value)),
    ),
  );
}

const formatFolio = (folio) => `N° ${folio}`;
const partyOf = (party) =>
  (party?.name || party?.rut) &&
  [
    party.name,
    party.name && party.rut && " · ",
    party.rut && el("span", { class: "unbroken" }, formatRut(party.rut)),
  ].filter(Boolean);

/**
 * Findings grouped by severity. `actions`: the `words` for them; `placeOf` a finding, in words;
 * `locate` it; `ask` about it; and `drawn`, told of the card it got.
 */
export function findingsList(findings, actions) {
  return bySeverity(findings).map(([severity, group]) =>
    el(
      "section",
      { class: "findings", data: { severity } },
      el(
        "h3",
        {},
        icon(actions.words.severities[severity].icon),
        actions.words.severities[severity].title,
        el("span", { class: "count" }, formatNumber(group.length)),
      ),
      el(
        "ul",
        {},
        group.map((finding) => findingCard(finding, severity, actions)),
      ),
    ),
  );
}

function findingCard(finding, severity, actions) {
  const { code, message, fix, sii_code: siiCode, sii_severity: siiSeverity } = finding;
  const place = actions.placeOf(finding);
  const card = el(
    "li",
    { class: "finding", data: { severity, code } },
    el(
      "p",
      { class: "finding-codes" },
      el("code", {}, code),
      siiCode && el("code", { title: "Código con que responde el SII" }, `SII ${siiCode}`),
      SII_SEVERITY[siiSeverity] && el("span", {}, SII_SEVERITY[siiSeverity]),
    ),
    el("p", { class: "finding-message" }, readable(message)),
    fix &&
      el(
        "div",
        { class: "finding-fix" },
        el("h4", {}, actions.words.fix(finding)),
        el("p", {}, readable(fix)),
      ),
    detailsOf(finding),
    el(
      "div",
      { class: "finding-actions" },
      place &&
        el(
          "button",
          {
            class: "button button-small",
            type: "button",
            on: { click: () => actions.locate(finding) },
          },
          icon("line"),
          place,
        ),
      el(
        "button",
        { class: "button button-small", type: "button", on: { click: () => actions.ask(finding) } },
        icon("chat"),
        "Preguntar al asistente sobre esto",
      ),
    ),
  );
  actions.drawn(finding, card);
  return card;
}

function detailsOf({ path, source, values }) {
  const facts = [
    source === "ai" && values?.reasoning && ["Motivo", values.reasoning],
    path && path !== "/" && ["Campo", el("code", {}, path)],
    sourceText(source) && ["Fuente", sourceText(source)],
  ].filter(Boolean);
  if (!facts.length) return null;
  return el(
    "dl",
    { class: "finding-facts" },
    facts.flatMap(([label, value]) => [el("dt", {}, label), el("dd", {}, value)]),
  );
}

function sourceText(source) {
  if (source === "ai") return "Revisión de la IA";
  return Array.isArray(source) ? source.join("; ") : source;
}
