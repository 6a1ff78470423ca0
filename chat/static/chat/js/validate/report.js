/** The service's report on one submission, with its document beside it. */

import { documentsList } from "./documents.js";
import { takeAlong } from "./download.js";
import { el, scrollBehavior } from "../dom.js";
import { findingsList, reviewNote, summaryOf, verdictBanner } from "./findings.js";
import { SourceView } from "./source_view.js";
import { bySeverity } from "./verdicts.js";

export class ReportView {
  /**
   * @param {Object} taken The document, as `document.js` describes it; of a report read again from
   *   the history only its name is known.
   * @param {Object} report The service's answer.
   * @param {Object} words What to call things, as of `wordsFor`.
   * @param {function(Object): void} ask Asks the assistant about a finding.
   */
  constructor(taken, report, words, ask) {
    this.cards = new Map();
    this.holders = new Map();
    this.source = taken.bytes ? new SourceView(taken, (finding) => this.showCard(finding)) : null;
    const actions = {
      words,
      placeOf: (finding) => this.source?.placeOf(finding),
      locate: (finding) => this.showSource(finding),
      ask,
      drawn: (finding, card) => this.cards.set(finding, card),
      held: (finding, holder) => this.holders.set(finding, holder),
    };
    const own = report.findings ?? [];
    const documents = (report.documents ?? []).map(withNumbers);
    const groups = bySeverity([...own, ...documents.flatMap((one) => one.findings ?? [])]);
    this.findings = groups.flatMap(([, group]) => group);
    for (const [severity, group] of groups) {
      for (const finding of group) this.source?.mark(finding, severity);
    }
    this.banner = verdictBanner(report, this.findings, words);
    this.main = el(
      "div",
      {},
      takeAlong(taken.name, {
        answers: () => (documents.length ? [report, ...documents] : [report]),
        whole: () => report,
        words: () => words,
      }),
      this.banner,
      summaryOf(report.document),
      reviewNote(report.review?.status ? report.review : null),
      findingsList(own, actions),
      documents.length > 0 && documentsList(documents, actions),
    );
  }

  /** Show where the gravest finding is; call it once the nodes are in the page. */
  start() {
    const first = this.findings.find((finding) => this.source?.placeOf(finding));
    if (first) this.source.show(first);
  }

  showSource(finding) {
    this.source.show(finding);
    this.source.node.scrollIntoView({ block: "nearest", behavior: scrollBehavior() });
  }

  showCard(finding) {
    this.holders.get(finding)?.open();
    const card = this.cards.get(finding);
    card.closest("details")?.removeAttribute("hidden");
    card.scrollIntoView({ block: "center", behavior: scrollBehavior() });
    card.classList.remove("is-shown");
    requestAnimationFrame(() => card.classList.add("is-shown"));
  }
}

/** Findings of a document in an envelope say which one, so that their fields can be found. */
const withNumbers = (one) => ({
  ...one,
  findings: one.findings?.map((finding) => ({ ...finding, document: one.number })),
});
