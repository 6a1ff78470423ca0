/** The validation tab: takes a document in, shows what the service found in it. */

import { ApiError, validateDocument } from "./api.js";
import { fromFile, fromText } from "./document.js";
import { announce, byId, counted, el, icon, scrollBehavior } from "./dom.js";
import { bySeverity, findingsList, summaryOf, verdictBanner } from "./findings.js";
import { SourceView } from "./source_view.js";

const LARGEST = 5 * 1024 * 1024;

/** Wire the validation panel; `ask(question)` moves to the assistant with a prepared question. */
export function setUpValidation({ ask }) {
  const validation = new Validation(ask);
  const file = byId("file");
  byId("choose").addEventListener("click", () => file.click());
  file.addEventListener("change", async () => {
    if (file.files.length) await validation.take(() => fromFile(file.files[0]));
    file.value = "";
  });
  setUpPasting(validation);
  setUpDropping(validation);
  for (const sample of document.querySelectorAll("[data-sample]")) {
    // A sample is judged on its own day, or it would be found old ever after.
    const { sample: address, asOf } = sample.dataset;
    sample.addEventListener("click", () => validation.take(() => readSample(address), { as_of: asOf }));
  }
}

function setUpPasting(validation) {
  const toggle = byId("paste");
  const form = byId("paste-form");
  toggle.addEventListener("click", () => {
    form.hidden = !form.hidden;
    toggle.setAttribute("aria-expanded", String(!form.hidden));
    if (!form.hidden) byId("pasted").focus();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = byId("pasted").value;
    if (text.trim()) validation.take(() => fromText(text));
  });
}

function setUpDropping(validation) {
  const panel = byId("panel-validate");
  const carriesFile = (event) => event.dataTransfer?.types.includes("Files");
  panel.addEventListener("dragover", (event) => {
    if (!carriesFile(event)) return;
    event.preventDefault();
    panel.classList.add("is-dragging");
  });
  panel.addEventListener("dragleave", (event) => {
    if (!panel.contains(event.relatedTarget)) panel.classList.remove("is-dragging");
  });
  panel.addEventListener("drop", (event) => {
    panel.classList.remove("is-dragging");
    if (!carriesFile(event)) return;
    event.preventDefault();
    validation.take(() => fromFile(event.dataTransfer.files[0]));
  });
}

async function readSample(address) {
  const response = await fetch(address);
  const blob = await response.blob();
  return fromFile(new File([blob], address.split("/").pop()));
}

class Validation {
  constructor(ask) {
    this.askAssistant = ask;
    this.turn = 0;
  }

  /** Validate what `read` returns; a later document overtakes an earlier one still on its way. */
  async take(read, params = {}) {
    const turn = (this.turn += 1);
    this.showError(null);
    byId("panel-validate").setAttribute("aria-busy", "true");
    let taken = null;
    try {
      taken = await read();
      if (taken.bytes.length > LARGEST) throw new ApiError(413, "El documento supera los 5 MB.");
      const report = await validateDocument(taken.bytes, taken.contentType, params);
      if (turn === this.turn) this.show(taken, report);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (turn !== this.turn) return;
      // A document that cannot be read is refused with the findings that say why.
      if (taken && error.body.findings) this.show(taken, { recommendation: "reject", ...error.body });
      else this.showError(error);
    } finally {
      if (turn === this.turn) byId("panel-validate").removeAttribute("aria-busy");
    }
  }

  showError(error) {
    const box = byId("intake-error");
    box.replaceChildren();
    if (!error) return;
    const wait = error.retryAfter ? ` Podrá reintentar en ${counted(error.retryAfter, "segundo", "segundos")}.` : "";
    box.append(el("div", { class: "failure" }, icon("alert"), el("p", {}, error.message + wait)));
    this.showIntake();
  }

  showIntake() {
    byId("result").hidden = true;
    byId("intake").hidden = false;
  }

