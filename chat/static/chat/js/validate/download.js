/** A report taken along: as JSON, as a table for a spreadsheet, on paper. */

import { el, icon } from "../dom.js";
import { save } from "../save.js";

const COLUMNS = [
  "Archivo",
  "N°",
  "Tipo",
  "Folio",
  "Emisión",
  "RUT emisor",
  "Emisor",
  "RUT receptor",
  "Receptor",
  "Total",
  "Veredicto",
  "Código",
  "Gravedad",
  "Código SII",
  "Quién actúa",
  "Hallazgo",
  "Qué hacer",
  "Campo",
  "Línea",
];
const PARTIES = { issuer: "Emisor", receiver: "Receptor" };

const button = (label, iconName, act) =>
  el(
    "button",
    { class: "button button-small button-quiet", type: "button", on: { click: act } },
    icon(iconName),
    label,
  );

/** The buttons of a report. `answers` gives what was judged: one answer for each document. */
export function takeAlong(name, { answers, whole, words }) {
  const stem = name.replace(/\.[^.]*$/, "").replace(/[^\p{L}\p{N}_-]+/gu, "-") || "validacion";
  return el(
    "div",
    { class: "take-along", role: "group", "aria-label": "Llevarse el informe" },
    button("Imprimir", "print", () => print()),
    button("CSV", "download", () =>
      save(`${stem}.csv`, "text/csv;charset=utf-8", csvOf(answers(), words())),
    ),
    button("JSON", "download", () =>
      save(`${stem}.json`, "application/json", JSON.stringify(whole(), null, 2)),
    ),
  );
}

/** One line for each finding, one for a document without any; as spreadsheets in Chile read it. */
export function csvOf(answers, words) {
  const lines = answers.flatMap((answer) => {
    const before = describe(answer, words);
    // A row of the history has the codes alone.
    const findings = answer.findings ?? answer.codes?.map((code) => ({ code })) ?? [];
    if (!findings.length) return [[...before, ...Array.from({ length: 8 }, () => "")]];
    return findings.map((finding) => before.concat(detail(finding, words)));
  });
  return `\ufeff${[COLUMNS, ...lines].map((line) => line.map(cell).join(";")).join("\r\n")}\r\n`;
}

function describe({ file, number, document: summary, title, recommendation }, { verdicts }) {
  const { type, type_name: name, folio, issue_date: date, issuer, receiver, total } = summary ?? {};
  return [
    file,
    number,
    title ?? [name, type && `(${type})`].filter(Boolean).join(" "),
    folio,
    date,
    issuer?.rut,
    issuer?.name,
    receiver?.rut,
    receiver?.name,
    total,
    verdicts[recommendation]?.title ?? recommendation,
  ];
}

const detail = (finding, { severities }) => [
  finding.code,
  severities[finding.severity]?.title ?? finding.severity,
  finding.sii_code,
  PARTIES[finding.responsible],
  finding.message,
  finding.fix,
  finding.path,
  finding.line,
];

/** Quoted where needed; a text that a spreadsheet would take for a formula is kept a text. */
function cell(value) {
  const text = value === null || value === undefined ? "" : String(value);
  const safe = /^[=+\-@\t\r]/.test(text) && !/^-?[\d.,]+$/.test(text) ? `'${text}` : text;
  return /[;"\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** On paper nothing can be unfolded: everything in view is, while it is printed. */
export function unfoldForPrint() {
  let unfolded = [];
  addEventListener("beforeprint", () => {
    const folded = document.querySelectorAll("#result details:not([open])");
    unfolded = [...folded].filter((details) => !details.hidden);
    for (const details of unfolded) {
      details.dispatchEvent(new Event("unfold")); // draws what is inside at once
      details.open = true;
    }
  });
  addEventListener("afterprint", () => {
    for (const details of unfolded) details.open = false;
  });
}
