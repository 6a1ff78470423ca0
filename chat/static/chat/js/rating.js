/** Thumbs up and down under an answer: what the visitor thought of it, kept by the service. */

import { ApiError, rateAnswer } from "./api.js";
import { announce, el, icon } from "./dom.js";

const THUMBS = {
  up: { label: "Respuesta útil", icon: "thumb-up", thanks: "Gracias." },
  down: {
    label: "Respuesta no útil",
    icon: "thumb-down",
    thanks: "Gracias. Queda anotada para revisión.",
  },
};

/** The two buttons of an answer; the chosen one is what the service keeps or is being told. */
export class Rating {
  /** @param {string} [saved] The rating the service already has: "up", "down" or none. */
  constructor(messageId, saved) {
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
    this.note = el("p", { class: "rating-note" }); // apart, so that the buttons stay where they are
    this.show();
  }

  /** Choose a rating; while one is being sent, the latest choice waits its turn and wins. */
  async choose(rating) {
    this.wanted = rating;
    this.show();
    if (this.sending) return;
    this.sending = true;
    try {
      await this.send();
      this.say(THUMBS[this.saved].thanks);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.wanted = this.saved;
      this.show();
      this.say(`No se guardó la valoración. ${error.message}`);
    } finally {
      this.sending = false;
    }
  }

  async send() {
    while (this.wanted !== this.saved) {
      const sent = this.wanted;
      await rateAnswer(this.messageId, sent);
      this.saved = sent;
    }
  }

  show() {
    for (const button of this.buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.rating === this.wanted));
    }
  }

  say(text) {
    this.note.textContent = text;
    this.note.scrollIntoView({ block: "nearest" });
    announce(text);
  }
}
