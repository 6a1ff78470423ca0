/** The conversation: from a question typed to an answer drawn. */

import { ApiError, readSession, stopSession } from "../api.js";
import { announce, byId, scrollBehavior } from "../dom.js";
import { newId } from "../ids.js";
import { currentKey, requestKey } from "../key.js";
import { ofTab } from "../storage.js";
import { Composer } from "./composer.js";
import { Sidebar } from "./sidebar.js";
import { answerEvents, runningEvents } from "./stream.js";
import { onNews, tellTabs } from "./tabs_sync.js";
import { AnswerTurn, QuestionTurn } from "./turns.js";

const STORED_AS = "aiservice.session";
const FAR_FROM_END = 120; // pixels of text out of view that make the way to the end worth a button
const PATIENCE = 4_000; // milliseconds for a stopped answer to end by itself

export class Chat {
  constructor() {
    this.sessionId = ofTab.getItem(STORED_AS);
    this.controller = null;
    this.last = null; // { question, answer } of the latest turn
    this.shown = null; // the number of the latest message drawn
    this.scroller = byId("chat-scroller");
    this.turns = byId("turns");
    this.composer = new Composer();
    this.sidebar = new Sidebar({
      open: (session) => this.open(session),
      renamed: (session) => tellTabs({ type: "changed", session }),
      deleted: (session) => {
        tellTabs({ type: "deleted", session });
        if (session === this.sessionId) this.startOver();
      },
    });
  }

  get busy() {
    return this.controller !== null;
  }

  remember(sessionId) {
    this.sessionId = sessionId;
    if (sessionId) ofTab.setItem(STORED_AS, sessionId);
    else ofTab.removeItem(STORED_AS);
    this.sidebar.mark(sessionId);
  }

  // --- Asking ---

  /** Ask what is in the box. Without a key it stays there. */
  async send() {
    if (this.busy || !this.composer.isReady) return;
    if (!currentKey() && !(await requestKey())) {
      this.composer.input.focus();
      return;
    }
    const { text, files } = this.composer.takeOut();
    this.ask(text, files);
  }

  async ask(text, files = []) {
    if (!this.sessionId) this.remember(newId());
    byId("welcome").hidden = true;
    this.closeTurn();
    const question = new QuestionTurn(text, files);
    const answer = new AnswerTurn();
    this.turns.append(question.node, answer.node);
    this.last = { question, answer };
    this.pin(question, answer);
    const body = { message: text, ...(files.length && { attachments: files }) };
    const refused = () => {
      // The key was refused and no other given: nothing was asked.
      question.node.remove();
      answer.node.remove();
      this.last = null;
      byId("welcome").hidden = this.turns.childElementCount > 0;
      this.composer.put(text, files);
      this.composer.input.focus();
    };
    await this.give(body, { question, answer, refused });
    if (files.length && this.sessionId) await this.showVerdicts(question, this.sessionId);
  }

  /** The files of a question were examined by now: say what came of it. */
  async showVerdicts(question, session) {
    const stored = await readSession(session).catch(() => null);
    const asked = stored?.messages?.findLast(({ role }) => role === "user");
    if (asked?.attachments?.length) question.showFiles(asked.attachments);
  }

  /** Ask again what was asked last, in other words or in the same. */
  again(action, message) {
    const { question, answer } = this.last;
    const fresh = new AnswerTurn();
    if (message) question.setText(message);
    answer.node.replaceWith(fresh.node);
    this.last = { question, answer: fresh };
    this.closeTurn();
    this.pin(question, fresh);
    return this.give({ action, ...(message && { message }) }, this.last);
  }

  continue() {
    this.last.answer.begin();
    this.closeTurn();
    return this.give({ action: "continue" }, this.last);
  }

  give(body, turn) {
    const whole = { ...body, session_id: this.sessionId, turn_id: newId() };
    return this.run(
      (signal) => answerEvents(whole, signal),
      turn,
      () => this.retry(whole, turn),
    );
  }

  /** The same question under the same name: the service never takes it for a second one. */
  retry(body, turn) {
    turn.answer.restart();
    turn.answer.begin();
    return this.run(
      (signal) => answerEvents(body, signal),
      turn,
      () => this.retry(body, turn),
    );
  }

