/** The document beside its findings: numbered lines, light colours, marks where findings point. */

import { counted, el, scrollBehavior } from "./dom.js";

const COLOURED_UP_TO = 400_000; // characters; a larger document is shown in one colour
const CHUNK = 100; // lines laid out together, and skipped together while out of view

const XML_TOKEN = /(<!--.*?(?:-->|$)|<\?.*?\?>)|(<\/?[\w:.-]+)|([\w:.-]+)(=)("[^"]*"|'[^']*')|(\/?>)/g;

/** Shows one document; `onMark(line)` is called when the visitor picks a marked line. */
export class SourceView {
  constructor({ name, text, kind, bytes }, onMark) {
    this.onMark = onMark;
    this.lines = [];
    const code = el("div", { class: "source-code", tabindex: "0", role: "region", "aria-label": "Contenido del documento" });
    const rows = text.split(/\r\n|\n|\r/);
    const coloured = kind === "xml" && text.length <= COLOURED_UP_TO;
    for (let from = 0; from < rows.length; from += CHUNK) {
      code.append(el("div", { class: "source-chunk" },
        rows.slice(from, from + CHUNK).map((row, index) => this.line(row, from + index + 1, coloured))));
    }
    this.code = code;
    this.node = el("section", { class: "source-view", "aria-label": "Documento" },
      el("header", { class: "source-head" },
        el("span", { class: "source-name", title: name }, name),
        el("span", { class: "source-size" }, `${counted(rows.length, "línea", "líneas")} · ${sizeOf(bytes.length)}`)),
      code);
  }

  line(text, number, coloured) {
    const node = el("div", { class: "source-line", data: { line: number } },
      el("span", { class: "source-gutter", "aria-hidden": "true" }, String(number)),
      el("span", { class: "source-row" }, coloured ? colour(text) : text || " "));
    this.lines.push(node);
    return node;
  }

  /** Mark a line with the gravest severity among the findings that point to it. */
  mark(number, severity) {
    const line = this.lines[number - 1];
    if (!line || line.dataset.severity) return;
    line.dataset.severity = severity;
    line.firstChild.replaceWith(el("button", {
      class: "source-gutter", type: "button", "aria-label": `Línea ${number}: ver el hallazgo`,
    }, number));
    line.addEventListener("click", () => this.onMark(number));
  }

  has(number) {
    return Boolean(this.lines[number - 1]);
  }

  /** Show a line in the middle of the view and set it off from the others. */
  show(number) {
    this.code.querySelector(".is-shown")?.classList.remove("is-shown");
    const line = this.lines[number - 1];
    line.classList.add("is-shown");
    const top = line.getBoundingClientRect().top - this.code.getBoundingClientRect().top;
    this.code.scrollTo({
      top: this.code.scrollTop + top - this.code.clientHeight / 3,
      behavior: scrollBehavior(),
    });
  }
}

/** A line of XML as coloured spans; what matches nothing is plain text. */
function colour(text) {
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(XML_TOKEN)) {
    if (match.index > at) nodes.push(text.slice(at, match.index));
    const [whole, remark, tag, attribute, equals, value] = match;
    if (remark) nodes.push(el("span", { class: "x-remark" }, remark));
    else if (attribute) nodes.push(el("span", { class: "x-name" }, attribute), equals, el("span", { class: "x-value" }, value));
    else nodes.push(el("span", { class: "x-tag" }, whole));
    at = match.index + whole.length;
  }
  if (at < text.length || !text) nodes.push(text.slice(at) || " ");
  return nodes;
}

function sizeOf(bytes) {
  if (bytes < 1024) return counted(bytes, "byte", "bytes");
  const kilo = bytes / 1024;
  return kilo < 1024 ? `${kilo.toFixed(1).replace(".", ",")} kB` : `${(kilo / 1024).toFixed(1).replace(".", ",")} MB`;
}