  show(taken, report) {
    const documents = report.documents ?? [];
    // A finding of a document in an envelope says which one, so that its fields can be found.
    const inside = documents.map((one) =>
      ({ ...one, findings: (one.findings ?? []).map((finding) => ({ ...finding, document: one.number })) }));
    const own = report.findings ?? [];
    const all = bySeverity([...own, ...inside.flatMap((one) => one.findings)]);
    const findings = all.flatMap(([, group]) => group);
    const view = new SourceView(taken, (finding) => this.showFinding(finding));
    for (const [severity, group] of all) group.forEach((finding) => view.mark(finding, severity));
    this.cards = new Map();
    this.holders = new Map();
    const banner = verdictBanner(report, findings);
    const actions = {
      placeOf: (finding) => view.placeOf(finding),
      locate: (finding) => this.locate(view, finding),
      ask: (finding) => this.askAssistant(questionAbout(finding, report)),
      drawn: (finding, card) => this.cards.set(finding, card),
      held: (finding, holder) => this.holders.set(finding, holder),
    };
    byId("result").replaceChildren(
      el("div", { class: "result-main" },
        el("button", { class: "button button-small again", type: "button", on: { click: () => this.startOver() } },
          icon("back"), "Validar otro documento"),
        banner,
        ...[summaryOf(report.document)].filter(Boolean),
        ...findingsList(own, actions),
        ...(inside.length ? [documentsList(inside, actions)] : [])),
      view.node,
    );
    byId("intake").hidden = true;
    byId("result").hidden = false;
    byId("result").parentElement.scrollTop = 0;
    banner.querySelector("h2").focus({ preventScroll: true });
    announce(banner.innerText);
    const first = findings.find((finding) => view.rowOf(finding) !== null);
    if (first) view.show(first);
  }

  startOver() {
    this.showIntake();
    byId("choose").focus();
  }

  locate(view, finding) {
    view.show(finding);
    view.node.scrollIntoView({ block: "nearest", behavior: scrollBehavior() });
  }

  showFinding(finding) {
    this.holders.get(finding)?.open();
    const card = this.cards.get(finding);
    card.scrollIntoView({ block: "center", behavior: scrollBehavior() });
    card.classList.remove("is-shown");
    requestAnimationFrame(() => card.classList.add("is-shown"));
  }
}

const OPEN_AT_FIRST = 3; // documents with faults; a long envelope would bury the rest

/** The documents of an envelope, each with its own verdict; what is inside is drawn when opened. */
function documentsList(documents, actions) {
  const faulty = documents.filter((one) => one.recommendation === "reject").slice(0, OPEN_AT_FIRST);
  return el("section", { class: "documents", "aria-label": "Documentos del envío" },
    el("h3", {}, counted(documents.length, "documento en el envío", "documentos en el envío")),
    documents.map((one) => documentNode(one, faulty.includes(one), actions)));
}

function documentNode({ number, document: summary, recommendation, findings }, opened, actions) {
  const { type_name: name, folio } = summary ?? {};
  const node = el("details", { class: "document" },
    el("summary", {},
      icon("chevron"),
      el("span", { class: "document-name" }, [name || `Documento ${number}`, folio && `N° ${folio}`].filter(Boolean).join(" ")),
      el("span", { class: "chip", data: { verdict: recommendation } }, VERDICT_NAMES[recommendation])));
  const draw = () => {
    if (node.childElementCount > 1) return;
    const drawn = findings.length ? findingsList(findings, actions) : [el("p", { class: "nothing" }, "Sin hallazgos.")];
    node.append(...[summaryOf(summary), ...drawn].filter(Boolean));
  };
  const holder = {
    open() {
      draw();
      node.open = true;
    },
  };
  findings.forEach((finding) => actions.held(finding, holder));
  node.addEventListener("toggle", draw);
  if (opened) holder.open();
  return node;
}

const VERDICT_NAMES = { send: "Enviar", review: "Revisar", reject: "No enviar" };

function questionAbout({ code, message, path }, { document: summary }) {
  const kind = summary?.type_name ? ` de una ${summary.type_name}` : "";
  const field = path ? ` (campo ${path})` : "";
  return `Al validar el XML${kind} apareció el hallazgo ${code}${field}: «${message}» ¿Qué significa y cómo lo corrijo?`;
}
