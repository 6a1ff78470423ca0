/** Many documents at once: progress while they are judged, then each under its verdict. */

import { documentNode } from "./documents.js";
import { takeAlong } from "./download.js";
import { announce, counted, el, formatNumber } from "../dom.js";
import { fileBody } from "./file_view.js";
import { DocumentFilter, searchable } from "./filter.js";
import { verdictBanner } from "./findings.js";
import { wordsFor } from "./verdicts.js";

const BEFORE_THEM = "envelope"; // the group of envelopes, which are no documents
const WORST_FIRST = ["reject", "review", "send"];

export class BatchView {
  /**
   * @param {string} name Of the file, or of how many.
   * @param {Object} actions As documents take them, and `cancel`.
   * @param {number} parts In how many requests the files are judged.
   */
  constructor(name, actions, parts = 1) {
    this.name = name;
    this.actions = actions;
    this.parts = { all: parts, done: 0 };
    this.answers = [];
    this.summaries = [];
    this.counts = {};
    this.envelopes = 0;
    this.judged = 0;
    this.progress = el("progress", { "aria-label": "Avance" });
    this.status = el("p", {}, "Leyendo…");
    this.head = el(
      "div",
      { class: "batch-progress" },
      el("h2", {}, name),
      this.progress,
      el(
        "div",
        { class: "batch-status" },
        this.status,
        el(
          "button",
          { class: "button button-small", type: "button", on: { click: actions.cancel } },
          "Cancelar",
        ),
      ),
    );
    this.filter = new DocumentFilter(actions.words);
    this.groups = Object.fromEntries(
      Object.entries(actions.words.verdicts).map(([verdict, { group }]) => [
        verdict,
        new Group(verdict, group),
      ]),
    );
    this.groups[BEFORE_THEM] = new Group("", "Sobres en que venían");
    this.taking = takeAlong(name, {
      answers: () => this.answers,
      whole: () => ({ documents: this.answers, summaries: this.summaries }),
      words: () => this.actions.words,
    });
    this.taking.hidden = true; // until there is all of it
    this.node = el(
      "div",
      { class: "batch" },
      this.taking,
      this.head,
      this.filter.node,
      Object.values(this.groups).map((group) => group.node),
    );
  }

  /** Take in one line of the answer. Of an error in a part, the rest is still shown. */
  add(line) {
    if (["document", "envelope", "file"].includes(line.type)) this.addDocument(line);
    if (line.type === "summary") this.addSummary(line);
    if (line.type === "error") this.warn(line.detail);
  }

  addDocument(line) {
    if (line.type === "file") this.speakOfFiles();
    this.answers.push(line);
    const node = documentNode(line, this.actions);
    const envelope = line.type === "envelope";
    this.groups[envelope ? BEFORE_THEM : line.recommendation].add(node);
    this.filter.add(node, searchable(line), line.recommendation);
    if (envelope) {
      this.envelopes += 1;
      return;
    }
    this.judged += 1;
    this.counts[line.recommendation] = (this.counts[line.recommendation] ?? 0) + 1;
    if (line.total) this.showProgress(line);
  }

  /** By files, whose number is known from the start; in a single file, by its documents. */
  showProgress({ done, total, file_number: file = 1, file_count: files = 1 }) {
    const [at, all] = files > 1 ? [file, files] : [done, total];
    const { done: partsDone, all: parts } = this.parts;
    this.progress.max = parts;
    this.progress.value = partsDone + at / all;
    const part = parts > 1 ? `Parte ${partsDone + 1} de ${parts} · ` : "";
    this.status.textContent =
      files > 1
        ? `${part}Archivo ${formatNumber(file)} de ${formatNumber(files)} · ` +
          `${counted(this.judged, "revisado", "revisados")}`
        : `${part}${formatNumber(done)} de ${counted(total, "documento", "documentos")}`;
  }

  /** A ZIP with other files than documents: none of them is to be sent or accepted. */
  speakOfFiles() {
    this.actions = { ...this.actions, words: wordsFor("file") };
    for (const [verdict, { group }] of Object.entries(this.actions.words.verdicts)) {
      this.groups[verdict].title.textContent = group;
    }
  }

  addSummary(summary) {
    this.summaries.push(summary);
    this.parts.done += 1;
    if (this.parts.done === this.parts.all) this.finish();
  }

  /** Some of it could not be judged: said above what could. */
  warn(detail) {
    this.head.before(el("div", { class: "failure", role: "alert" }, el("p", {}, detail)));
  }

  /** Close before the end: what was judged until then stays. */
  interrupt(reason) {
    const said = counted(this.judged, "archivo o documento", "archivos o documentos");
    this.warn(`${reason} Se alcanzaron a revisar ${said}: el resto falta.`);
    if (this.judged) this.finish();
    else this.head.remove();
  }

  finish() {
    const recommendation = WORST_FIRST.find((verdict) =>
      this.answers.some((answer) => answer.recommendation === verdict),
    );
    const banner = verdictBanner(
      { recommendation, valid_for_sii: [...this.statement(), ...this.frequentCodes()] },
      [],
      this.actions.words,
    );
    const together = this.summaries.flatMap((summary) => summary.together ?? []);
    this.head.replaceWith(banner, ...together.map((one) => wholeOf(one, this.actions)));
    this.taking.hidden = false;
    announce(banner.innerText);
  }

  /** The same numbers as the groups below: envelopes apart, what could not be read counted in. */
  statement() {
    const files = this.answers.filter(({ type }) => type === "file").length;
    const unread = this.answers.filter((one) => one.type === "document" && !one.number).length;
    const documents = this.judged - files - unread;
    const found = [
      documents && counted(documents, "documento", "documentos"),
      files && counted(files, "archivo de otra clase", "archivos de otra clase"),
      unread && counted(unread, "archivo que no se pudo leer", "archivos que no se pudieron leer"),
    ].filter(Boolean);
    const inside = this.envelopes ? ` en ${counted(this.envelopes, "sobre", "sobres")}` : "";
    const verdicts = Object.entries(this.actions.words.verdicts)
      .filter(([verdict]) => this.counts[verdict])
      .map(([verdict, { group }]) => `${group}: ${formatNumber(this.counts[verdict])}`);
    return [`${listed(found)}${inside}. ${verdicts.join(", ")}.`];
  }

  frequentCodes() {
    const counts = new Map();
    for (const { findings, codes } of this.answers)
      for (const code of new Set(codes ?? findings.map((finding) => finding.code)))
        counts.set(code, (counts.get(code) ?? 0) + 1);
    const frequent = [...counts].toSorted(([, one], [, other]) => other - one).slice(0, 6);
    return frequent.flatMap(([code, count], index) => [
      index ? ", " : " Códigos más frecuentes: ",
      el("span", { class: "unbroken" }, `${code} (${formatNumber(count)})`),
      index === frequent.length - 1 && ".",
    ]);
  }
}

const listed = (parts) =>
  parts.length > 1 ? `${parts.slice(0, -1).join(", ")} y ${parts.at(-1)}` : (parts[0] ?? "Nada");

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
