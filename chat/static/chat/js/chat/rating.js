/** Thumbs up and down under an answer, with a reason, both kept by the service and undone again. */

import { ApiError, rateAnswer } from "../api.js";
import { announce, el, icon } from "../dom.js";

const THUMBS = {
  up: { label: "Respuesta útil", icon: "thumb-up", thanks: "Gracias." },
  down: {
    label: "Respuesta no útil",
    icon: "thumb-down",
    thanks: "Gracias. Queda anotada para revisión.",
  },
};
const UNDONE = "Valoración retirada.";
const REASONS = [
  "Es incorrecta",
  "Está incompleta",
  "No responde la pregunta",
  "Cita mal la fuente",
];

/** The two buttons of an answer; the chosen one is what the service keeps or is being told. */
export class Rating {
  /** @param {string} [saved] The rating the service already has: "up", "down" or none. */
  constructor(messageId, saved, reason) {
    this.messageId = messageId;
    this.saved = saved || null;
    this.wanted = this.saved;
    this.sending = false;
    this.buttons = Object.entries(THUMBS).map(([rating, thumb]) =>
      el(
        "button",
        {
          class: "button button-small button-quiet thumb",
          type: "button",
          title: thumb.label,
          "aria-label": thumb.label,
          data: { rating },
          on: { click: () => this.choose(rating) },
        },
        icon(thumb.icon),
      ),
    );
    this.node = el(
      "div",
      { class: "rating", role: "group", "aria-label": "Valorar la respuesta" },
      this.buttons,
    );
    this.form = this.reasonForm(reason);
    this.words = el("p", {});
    // Apart, so that the buttons stay where they are.
    this.note = el("div", { class: "rating-note" }, this.words, this.form);
    this.show();
  }

  /** Choose a rating, or take back the chosen one; the latest choice waits its turn and wins. */
  async choose(rating) {
    this.wanted = this.wanted === rating ? null : rating;
    this.show();
    if (this.sending) return;
    this.sending = true;
    try {
      await this.send();
      this.say(this.saved ? THUMBS[this.saved].thanks : UNDONE);
    } catch (error) {
      this.refuse(error);
      this.wanted = this.saved;
    } finally {
      this.sending = false;
      this.show();
      if (this.saved === "down") this.note.scrollIntoView({ block: "nearest" });
    }
  }

  async send() {
    while (this.wanted !== this.saved) {
      const sent = this.wanted;
      await rateAnswer(this.messageId, sent);
      this.saved = sent;
    }
  }

  async explain(reason) {
    if (!reason) return;
    try {
      await rateAnswer(this.messageId, "down", reason);
      this.form.replaceChildren();
      this.say("Gracias: el motivo quedó anotado.");
    } catch (error) {
      this.refuse(error);
    }
  }

  refuse(error) {
    if (!(error instanceof ApiError)) throw error;
    this.say(`No se guardó la valoración. ${error.message}`);
  }

  reasonForm(given) {
    const input = el("input", {
      class: "field",
      maxlength: 500,
      "aria-label": "Qué falló en la respuesta",
      placeholder: "Otro motivo",
      value: given || null,
    });
    const chips = REASONS.map((reason) =>
      el(
        "button",
        { class: "chip-button", type: "button", on: { click: () => this.explain(reason) } },
        reason,
      ),
    );
    const form = el(
      "form",
      { class: "reasons", "aria-label": "Motivo" },
      chips,
      el(
        "span",
        { class: "reason-own" },
        input,
        el("button", { class: "button button-small", type: "submit" }, "Enviar motivo"),
      ),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.explain(input.value.trim());
    });
    return form;
  }

  show() {
    for (const button of this.buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.rating === this.wanted));
    }
    this.form.hidden = this.wanted !== "down" || !this.words.textContent;
  }

  say(text) {
    this.words.textContent = text;
    this.note.scrollIntoView({ block: "nearest" });
    announce(text);
  }
}
