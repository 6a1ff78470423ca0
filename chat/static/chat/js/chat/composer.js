/** The box in which a question is written: its draft, its limit, the files that go with it. */

import { byId, counted, el, formatNumber, icon } from "../dom.js";
import { ofTab } from "../storage.js";

export const LONGEST = 12_000; // characters, as of the API
const TOLD_FROM = LONGEST - 1_000;
const MOST_FILES = 3;
const LARGEST_FILE = 500 * 1024;
const DRAFT = "aiservice.draft";

export class Composer {
  constructor() {
    this.input = byId("question");
    this.files = []; // { filename, content }
    this.input.value = ofTab.getItem(DRAFT) ?? "";
    this.input.addEventListener("input", () => this.changed());
    this.changed();
  }

  get text() {
    return this.input.value.trim();
  }

  /** Whether what is in the box can be sent as it is. */
  get isReady() {
    return Boolean(this.text) && this.text.length <= LONGEST;
  }

  /** Take out what was written, to be asked. */
  takeOut() {
    const taken = { text: this.text, files: this.files };
    this.put("");
    return taken;
  }

  put(text, files = []) {
    this.input.value = text;
    this.files = files;
    this.changed();
    this.showFiles();
  }

  focus() {
    // On a phone the keyboard would cover what there is to read.
    if (matchMedia("(pointer: fine)").matches) this.input.focus({ preventScroll: true });
  }

  changed() {
    ofTab.setItem(DRAFT, this.input.value);
    byId("send").disabled = !this.isReady;
    this.input.style.height = "auto";
    this.input.style.height = `${Math.min(this.input.scrollHeight, 200)}px`;
    this.showLength();
  }

  showLength() {
    const { length } = this.text;
    const over = length > LONGEST;
    const said = byId("composer-length");
    said.hidden = length < TOLD_FROM;
    said.classList.toggle("is-over", over);
    said.textContent = over
      ? `Son ${formatNumber(length)} caracteres y el máximo es ${formatNumber(LONGEST)}: acorte ` +
        "el texto o adjúntelo como archivo. No se ha cortado nada."
      : `${formatNumber(length)} de ${formatNumber(LONGEST)} caracteres`;
  }

  // --- Files ---

  /**
   * Attach what the assistant can read; the rest is for the validator.
   *
   * @param {Object[]} taken As of `document.js`.
   * @returns {boolean} Whether all of it was attached.
   */
  attach(taken) {
    const readable = taken.every(
      ({ kind, bytes }) => kind === "xml" && bytes.length <= LARGEST_FILE,
    );
    if (!readable || this.files.length + taken.length > MOST_FILES) return false;
    this.files = [
      ...this.files,
      ...taken.map(({ name, text }) => ({ filename: name, content: text })),
    ];
    this.showFiles();
    this.input.focus();
    return true;
  }

  showFiles() {
    const list = byId("attachments");
    list.hidden = this.files.length === 0;
    list.replaceChildren(...this.files.map((file) => this.chipOf(file)));
    this.input.placeholder = this.files.length
      ? `Qué quiere saber de ${counted(this.files.length, "archivo adjunto", "archivos adjuntos")}`
      : "Escriba su pregunta";
  }

  chipOf(file) {
    const remove = () => {
      this.files = this.files.filter((one) => one !== file);
      this.showFiles();
      this.input.focus();
    };
    return el(
      "li",
      {},
      icon("file"),
      el("span", { class: "attached-name" }, file.filename),
      el(
        "button",
        {
          class: "icon-button",
          type: "button",
          "aria-label": `Quitar ${file.filename}`,
          on: { click: remove },
        },
        icon("cross"),
      ),
    );
  }
}
