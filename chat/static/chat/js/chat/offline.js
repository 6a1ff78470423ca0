/** That an answer was given without the model, and why. */

import { el, icon } from "../dom.js";
import { formatMoment } from "../format.js";

const SILENT = "el proveedor no responde";
const REFUSED = "el modelo no quiso responder";
const SPEECHLESS = "el modelo no llegó a responder";

/** In words, the reasons of docs/gateway.md. */
const REASONS = {
  not_configured: "no hay un modelo configurado",
  budget_exceeded: "el presupuesto del período está usado",
  call_too_large: "la conversación es demasiado grande para el modelo",
  breaker_open: SILENT,
  timeout: SILENT,
  unreachable: SILENT,
  provider_failed: "falló el proveedor",
  model_refused: REFUSED,
  refusal: REFUSED,
  thinking_only: SPEECHLESS,
  empty_answer: SPEECHLESS,
};

export function offlineNotice({ reason, window_ends: ends }) {
  const why = REASONS[reason] ?? "pasajes textuales";
  const until = ends ? ` hasta el ${formatMoment(ends)}` : "";
  const said = `Respuesta sin IA: ${why}${until}`;
  return el("p", { class: "badge badge-offline" }, icon("offline"), said);
}
