/** What the key has had validated: searched, page by page, each answer a link away. */

import { ApiError, readValidations } from "../api.js";
import { el, icon } from "../dom.js";
import { formatMoment, formatMoney, formatRut } from "../format.js";
import { wordsFor } from "./verdicts.js";
import { isOtherFile } from "./file_view.js";

const VERDICTS = [
  ["", "Todos los veredictos"],
  ["reject", "No enviar o no aceptar"],
  ["review", "Revisar"],
  ["send", "En regla"],
];

export class HistoryView {
  /** @param {function(Object): void} open Shows the validation of a row. */
  constructor(open) {
    this.open = open;
    this.rows = el("tbody", {});
    this.status = el("p", { class: "nothing", role: "status" });
    this.more = el(
      "button",
      { class: "button", type: "button", hidden: true, on: { click: () => this.read(this.next) } },
      "Ver más antiguas",
    );
    this.form = filterForm();
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.start();
    });
    this.form.addEventListener("change", () => this.start());
    this.node = el(
      "div",
      { class: "history" },
      el("h2", { tabindex: "-1" }, "Validaciones anteriores"),
      this.form,
      el(
        "div",
        { class: "sheet-scroller", tabindex: "0", role: "region", "aria-label": "Validaciones" },
        el(
          "table",
          { class: "history-table" },
          el(
            "thead",
            {},
            el(
              "tr",
              {},
              HEADINGS.map((name) => el("th", { scope: "col" }, name)),
            ),
          ),
          this.rows,
        ),
      ),
      this.status,
      this.more,
    );
  }

  start() {
    this.rows.replaceChildren();
    return this.read();
  }

  async read(next) {
    this.asked = (this.asked ?? 0) + 1;
    const mine = this.asked;
    this.status.textContent = "Cargando…";
    this.more.hidden = true;
    try {
      const given = [...new FormData(this.form)].filter(([, value]) => value.trim());
      const page = await readValidations(Object.fromEntries(given), next);
      if (mine !== this.asked) return; // a later search is on its way
      this.rows.append(...page.results.map((row) => this.rowOf(row)));
      this.next = page.next;
      this.more.hidden = !page.next;
      this.status.textContent = this.rows.childElementCount ? "" : "No hay validaciones así.";
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.status.textContent = error.message;
    }
  }

  rowOf(row) {
    const { kind, mode, document: summary, recommendation, created_at: at, codes } = row;
    const words = wordsFor(isOtherFile(row) ? "file" : mode);
    const known = [
      summary.type_name || (kind !== "DTE" && kind),
      summary.folio && `N° ${summary.folio}`,
    ];
    const name = known.filter(Boolean).join(" ") || "Archivo que no se pudo leer";
    return el(
      "tr",
      {},
      el("td", { class: "unbroken" }, formatMoment(at)),
      el(
        "td",
        {},
        el("button", { class: "link", type: "button", on: { click: () => this.open(row) } }, name),
        codes.length > 0 && el("span", { class: "document-file" }, codes.slice(0, 4).join(", ")),
      ),
      partyCell(summary.issuer),
      partyCell(summary.receiver),
      el("td", { class: "unbroken align-end" }, formatMoney(summary.total, summary.currency)),
      el(
        "td",
        {},
        el(
          "span",
          { class: "chip", data: { verdict: recommendation } },
          words.verdicts[recommendation].title,
        ),
      ),
    );
  }
}

const HEADINGS = ["Fecha", "Documento", "Emisor", "Receptor", "Total", "Veredicto"];

const partyCell = (party) =>
  el(
    "td",
    {},
    party?.rut && el("span", { class: "unbroken" }, formatRut(party.rut)),
    party?.name && el("span", { class: "document-file" }, party.name),
  );

const field = (name, label, props) =>
  el(
    "label",
    { class: "filter-field" },
    el("span", {}, label),
    el("input", { class: "field", name, autocomplete: "off", ...props }),
  );

function filterForm() {
  return el(
    "form",
    { class: "filter", role: "search" },
    field("folio", "Folio", { inputmode: "numeric", maxlength: 20 }),
    field("emisor", "RUT emisor", { maxlength: 16 }),
    field("desde", "Desde", { type: "date" }),
    field("hasta", "Hasta", { type: "date" }),
    el(
      "label",
      { class: "filter-field" },
      el("span", {}, "Veredicto"),
      el(
        "select",
        { class: "field", name: "recommendation" },
        VERDICTS.map(([value, label]) => el("option", { value }, label)),
      ),
    ),
    el("button", { class: "button", type: "submit" }, icon("search"), "Buscar"),
  );
}