  /** Follow an answer that is being written, as after a reload. */
  async follow(turn) {
    const session = this.sessionId;
    const anew = () => this.open(session);
    await this.run((signal) => runningEvents(session, signal), turn, anew);
    // What continues an answer is only its end: the whole is in the store by now.
    if (turn.continued && session === this.sessionId) await this.open(session);
  }

  async run(events, turn, retry) {
    this.controller = new AbortController();
    const { signal } = this.controller;
    this.showState();
    announce("Escribiendo la respuesta…");
    try {
      await this.receive(events(signal), turn, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401 && turn.refused) turn.refused();
      else this.explain(error, turn, retry);
    } finally {
      if (this.controller?.signal === signal) {
        this.controller = null;
        this.showState();
        this.changed();
      }
    }
  }

  async receive(events, turn, signal) {
    const { answer } = turn;
    let told = false;
    for await (const event of events) {
      if (signal.aborted) return;
      if (event.type === "text") {
        answer.append(event.content, () => this.showToEnd());
        if (!told) tellTabs({ type: "changed", session: this.sessionId });
        told = true;
      } else if (event.type === "lost") answer.say("Se perdió la conexión. Reconectando…");
      else if (event.type === "again") answer.restart();
      else this.end(event, turn);
    }
  }

  /** The last event of an answer: all of it, or as far as it came. */
  end({ type, metadata }, turn) {
    const stopped = type === "stopped";
    turn.answer.finish(metadata ?? {}, { stopped });
    this.shown = metadata?.message_id ?? null;
    turn.continued = metadata?.action === "continue";
    this.offer(turn, { cut: stopped || Boolean(metadata?.truncated) });
    this.showToEnd();
    announce(stopped ? "Respuesta detenida." : "Respuesta completa.");
  }

  offer(turn, { cut }) {
    turn.question.allowEdit((text) => this.again("edit", text));
    turn.answer.offer([
      ["retry", "Responder de nuevo", () => this.again("regenerate")],
      ...(cut ? [["play", "Continuar la respuesta", () => this.continue(), "Continuar"]] : []),
    ]);
  }

  /** What was asked before the last question stays as it is. */
  closeTurn() {
    for (const node of this.turns.querySelectorAll(".turn-offers, .turn-question .turn-tools > *"))
      node.remove();
  }

  explain(error, { answer }, retry) {
    const act = () => {
      answer.foot.replaceChildren();
      retry();
    };
    answer.failed(error.message, { wait: error.retryAfter, retry: act });
    answer.foot.scrollIntoView({ block: "nearest" });
  }

  /** Stop the answer where it is written; what came so far stays. */
  async stop() {
    const { controller, sessionId } = this;
    if (!controller) return;
    byId("stop").disabled = true;
    this.composer.input.focus();
    const timer = setTimeout(() => this.breakOff(controller), PATIENCE);
    try {
      await stopSession(sessionId);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      clearTimeout(timer);
      this.breakOff(controller);
    }
  }

  /** Stop listening, where the service does not end the answer itself. */
  breakOff(controller) {
    if (this.controller !== controller) return;
    controller.abort();
    this.controller = null;
    this.last.answer.finish({}, { stopped: true });
    this.offer(this.last, { cut: true });
    this.showState();
  }

  // --- The conversation as a whole ---

  startOver() {
    this.leave();
    this.remember(null);
    announce("Conversación nueva.");
    this.composer.focus();
  }

  /** Leave the conversation that is shown; an answer being written goes on without a reader. */
  leave() {
    this.controller?.abort();
    this.controller = null;
    this.last = null;
    this.shown = null;
    this.turns.replaceChildren();
    byId("welcome").hidden = false;
    this.showState();
  }

  /** Another key has other conversations, and none without one. */
  async changeKey() {
    if (currentKey()) await this.restore();
    else this.startOver();
    await this.sidebar.refresh();
  }

  open(session) {
    this.leave();
    this.remember(session);
    return this.restore();
  }

