/** How a question and its answer look: the nodes of the conversation, without any networking. */

import { copyButton } from "../clipboard.js";
import { el, formatNumber, icon } from "../dom.js";
import { LiveMarkdown, closeMarks } from "../markdown.js";
import { factsOf } from "./facts.js";
import { offlineNotice } from "./offline.js";
import { Rating } from "./rating.js";
import { connectCitations, sourcesOf } from "./sources.js";

const SILENCE = 10_000; // milliseconds without a word after which one wonders
const OFFLINE = "offline";

/** @param {string} [spoken] Words beside the icon, where it would not be understood alone. */
const action = (iconName, label, act, spoken) =>
  el(
    "button",
    {
      class: "button button-small button-quiet",
      type: "button",
      "aria-label": label,
      title: label,
      on: { click: act },
    },
    icon(iconName),
    spoken && el("span", {}, spoken),
  );

/** What the visitor asked. */
export class QuestionTurn {
  /** @param {Object[]} attachments `{ filename, verdict? }` each. */
  constructor(text, attachments = []) {
    this.text = text;
    this.bubble = el("div", { class: "bubble" }, text);
    this.files = el("ul", { class: "attached", "aria-label": "Archivos adjuntos" });
    this.tools = el("div", { class: "turn-tools" });
    this.node = el(
      "li",
      { class: "turn turn-question" },
      el("span", { class: "sr-only" }, "Usted preguntó:"),
      el("div", { class: "question-body" }, this.bubble, this.files, this.tools),
    );
    this.showFiles(attachments);
  }

  showFiles(attachments) {
    this.files.replaceChildren(...attachments.map(attachedFile));
    this.files.hidden = attachments.length === 0;
  }

  /** Let the question be edited, or no more; `save(text)` gets the new one. */
  allowEdit(save) {
    this.tools.replaceChildren(
      ...(save ? [action("edit", "Editar la pregunta", () => this.edit(save))] : []),
    );
  }

  edit(save) {
    const box = el("textarea", { class: "field", rows: 3, "aria-label": "Pregunta corregida" });
    box.value = this.text;
    const close = () => {
      form.replaceWith(this.bubble);
      this.tools.hidden = false;
    };
    const form = el(
      "form",
      { class: "question-edit" },
      box,
      el(
        "div",
        { class: "question-edit-actions" },
        el(
          "button",
          { class: "button button-small", type: "button", on: { click: close } },
          "Cancelar",
        ),
        el("button", { class: "button button-small button-primary", type: "submit" }, "Preguntar"),
      ),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = box.value.trim();
      if (!text) return;
      close();
      save(text);
    });
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        close();
      }
    });
    this.tools.hidden = true;
    this.bubble.replaceWith(form);
    box.focus();
  }

  setText(text) {
    this.text = text;
    this.bubble.textContent = text;
  }
}

const VERDICTS = { send: "en regla", review: "por revisar", reject: "con faltas" };

const attachedFile = ({ filename, verdict }) =>
  el(
    "li",
    {},
    icon("file"),
    el("span", { class: "attached-name" }, filename),
    VERDICTS[verdict] && el("span", { class: "chip", data: { verdict } }, VERDICTS[verdict]),
  );

/** An answer that grows while it streams. */
export class AnswerTurn {
  constructor() {
    this.text = "";
    this.prose = el("div", { class: "prose" });
    this.markdown = new LiveMarkdown(this.prose);
    this.waiting = el(
      "p",
      { class: "waiting" },
      el("span", {}, "Buscando en la base de conocimiento"),
      el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i")),
    );
    this.hint = el("p", { class: "turn-note", role: "status" });
    this.foot = el("div", { class: "turn-foot" });
    this.node = el(
      "li",
      { class: "turn turn-answer", "aria-busy": "true" },
      el("span", { class: "sr-only" }, "Respuesta:"),
      this.waiting,
      this.prose,
      this.hint,
      this.foot,
    );
    this.frame = 0;
    this.begin();
  }

  /** Be about to grow, from the text there is. */
  begin() {
    this.base = this.text;
    this.foot.replaceChildren();
    this.prose.parentElement.querySelector(".badge-offline")?.remove();
    this.node.setAttribute("aria-busy", "true");
    this.listen();
  }

  /** Say so if nothing comes for a while. */
  listen() {
    this.say("");
    clearTimeout(this.silence);
    this.silence = setTimeout(
      () => this.say("Está tomando más de lo habitual. Puede esperar, o detener la respuesta."),
      SILENCE,
    );
  }

  say(text) {
    this.hint.textContent = text;
  }

  /** Add text; it is drawn at most once per frame. `drawn` runs after each drawing. */
  append(text, drawn) {
    this.text += text;
    this.listen();
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw(closeMarks(this.text));
      drawn?.();
    });
  }

  /** Forget what came since the beginning: it comes again. */
  restart() {
    this.text = this.base;
  }

  draw(text) {
    if (!text) return;
    this.waiting.remove();
    this.markdown.update(text);
  }

  /**
   * Draw what is left and close the answer with its facts.
   *
   * @param {Object} options `stopped`: before its end; `actions`: what may be done about it.
   */
  finish(metadata, { stopped = false } = {}) {
    this.settle(stopped ? closeMarks(this.text) : this.text);
    if (metadata.llm_used === OFFLINE) this.prose.before(offlineNotice(metadata));
    if (stopped) this.addNote("Respuesta incompleta: se detuvo antes de terminar.");
    else if (metadata.truncated)
      this.addNote("La respuesta llegó a su largo máximo y quedó cortada.");
    const { message_id: id, rating, rating_reason: reason } = metadata;
    const rated = id ? new Rating(id, rating, reason) : {};
    this.tools = el(
      "div",
      { class: "turn-tools" },
      copyButton(() => this.text),
      rated.node,
    );
    const facts = el("div", { class: "turn-facts" }, this.tools, factsOf(metadata), rated.note);
    this.foot.append(...[sourcesOf(metadata), facts].filter(Boolean));
    connectCitations(this.prose, metadata.citations);
  }

  addNote(text) {
    this.foot.append(el("p", { class: "turn-note" }, text));
  }

  /** Offer what may be done about the last answer: `[icon, label, act, words?]` each. */
  offer(actions) {
    if (!this.tools) return;
    this.offered?.remove();
    this.offered = el(
      "span",
      { class: "turn-offers" },
      actions.map((one) => action(...one)),
    );
    this.tools.append(this.offered);
  }

  /** Close an answer that failed; what arrived stays. `wait` in seconds holds back the retry. */
  failed(message, { wait = 0, retry } = {}) {
    this.settle();
    const button =
      retry &&
      el(
        "button",
        { class: "button", type: "button", on: { click: retry } },
        icon("retry"),
        el("span", {}, "Reintentar"),
      );
    this.foot.append(
      el("div", { class: "failure", role: "alert" }, icon("alert"), el("p", {}, message), button),
    );
    if (button && wait) holdBack(button, wait);
  }

  settle(text = closeMarks(this.text)) {
    clearTimeout(this.silence);
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.say("");
    this.draw(text);
    this.waiting.remove();
    this.node.removeAttribute("aria-busy");
  }
}

function holdBack(button, seconds) {
  const label = button.lastChild;
  let left = seconds;
  const tick = () => {
    if (!button.isConnected) return;
    button.disabled = left > 0;
    label.textContent = left > 0 ? `Reintentar en ${formatNumber(left)} s` : "Reintentar";
    if (left > 0) setTimeout(tick, 1000);
    left -= 1;
  };
  tick();
}
