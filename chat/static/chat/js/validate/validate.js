/** The validation tab: takes documents in, has them judged, shows the outcome and past ones. */

import { writeAddress } from "../address.js";
import { ApiError, validateBatch, validateDocument, validateForm } from "../api.js";
import { archiveOf } from "./archive.js";
import { BatchView } from "./batch.js";
import { hideBusy, showBusy } from "./busy.js";
import { announce, byId, counted, el, icon } from "../dom.js";
import { unfoldForPrint } from "./download.js";
import { fileView, isOtherFile } from "./file_view.js";
import { HistoryView } from "./history.js";
import { readFiles, setUpIntake } from "./intake.js";
import { chosenMode, setUpMode } from "./mode.js";
import { questionAbout } from "./question.js";
import { receiverParams, setUpReceiver } from "./receiver.js";
import { ReportView } from "./report.js";
import { storedBatch, storedReport } from "./stored.js";
import { wordsFor } from "./verdicts.js";

const LARGEST = 32 * 1024 * 1024;
const LARGEST_ALONE = 5 * 1024 * 1024; // beyond it, or in a ZIP, documents are judged as a batch
const KEPT = 12; // results kept as they are for Back; older ones are read from the service again

/** Wire the validation panel; `ask(question)` moves to the assistant with a prepared question. */
export function setUpValidation({ ask }) {
  const validation = new Validation(ask);
  setUpMode();
  setUpReceiver();
  setUpIntake((read, paramsOf) => validation.take(read, paramsOf));
  unfoldForPrint();
  byId("busy-cancel").addEventListener("click", () => validation.cancel());
  byId("past").addEventListener("click", () => validation.showHistory());
  return {
    open: (address) => validation.open(address),
    validateFiles: (files) => validation.take(() => readFiles(files)),
    address: () => validation.address,
  };
}

class Validation {
  constructor(ask) {
    this.askAssistant = ask;
    this.controller = new AbortController();
    this.address = {};
    this.kept = new Map(); // what an address shows, the latest last
  }

  // --- Taking documents in ---

  /** Validate what `read` returns; later documents cut off earlier ones still on their way. */
  async take(read, paramsOf = receiverParams) {
    const params = paramsOf();
    if (!params) {
      this.goTo({});
      byId("receiver").focus();
      return;
    }
    await this.work(async (signal) => {
      const taken = await read();
      showBusy(nameOf(taken));
      await this.judge(taken, { mode: chosenMode(), ...params }, signal);
    });
  }

