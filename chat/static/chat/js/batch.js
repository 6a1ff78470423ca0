/** Many documents at once: progress while they are judged, then each under its verdict. */

import { documentNode } from "./documents.js";
import { announce, counted, el, formatNumber } from "./dom.js";
import { fileBody } from "./file_view.js";
import { verdictBanner } from "./findings.js";
import { wordsFor } from "./verdicts.js";

export class BatchView {
  /** @param {Object} actions As documents take them. */
  constructor(name, actions) {
    this.actions = actions;
    this.counts = {};
    this.progress = el("progress", { "aria-label": "Avance" });
    this.status = el("p", {}, "Leyendo el archivo…");
    this.head = el(
      "div",
      { class: "batch-progress" },
      el("h2", {}, name),
      this.progress,
      this.status,
    );
    this.groups = Object.fromEntries(
      Object.entries(actions.words.verdicts).map(([verdict, { group }]) => [
        verdict,
        new Group(verdict, group),
      ]),
    );
    this.node = el(
      "div",
      { class: "batch" },
      this.head,
      Object.values(this.groups).map((group) => group.node),
    );
  }

  /** Take in one line of the answer: an envelope's is no document, an unreadable file is one. */
  add(line) {
    if (["document", "envelope", "file"].includes(line.type)) this.addDocument(line);
    if (line.type === "summary") this.finish(line);
    if (line.type === "error") this.status.textContent = line.detail;
  }

  addDocument(line) {
    if (line.type === "file") this.speakOfFiles();
    this.groups[line.recommendation].add(documentNode(line, this.actions));
    if (line.type !== "envelope")
      this.counts[line.recommendation] = (this.counts[line.recommendation] ?? 0) + 1;
    if (!line.total) return;
    this.progress.max = line.total;
    this.progress.value = line.done;
    const total = counted(line.total, "archivo", "archivos");
    this.status.textContent = `${formatNumber(line.done)} de ${total}`;
  }

  /** A ZIP with other files than documents: none of them is to be sent or accepted. */
  speakOfFiles() {
    this.actions = { ...this.actions, words: wordsFor("file") };
    for (const [verdict, { group }] of Object.entries(this.actions.words.verdicts)) {
      this.groups[verdict].title.textContent = group;
    }
  }

  finish({ recommendation, codes, files = 0, together = [] }) {
    const documents = Object.values(this.counts).reduce((sum, count) => sum + count, 0);
    const words = Object.entries(this.actions.words.verdicts)
      .filter(([verdict]) => this.counts[verdict])
      .map(([verdict, { title }]) => `${title}: ${formatNumber(this.counts[verdict])}`);
    const frequent = Object.entries(codes)
      .slice(0, 6)
      .flatMap(([code, count], index) => [
        index ? ", " : " Códigos más frecuentes: ",
        el("span", { class: "unbroken" }, `${code} (${formatNumber(count)})`),
      ]);
    const total = files
      ? counted(documents, "archivo", "archivos")
      : counted(documents, "documento", "documentos");
    const statement = [`${total}. ${words.join(", ")}.`, ...frequent, frequent.length > 0 && "."];
    const banner = verdictBanner(
      { recommendation, valid_for_sii: statement },
      [],
      this.actions.words,
    );
    this.head.replaceWith(banner, ...together.map((one) => wholeOf(one, this.actions)));
    announce(banner.innerText);
  }
}

/** What several files of one kind show only together. */
const wholeOf = (one, actions) =>
  el(
    "section",
    { class: "whole" },
    el("h3", {}, one.headline),
    el("p", {}, one.valid_for_sii.statement),
    ...fileBody(one, actions),
  );

/** The documents that share a verdict; hidden while there are none. */
class Group {
  constructor(verdict, title) {
    this.count = el("span", { class: "chip", data: { verdict } }, "0");
    this.title = el("span", {}, title);
    this.node = el(
      "section",
      { class: "documents", hidden: true },
      el("h3", {}, this.title, this.count),
    );
  }

  add(node) {
    this.node.append(node);
    this.node.hidden = false;
    this.count.textContent = formatNumber(this.node.childElementCount - 1);
  }
}
