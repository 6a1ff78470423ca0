/** The conversation: from a question typed to an answer drawn. */

import { ApiError, openSession, readSession, streamAnswer } from "./api.js";
import { announce, byId, scrollBehavior } from "./dom.js";
import { currentKey } from "./key.js";
import { AnswerTurn, questionTurn } from "./turns.js";

const STORED_AS = "aiservice.session";
const FAR_FROM_END = 120; // pixels of text out of view that make the way to the end worth a button

class Chat {
  constructor() {
    this.sessionId = sessionStorage.getItem(STORED_AS);
    this.controller = null;
    this.scroller = byId("chat-scroller");
    this.turns = byId("turns");
    this.input = byId("question");
  }

  get busy() {
    return this.controller !== null;
  }

  remember(sessionId) {
    this.sessionId = sessionId;
    if (sessionId) sessionStorage.setItem(STORED_AS, sessionId);
    else sessionStorage.removeItem(STORED_AS);
  }

  // --- Asking ---

  /** Ask what is in the box, or the given question. */
  async ask(question = this.input.value.trim()) {
    if (!question || this.busy) return;
    this.input.value = "";
    byId("welcome").hidden = true;
    const turn = questionTurn(question);
    const answer = new AnswerTurn();
    this.turns.append(turn, answer.node);
    this.controller = new AbortController();
    this.showState();
    this.pin(turn, answer);
    announce("Escribiendo la respuesta…");
    try {
      await this.receive(question, answer, this.controller.signal);
      announce("Respuesta completa.");
    } catch (error) {
      this.explain(error, question, turn, answer);
    } finally {
      this.controller = null;
      this.showState();
    }
  }

  async receive(question, answer, signal) {
    if (!this.sessionId) this.remember(await openSession(signal));
    for await (const event of streamAnswer(this.sessionId, question, signal)) {
      if (event.type === "text") {
        answer.append(event.content, () => this.showToEnd());
      } else if (event.type === "done") {
        if (event.metadata?.session_id) this.remember(event.metadata.session_id);
        answer.finish(event.metadata ?? {});
        this.showToEnd();
      }
    }
  }

  explain(error, question, turn, answer) {
    if (error.name === "AbortError") {
      answer.stopped();
      announce("Respuesta detenida.");
      return;
    }
    if (!(error instanceof ApiError)) throw error;
    const retry = () => {
      turn.remove();
      answer.node.remove();
      this.ask(question);
    };
    answer.failed(error.message, { wait: error.retryAfter, retry });
    answer.foot.scrollIntoView({ block: "nearest" });
  }

  stop() {
    this.controller?.abort();
    this.input.focus();
  }

  // --- The conversation as a whole ---

  startOver() {
    this.stop();
    this.remember(null);
    this.turns.replaceChildren();
    byId("welcome").hidden = false;
    announce("Conversación nueva.");
    this.input.focus();
  }

  /** Put a question in the box for the visitor to read, change and send. */
  prepare(question) {
    this.input.value = question;
    this.showState();
    this.input.focus();
    this.input.setSelectionRange(question.length, question.length);
    this.toEnd("auto");
  }

  /** Show the conversation of this tab again after a reload. */
  async restore() {
    if (!this.sessionId || !currentKey()) return;
    const stored = await readSession(this.sessionId).catch(() => null);
    if (this.busy) return;
    if (!stored) {
      this.remember(null);
      return;
    }
    let turn;
    let answer;
    for (const message of stored.messages ?? []) {
      if (message.role === "user") {
        turn = questionTurn(message.content);
        this.turns.append(turn);
      } else {
        answer = restoredAnswer(message);
        this.turns.append(answer.node);
      }
    }
    byId("welcome").hidden = this.turns.childElementCount > 0;
    if (turn && answer) this.pin(turn, answer, "auto");
  }

  // --- Looks ---

  showState() {
    byId("send").hidden = this.busy;
    byId("stop").hidden = !this.busy;
    byId("send").disabled = !this.input.value.trim();
    this.input.style.height = "auto";
    this.input.style.height = `${Math.min(this.input.scrollHeight, 200)}px`;
  }

  distanceToEnd() {
    return this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight;
  }

  /**
   * Bring a question to the top, with room below for its whole answer: the text then grows in place
   * and is read from its beginning, instead of running away under the reader's eyes.
   */
  pin(turn, answer, behavior = scrollBehavior()) {
    this.turns.querySelector(".is-pinned")?.classList.remove("is-pinned");
    answer.node.style.setProperty("--above", `${answer.node.offsetTop - turn.offsetTop}px`);
    answer.node.classList.add("is-pinned");
    turn.scrollIntoView({ block: "start", behavior });
  }

  toEnd(behavior = scrollBehavior()) {
    this.scroller.scrollTo({ top: this.scroller.scrollHeight, behavior });
  }

  showToEnd() {
    byId("to-end").hidden = this.distanceToEnd() < FAR_FROM_END;
  }
}

function restoredAnswer(message) {
  const answer = new AnswerTurn();
  answer.append(message.content);
  answer.finish({ ...message, message_id: message.id });
  if (message.cut) answer.stopped();
  return answer;
}

/** Wire the chat panel; the result is what the rest of the page may do with it. */
export function setUpChat() {
  const chat = new Chat();
  byId("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    chat.ask();
  });
  chat.input.addEventListener("input", () => chat.showState());
  chat.input.addEventListener("keydown", (event) => {
    // While an input method composes a character, Enter accepts it.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    chat.ask();
  });
  byId("stop").addEventListener("click", () => chat.stop());
  byId("to-end").addEventListener("click", () => chat.toEnd());
  chat.scroller.addEventListener("scroll", () => chat.showToEnd(), { passive: true });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && chat.busy && !byId("key-dialog").open) chat.stop();
  });
  for (const example of document.querySelectorAll(".example")) {
    const question = example.querySelector(".example-text").textContent;
    example.addEventListener("click", () => chat.ask(question));
  }
  chat.restore();
  return chat;
}