  /** Run one piece of work at a time, and show what stops it. */
  async work(run) {
    this.controller.abort();
    this.controller = new AbortController();
    const { signal } = this.controller;
    this.showError(null);
    try {
      await run(signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      this.goTo({});
      this.showError(error);
    } finally {
      if (!signal.aborted) hideBusy();
    }
  }

  cancel() {
    this.controller.abort();
    hideBusy();
    announce("Validación cancelada.");
    byId("choose").focus();
  }

  async judge(taken, { fields, ...params }, signal) {
    const [only] = taken;
    for (const { name, bytes } of taken)
      if (bytes.length > LARGEST) throw new ApiError(413, `${name} supera los 32 MB.`);
    if (fields) {
      this.showReport(only, params.mode, await validateForm(only, fields, params, signal));
      return;
    }
    if (taken.length > 1 || only.kind === "zip" || only.bytes.length > LARGEST_ALONE) {
      await this.judgeBatch(taken, params, signal);
      return;
    }
    try {
      const { bytes, contentType } = only;
      const report = await validateDocument(bytes, contentType, params, signal);
      this.showReport(only, params.mode, report);
    } catch (error) {
      // A document that cannot be read is refused with the findings that say why.
      if (!error.body?.findings) throw error;
      this.showReport(only, params.mode, { recommendation: "reject", ...error.body });
    }
  }

  async judgeBatch(taken, params, signal) {
    const parts = partsOf(taken);
    const actions = { ...this.withoutSource(params.mode), cancel: () => this.cancel() };
    const view = new BatchView(nameOf(taken), actions, parts.length);
    const ids = [];
    try {
      for (const { bytes, contentType, name } of parts) {
        for await (const line of validateBatch(bytes, contentType, params, signal)) {
          if (line.type === "start") ids.push(line.id);
          if (!view.node.isConnected) this.showResult(view.node);
          view.add(name ? { file: name, ...line } : line);
        }
      }
    } catch (error) {
      if (!view.node.isConnected) throw error;
      if (!signal.aborted && !(error instanceof ApiError)) throw error;
      view.interrupt(signal.aborted ? "Validación cancelada." : error.message);
    }
    this.goTo({ lote: ids.join(",") }, view.node);
  }

  // --- Showing ---

  showReport(taken, mode, report) {
    if (isOtherFile(report)) {
      this.showFile(taken, mode, report);
      return;
    }
    const view = new ReportView(taken, report, wordsFor(mode), (finding) =>
      this.askAssistant(questionAbout(finding, mode, report.document)),
    );
    const beside = view.source ? [view.source.node] : [];
    this.showResult(view.main, ...beside);
    this.goTo({ validacion: report.id }, view.main, ...beside);
    view.start();
    this.readOut(view.banner);
  }

  showFile(taken, mode, report) {
    const actions = this.withoutSource(mode, report);
    const { node, banner } = fileView(report, actions, (fields) =>
      this.take(
        () => [taken],
        () => ({ ...receiverParams(), fields }),
      ),
    );
    this.showResult(node);
    this.goTo({ validacion: report.id }, node);
    this.readOut(banner);
  }

  readOut(banner) {
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

  showHistory() {
    const view = new HistoryView(({ id, batch }) => this.openStored({ validacion: id }, batch));
    this.showResult(view.node);
    this.goTo({ historial: "1" }, view.node);
    view.node.querySelector("h2").focus({ preventScroll: true });
    view.start();
  }

  showResult(main, ...beside) {
    if (!main.querySelector(".result-bar")) {
      main.classList.add("result-main");
      const taking = main.querySelector(":scope > .take-along");
      main.prepend(el("div", { class: "result-bar" }, this.backButton(), taking));
    }
    byId("result").replaceChildren(main, ...beside);
    byId("result").classList.toggle("is-single", beside.length === 0);
    byId("intake").hidden = true;
    byId("result").hidden = false;
    byId("result").parentElement.scrollTop = 0;
  }

  backButton() {
    return el(
      "button",
      { class: "button button-small again", type: "button", on: { click: () => this.startOver() } },
      icon("back"),
      "Validar otro documento",
    );
  }

  showError(error) {
    const box = byId("intake-error");
    box.replaceChildren();
    if (!error) return;
    const wait = error.retryAfter
      ? ` Podrá reintentar en ${counted(error.retryAfter, "segundo", "segundos")}.`
      : "";
    box.append(el("div", { class: "failure" }, icon("alert"), el("p", {}, error.message + wait)));
  }

  showIntake() {
    byId("result").hidden = true;
    byId("intake").hidden = false;
  }

  startOver() {
    this.controller.abort();
    hideBusy();
    this.goTo({});
    byId("choose").focus();
  }

  // --- The address ---

  /** Go where an address leads, with what is to be seen there if it is at hand. */
  goTo(address, ...nodes) {
    this.address = address;
    const [key] = Object.values(address);
    if (key && nodes.length) {
      this.kept.delete(key);
      this.kept.set(key, nodes);
      if (this.kept.size > KEPT) this.kept.delete(this.kept.keys().next().value);
    }
    if (!nodes.length) this.showIntake();
    if (!byId("panel-validate").hidden) writeAddress({ vista: "validar", ...address });
  }

  /** Show what an address says, after Back, Forward or a reload. */
  async open({ validacion, lote, historial }) {
    const address = [{ validacion }, { lote }, { historial }].find((one) => Object.values(one)[0]);
    if (!address) {
      this.controller.abort();
      hideBusy();
      this.goTo({});
      return;
    }
    const nodes = this.kept.get(Object.values(address)[0]);
    if (nodes) {
      this.address = address;
      this.showResult(...nodes);
    } else if (historial) this.showHistory();
    else await this.openStored(address);
  }

  async openStored(address) {
    await this.work(async () => {
      showBusy("la validación guardada");
      if (address.lote) {
        await this.openBatch(address.lote);
        return;
      }
      const report = await storedReport(address.validacion);
      this.showReport({ name: titleOf(report) }, report.mode, report);
    });
  }

  async openBatch(ids) {
    const rows = await storedBatch(ids.split(","));
    const mode = rows[0]?.mode ?? "emission";
    const view = new BatchView("Validación guardada", this.withoutSource(mode));
    for (const row of rows) view.add(row);
    view.finish();
    this.showResult(view.node);
    this.goTo({ lote: ids }, view.node);
  }
}

const nameOf = (taken) =>
  taken.length === 1 ? taken[0].name : counted(taken.length, "archivo", "archivos");

const titleOf = ({ document: summary, kind }) =>
  [summary?.type_name || kind, summary?.folio && `N° ${summary.folio}`].filter(Boolean).join(" ");

/** What is sent in one request each: the files together as far as they fit, a ZIP by itself. */
function partsOf(taken) {
  const parts = [];
  let files = [];
  let size = 0;
  const close = () => {
    if (files.length) parts.push({ bytes: archiveOf(files), contentType: "application/zip" });
    files = [];
    size = 0;
  };
  for (const { name, bytes, kind, contentType } of taken) {
    if (kind === "zip" || bytes.length > LARGEST_ALONE) {
      const named = taken.length > 1 && kind !== "zip" ? { name } : {};
      parts.push({ bytes, contentType, ...named });
      continue;
    }
    const cost = bytes.length + 2 * name.length + 200; // what a ZIP adds to each
    if (size + cost > LARGEST) close();
    files.push({ name, bytes });
    size += cost;
  }
  close();
  return parts;
}