  /** Put a question in the box for the visitor to read, change and send. */
  prepare(question) {
    this.composer.put(question);
    this.composer.input.focus();
    this.composer.input.setSelectionRange(question.length, question.length);
    this.toEnd("auto");
  }

  /** Show the conversation of this tab again, and the answer that is being written in it. */
  async restore() {
    if (!this.sessionId || !currentKey()) return;
    const session = this.sessionId;
    const stored = await readSession(session).catch(() => undefined);
    if (this.busy || session !== this.sessionId || stored === undefined) return;
    if (!stored) {
      this.leave();
      this.remember(null);
      return;
    }
    this.draw(stored.messages ?? [], stored.running);
  }

  draw(messages, running) {
    this.turns.replaceChildren();
    this.last = null;
    let cut = false;
    for (const message of messages) {
      if (message.role === "user") {
        const question = new QuestionTurn(message.content, message.attachments ?? []);
        this.turns.append(question.node);
        this.last = { question, answer: null };
      } else if (this.last) {
        // What is being written anew takes the place of what was answered.
        const answer = restoredAnswer(message);
        this.turns.append(answer.node);
        this.last.answer = answer;
        cut = Boolean(message.cut);
      }
      this.shown = message.id;
    }
    byId("welcome").hidden = this.turns.childElementCount > 0;
    if (!this.last) return;
    if (running) {
      this.last.answer?.node.remove();
      this.last.answer = new AnswerTurn();
      this.turns.append(this.last.answer.node);
      this.follow(this.last);
    } else if (this.last.answer) this.offer(this.last, { cut });
    else this.mournAnswer(messages.at(-1));
    if (this.last.answer) this.pin(this.last.question, this.last.answer, "auto");
  }

  /** A question whose answer was lost can be asked again, under its own name. */
  mournAnswer({ content, turn_id: turnId }) {
    const { last } = this;
    last.answer = new AnswerTurn();
    this.turns.append(last.answer.node);
    const body = { message: content, session_id: this.sessionId, turn_id: turnId };
    const retry = () => this.retry(turnId ? body : { ...body, action: "regenerate" }, last);
    this.explain(new ApiError(0, "Esta pregunta quedó sin respuesta."), last, retry);
  }

  /** Tell the list and the other tabs that something was said. */
  changed() {
    this.sidebar.refresh();
    tellTabs({ type: "changed", session: this.sessionId });
  }

  /** Another tab, or another computer, may have gone on with this conversation. */
  async catchUp() {
    if (this.busy || !this.sessionId || !currentKey()) return;
    const session = this.sessionId;
    const stored = await readSession(session).catch(() => undefined);
    if (!stored || this.busy || session !== this.sessionId) return;
    const latest = stored.messages?.at(-1)?.id ?? null;
    if (stored.running || latest !== this.shown) this.draw(stored.messages, stored.running);
  }

  hear({ type, session }) {
    if (session === this.sessionId) {
      if (type === "deleted") this.startOver();
      else this.catchUp();
    }
    this.sidebar.refresh();
  }

  // --- Looks ---

  showState() {
    byId("send").hidden = this.busy;
    byId("stop").hidden = !this.busy;
    byId("stop").disabled = false;
    this.composer.changed();
  }

  distanceToEnd() {
    return this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight;
  }

  /**
   * Bring a question to the top, with room below for its whole answer: the text then grows in place
   * and is read from its beginning, instead of running away under the reader's eyes.
   */
  pin(question, answer, behavior = scrollBehavior()) {
    this.turns.querySelector(".is-pinned")?.classList.remove("is-pinned");
    const above = answer.node.offsetTop - question.node.offsetTop;
    answer.node.style.setProperty("--above", `${above}px`);
    answer.node.classList.add("is-pinned");
    question.node.scrollIntoView({ block: "start", behavior });
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
  answer.finish(
    { ...message, ...message.cost, message_id: message.id },
    { stopped: Boolean(message.cut) },
  );
  return answer;
}

/** Let the conversation hear of what happens elsewhere. */
export function listenElsewhere(chat) {
  onNews((news) => chat.hear(news));
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) chat.catchUp();
  });
}
