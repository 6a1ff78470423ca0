/** The validation tab: takes a document in, has it judged, shows the outcome. */

import { ApiError, validateBatch, validateDocument, validateForm } from "./api.js";
import { BatchView } from "./batch.js";
import { fromFile, fromText } from "./document.js";
import { announce, byId, counted, el, icon } from "./dom.js";
import { fileView, isOtherFile } from "./file_view.js";
import { chosenMode, setUpMode } from "./mode.js";
import { receiverParams, setUpReceiver } from "./receiver.js";
import { ReportView } from "./report.js";
import { wordsFor } from "./verdicts.js";

const LARGEST = 32 * 1024 * 1024;
const LARGEST_ALONE = 5 * 1024 * 1024; // beyond it, or in a ZIP, documents are judged as a batch

/** Wire the validation panel; `ask(question)` moves to the assistant with a prepared question. */
export function setUpValidation({ ask }) {
  const validation = new Validation(ask);
  const file = byId("file");
  byId("choose").addEventListener("click", () => file.click());
  file.addEventListener("change", async () => {
    if (file.files.length) await validation.take(() => fromFile(file.files[0]));
    file.value = "";
  });
  setUpMode();
  setUpReceiver();
  setUpPasting(validation);
  setUpDropping(validation);
  for (const sample of document.querySelectorAll("[data-sample]")) {
    // A sample is judged on its own day, or it would be found old ever after, and is nobody's.
    const { sample: address, asOf } = sample.dataset;
    sample.addEventListener("click", () =>
      validation.take(
        () => readSample(address),
        () => ({ as_of: asOf }),
      ),
    );
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

const carriesFile = (event) => event.dataTransfer?.types.includes("Files");

function setUpDropping(validation) {
  const panel = byId("panel-validate");
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
    this.controller = new AbortController();
  }

  /** Validate what `read` returns; a later document cuts off an earlier one still on its way. */
  async take(read, paramsOf = receiverParams) {
    this.controller.abort();
    const params = paramsOf();
    if (!params) {
      this.showIntake();
      byId("receiver").focus();
      return;
    }
    this.controller = new AbortController();
    const { signal } = this.controller;
    const panel = byId("panel-validate");
    this.showError(null);
    panel.setAttribute("aria-busy", "true");
    try {
      await this.judge(await read(), { mode: chosenMode(), ...params }, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      this.showError(error);
    } finally {
      if (!signal.aborted) panel.removeAttribute("aria-busy");
    }
  }

  async judge(taken, { fields, ...params }, signal) {
    if (fields) {
      this.showReport(taken, params.mode, await validateForm(taken, fields, params, signal));
      return;
    }
    const { bytes, contentType, kind } = taken;
    if (bytes.length > LARGEST) throw new ApiError(413, "El archivo supera los 32 MB.");
    if (kind === "zip" || bytes.length > LARGEST_ALONE) {
      await this.showBatch(taken, params.mode, validateBatch(bytes, contentType, params, signal));
      return;
    }
    try {
      this.showReport(
        taken,
        params.mode,
        await validateDocument(bytes, contentType, params, signal),
      );
    } catch (error) {
      // A document that cannot be read is refused with the findings that say why.
      if (!error.body?.findings) throw error;
      this.showReport(taken, params.mode, { recommendation: "reject", ...error.body });
    }
  }

  showReport(taken, mode, report) {
    if (isOtherFile(report)) return this.showFile(taken, mode, report);
    const view = new ReportView(taken, report, wordsFor(mode), (finding) =>
      this.askAssistant(questionAbout(finding, mode, report.document)),
    );
    this.showResult(view.main, view.source.node);
    view.start();
    view.banner.querySelector("h2").focus({ preventScroll: true });
    announce(view.banner.innerText);
  }

  showFile(taken, mode, report) {
    const actions = this.withoutSource(mode, report);
    const { node, banner } = fileView(report, actions, (fields) =>
      this.take(
        () => taken,
        () => ({ ...receiverParams(), fields }),
      ),
    );
    this.showResult(node);
    banner.querySelector("h2").focus({ preventScroll: true });
    announce(banner.innerText);
  }

  /** The actions of findings that have no document beside them. */
  withoutSource(mode, report) {
    return {
      words: wordsFor(mode),
      placeOf: () => null,
      ask: (finding) => this.askAssistant(questionAbout(finding, mode, report)),
      drawn: () => {},
      held: () => {},
    };
  }

  async showBatch({ name }, mode, lines) {
    const view = new BatchView(name, this.withoutSource(mode));
    for await (const line of lines) {
      if (!view.node.isConnected) this.showResult(view.node);
      view.add(line);
    }
  }

  showResult(main, ...beside) {
    main.classList.add("result-main");
    main.prepend(
      el(
        "button",
        {
          class: "button button-small again",
          type: "button",
          on: { click: () => this.startOver() },
        },
        icon("back"),
        "Validar otro documento",
      ),
    );
    byId("result").replaceChildren(main, ...beside);
    byId("result").classList.toggle("is-single", beside.length === 0);
    byId("intake").hidden = true;
    byId("result").hidden = false;
    byId("result").parentElement.scrollTop = 0;
  }

  showError(error) {
    const box = byId("intake-error");
    box.replaceChildren();
    if (!error) return;
    const wait = error.retryAfter
      ? ` Podrá reintentar en ${counted(error.retryAfter, "segundo", "segundos")}.`
      : "";
    box.append(el("div", { class: "failure" }, icon("alert"), el("p", {}, error.message + wait)));
    this.showIntake();
  }

  showIntake() {
    byId("result").hidden = true;
    byId("intake").hidden = false;
  }

  startOver() {
    this.controller.abort();
    byId("panel-validate").removeAttribute("aria-busy");
    this.showIntake();
    byId("choose").focus();
  }
}

function questionAbout({ code, message, path }, mode, summary) {
  if (summary?.title) {
    const file = `un archivo (${summary.title})`;
    return `Al revisar ${file} apareció ${code}: «${message}» ¿Qué significa y qué hago?`;
  }
  const kind = summary?.type_name ? ` de una ${summary.type_name}` : "";
  const field = path && path !== "/" ? ` (campo ${path})` : "";
  const [what, next] =
    mode === "reception"
      ? [`el XML${kind} de un proveedor`, "qué debo hacer"]
      : [`el XML${kind}`, "cómo lo corrijo"];
  const finding = `el hallazgo ${code}${field}: «${message}»`;
  return `Al validar ${what} apareció ${finding} ¿Qué significa y ${next}?`;
}
