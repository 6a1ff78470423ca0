/** The document beside its findings: numbered lines, light colours, marks where findings point. */

import { counted, el, formatNumber, scrollBehavior } from "../dom.js";
import { FieldIndex, rowsOf } from "./outline.js";

const COLOURED_UP_TO = 400_000; // characters; a larger document is shown in one colour
const CHUNK = 100; // rows laid out together, and skipped together while out of view

const XML_TOKEN =
  /(<!--.*?(?:-->|$)|<\?.*?\?>)|(<\/?[\w:.-]+)|([\w:.-]+)(=)("[^"]*"|'[^']*')|(\/?>)/g;

/** Shows one document; `onPick(finding)` is called when the visitor picks a marked row. */
export class SourceView {
  constructor({ name, text, kind, bytes }, onPick) {
    this.onPick = onPick;
    this.rows = rowsOf(text, kind);
    this.fields = kind === "xml" ? new FieldIndex(text) : null;
    const coloured = kind === "xml" && text.length <= COLOURED_UP_TO;
    this.nodes = this.rows.map((row, index) =>
      rowNode(row, row.line !== this.rows[index - 1]?.line, coloured),
    );
    this.code = el("div", {
      class: "source-code",
      tabindex: "0",
      role: "region",
      "aria-label": "Contenido del documento",
    });
    for (let from = 0; from < this.nodes.length; from += CHUNK) {
      this.code.append(el("div", { class: "source-chunk" }, this.nodes.slice(from, from + CHUNK)));
    }
    this.node = el(
      "section",
      { class: "source-view", "aria-label": "Documento" },
      el(
        "header",
        { class: "source-head" },
        el("span", { class: "source-name", title: name }, name),
        el(
          "span",
          { class: "source-size" },
          `${counted(this.rows.at(-1).line, "línea", "líneas")} · ${sizeOf(bytes.length)}`,
        ),
      ),
      this.code,
    );
  }

  /**
   * The row a finding points to, or null: its field's, else the service's line. A missing field of
   * a broken line is looked for around where it should be, since its line says little.
   */
  rowOf({ path, line, document = 1 }) {
    const exact =
      this.fields && path && (this.fields.find(document, path) ?? this.fields.find(0, path));
    if (exact !== null && exact !== undefined && exact !== "") return this.rowAt(exact);
    const first = line ? this.rows.findIndex((row) => row.line === line) : -1;
    if (first >= 0 && !this.isBroken(first)) return first;
    const around = this.fields && path ? this.fields.around(document, path) : null;
    if (around !== null) return this.rowAt(around);
    return first >= 0 ? first : null;
  }

  /** Where that is, in words for a button; null when it is nowhere to be seen. */
  placeOf(finding) {
    const row = this.rowOf(finding);
    if (row === null) return null;
    return this.isBroken(row)
      ? "Ver en el documento"
      : `Línea ${formatNumber(this.rows[row].line)}`;
  }

  isBroken(row) {
    const { line } = this.rows[row];
    return this.rows[row + 1]?.line === line || this.rows[row - 1]?.line === line;
  }

  rowAt(offset) {
    let low = 0;
    let high = this.rows.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.rows[middle].start <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Mark the row of a finding; the first to mark a row, the gravest, gives its colour. */
  mark(finding, severity) {
    const node = this.nodes[this.rowOf(finding) ?? -1];
    if (!node || node.dataset.severity) return;
    node.dataset.severity = severity;
    const number = node.firstChild.textContent;
    node.firstChild.replaceWith(
      el(
        "button",
        { class: "source-gutter", type: "button", "aria-label": `Ver el hallazgo ${finding.code}` },
        number || "•",
      ),
    );
    node.addEventListener("click", () => this.onPick(finding));
  }

  /** Show the row of a finding in the upper part of the view, set off from the others. */
  show(finding) {
    const node = this.nodes[this.rowOf(finding) ?? -1];
    if (!node) return;
    this.code.querySelector(".is-shown")?.classList.remove("is-shown");
    node.classList.add("is-shown");
    const top = node.getBoundingClientRect().top - this.code.getBoundingClientRect().top;
    this.code.scrollTo({
      top: this.code.scrollTop + top - this.code.clientHeight / 3,
      behavior: scrollBehavior(),
    });
  }
}

function rowNode({ line, text, depth }, first, coloured) {
  const content = el("span", { class: "source-row" }, coloured ? colour(text) : text || " ");
  if (depth) content.style.paddingInlineStart = `${Math.min(depth, 8)}em`;
  return el(
    "div",
    { class: "source-line" },
    el("span", { class: "source-gutter", "aria-hidden": "true" }, first && line),
    content,
  );
}

/** A row of XML as coloured spans; what matches nothing is plain text. */
function colour(text) {
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(XML_TOKEN)) {
    if (match.index > at) nodes.push(text.slice(at, match.index));
    const [whole, remark, , attribute, equals, value] = match;
    if (remark) nodes.push(el("span", { class: "x-remark" }, remark));
    else if (attribute)
      nodes.push(
        el("span", { class: "x-name" }, attribute),
        equals,
        el("span", { class: "x-value" }, value),
      );
    else nodes.push(el("span", { class: "x-tag" }, whole));
    at = match.index + whole.length;
  }
  if (at < text.length || !text) nodes.push(text.slice(at) || " ");
  return nodes;
}

function sizeOf(bytes) {
  if (bytes < 1024) return counted(bytes, "byte", "bytes");
  const kilo = bytes / 1024;
  return kilo < 1024
    ? `${kilo.toFixed(1).replace(".", ",")} kB`
    : `${(kilo / 1024).toFixed(1).replace(".", ",")} MB`;
}
