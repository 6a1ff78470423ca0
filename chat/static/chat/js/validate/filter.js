/** Finding one document among many: words to search for and verdicts to keep. */

import { el, formatNumber } from "../dom.js";

const WORTH_A_FILTER = 6; // documents; fewer are seen at a glance

const plain = (text) =>
  text
    .normalize("NFD")
    .replace(/\p{Diacritic}/gu, "")
    .replace(/(?<=\d)\.(?=\d)/g, "")
    .toLowerCase();

/** Filters the rows given to `add`; hidden while there are few of them. */
export class DocumentFilter {
  /** @param {Object} words As of `wordsFor`. */
  constructor({ verdicts }) {
    this.rows = [];
    this.input = el("input", {
      class: "field",
      type: "search",
      placeholder: "Folio, RUT, nombre, código o archivo",
      "aria-label": "Buscar entre los documentos",
      autocomplete: "off",
      on: { input: () => this.apply() },
    });
    this.choice = el(
      "select",
      { class: "field", "aria-label": "Veredicto", on: { change: () => this.apply() } },
      el("option", { value: "" }, "Todos los veredictos"),
      Object.entries(verdicts).map(([value, { title }]) => el("option", { value }, title)),
    );
    this.count = el("span", { class: "filter-count", role: "status" });
    this.node = el(
      "div",
      { class: "filter", role: "search", hidden: true },
      this.input,
      this.choice,
      this.count,
    );
  }

  /** @param {string} text What the row can be found by. */
  add(node, text, verdict) {
    const row = { node, text: plain(text), verdict };
    this.rows.push(row);
    this.node.hidden = this.rows.length < WORTH_A_FILTER;
    row.node.hidden = !this.isWanted(row);
    this.showCount();
  }

  isWanted({ text, verdict }) {
    const words = plain(this.input.value).split(/\s+/).filter(Boolean);
    const { value } = this.choice;
    return (!value || value === verdict) && words.every((word) => text.includes(word));
  }

  apply() {
    for (const row of this.rows) row.node.hidden = !this.isWanted(row);
    this.showCount();
  }

  showCount() {
    const shown = this.rows.filter(({ node }) => !node.hidden).length;
    const all = this.rows.length;
    this.count.textContent = shown === all ? "" : `${formatNumber(shown)} de ${formatNumber(all)}`;
  }
}

/** What a document can be found by: its facts, its file and the codes of its findings. */
export function searchable({ file, document: summary, title, headline, findings, codes }) {
  const { type_name: type, folio, issuer, receiver, issue_date: date } = summary ?? {};
  const raised = codes ?? (findings ?? []).map(({ code }) => code);
  const parties = [issuer, receiver].flatMap((party) => [party?.rut, party?.name]);
  return [file, title, headline, type, folio, date, ...parties, ...raised]
    .filter(Boolean)
    .join(" ");
}
