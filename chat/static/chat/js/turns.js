/** How a question and its answer look: the nodes of the conversation, without any networking. */

import { costOf, counted, el, formatNumber, icon } from "./dom.js";
import { LiveMarkdown, closeMarks } from "./markdown.js";
import { showPassage } from "./passage.js";
import { Rating } from "./rating.js";

/** What the visitor asked. */
export const questionTurn = (text) =>
  el(
    "li",
    { class: "turn turn-question" },
    el("span", { class: "sr-only" }, "Usted preguntó:"),
    el("div", { class: "bubble" }, text),
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
      "Buscando en la base de conocimiento",
      el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i")),
    );
    this.foot = el("div", { class: "turn-foot" });
    this.node = el(
      "li",
      { class: "turn turn-answer", "aria-busy": "true" },
      el("span", { class: "sr-only" }, "Respuesta:"),
      this.waiting,
      this.prose,
      this.foot,
    );
    this.frame = 0;
  }

  /** Add text; it is drawn at most once per frame. `drawn` runs after each drawing. */
  append(text, drawn) {
    this.text += text;
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw(closeMarks(this.text));
      drawn?.();
    });
  }

  draw(text) {
    if (!text) return;
    this.waiting.remove();
    this.markdown.update(text);
  }

  /** Draw what is left and close the answer with its facts. */
  finish(metadata) {
    this.settle(this.text);
    const offline = metadata.llm_used === "offline";
    if (offline) this.prose.before(offlineNotice(metadata));
    if (metadata.truncated)
      this.foot.append(
        el("p", { class: "turn-note" }, "La respuesta llegó a su largo máximo y quedó cortada."),
      );
    this.foot.append(...[sourcesOf(metadata), factsOf(metadata, this)].filter(Boolean));
    this.connectCitations(metadata.citations ?? []);
  }

  connectCitations(citations) {
    for (const button of this.prose.querySelectorAll(".citation")) {
      const cited = citations.find(({ number }) => number === Number(button.dataset.cites));
      if (!cited) continue;
      button.disabled = false;
      button.title = cited.title;
      button.addEventListener("click", () => showPassage(cited));
    }
  }

  /** Close an answer the visitor stopped. */
  stopped() {
    this.settle();
    this.foot.append(
      el("p", { class: "turn-note" }, "Respuesta incompleta: se detuvo antes de terminar."),
    );
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
    cancelAnimationFrame(this.frame);
    this.frame = 0;
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

const silent = "el proveedor no responde";
const speechless = "el modelo no llegó a responder";
/** In words, the reasons of docs/gateway.md. */
const reasons = {
  not_configured: "no hay un modelo configurado",
  budget_exceeded: "el presupuesto del período está usado",
  call_too_large: "la conversación es demasiado grande para el modelo",
  breaker_open: silent,
  timeout: silent,
  unreachable: silent,
  provider_failed: "falló el proveedor",
  model_refused: "el modelo no quiso responder",
  refusal: "el modelo no quiso responder",
  thinking_only: speechless,
  empty_answer: speechless,
};

function offlineNotice({ reason, window_ends: ends }) {
  const why = reasons[reason] ?? "pasajes textuales";
  const until = ends ? ` hasta el ${new Date(ends).toLocaleString("es-CL", { dateStyle: "short", timeStyle: "short" })}` : "";
  return el("p", { class: "badge badge-offline" }, icon("offline"), `Respuesta sin IA: ${why}${until}`);
}

/** The passages the answer cites; all it had when it cites none, as one without the model does. */
function sourcesOf({ citations = [] }) {
  const cited = citations.filter((citation) => citation.cited);
  const shown = cited.length ? cited : citations;
  if (!shown.length) return null;
  return el(
    "section",
    { class: "sources", "aria-label": "Fuentes" },
    el("h3", {}, shown.length === 1 ? "Fuente" : "Fuentes"),
    el("ol", {}, shown.map(sourceCard)),
  );
}

/** A module as people write it: `odoo_facturacion` is "Odoo Facturación", `dte` is "DTE". */
const moduleName = (module) =>
  module
    .replace(/cion$/, "ción")
    .split("_")
    .filter(Boolean)
    .map((word) => (word.length <= 3 ? word.toUpperCase() : word[0].toUpperCase() + word.slice(1)))
    .join(" ");

function sourceCard(citation) {
  const { number, title, module, section } = citation;
  const place = [module && moduleName(module), section !== title && section]
    .filter(Boolean)
    .join(" · ");
  return el(
    "li",
    {},
    el(
      "button",
      {
        class: "source",
        type: "button",
        data: { number },
        on: { click: () => showPassage(citation) },
      },
      el("span", { class: "source-number", "aria-hidden": "true" }, number),
      el(
        "span",
        { class: "source-text" },
        el("span", { class: "source-title" }, title),
        place && el("span", { class: "source-place" }, place),
      ),
    ),
  );
}

function factsOf(metadata, answer) {
  const {
    message_id: id,
    rating,
    tokens_used: tokens,
    plugin_used: plugin,
    plugin_title: title,
    plugin_reason: reason,
    model,
    grounding,
  } = metadata;
  const facts = [];
  if (title && plugin !== "general") facts.push(`Especialista: ${title}`);
  if (model) facts.push(model);
  if (model && Number.isFinite(grounding))
    facts.push(`${Math.round(100 * grounding)} % de las frases con respaldo`);
  if (tokens?.total_tokens) facts.push(counted(tokens.total_tokens, "token", "tokens"));
  facts.push(...costOf(metadata));
  const { node, note } = id ? new Rating(id, rating) : {};
  return el(
    "div",
    { class: "turn-facts" },
    copyButton(answer),
    node,
    facts.length > 0 && el("span", { title: reason && `Responde ${reason}.` }, facts.join(" · ")),
    note,
  );
}

function copyButton(answer) {
  const label = el("span", {}, "Copiar");
  const button = el(
    "button",
    { class: "button button-small button-quiet", type: "button" },
    icon("copy"),
    label,
  );
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(answer.text);
    label.textContent = "Copiado";
    setTimeout(() => (label.textContent = "Copiar"), 2000);
  });
  return button;
}
