/** The service's API as this page uses it. Every failure arrives as an ApiError. */

import { currentKey, requestKey } from "./key.js";

/** A refusal or failure, with a text fit for the visitor. `status` is 0 when no answer came. */
export class ApiError extends Error {
  /** @param {Object} [body] What the service said: `code`, `retry_after`, the refusal's facts. */
  constructor(status, detail, body = {}) {
    super(detail);
    this.status = status;
    this.body = body;
    this.retryAfter = Math.ceil(Number(body.retry_after) || 0);
  }
}

const BY_STATUS = {
  0: "No se pudo conectar con el servicio. Revise su conexión y vuelva a intentar.",
  401: "La clave de API falta o no es válida.",
  402: "El presupuesto de su clave no alcanza para esta solicitud.",
  403: "Su clave no permite esta operación.",
  413: "El documento es demasiado grande.",
  415: "El servicio no acepta este tipo de archivo.",
  429: "Hizo muchas solicitudes seguidas.",
};

async function refusal(response) {
  const body = await response.json().catch(() => ({}));
  body.retry_after ??= response.headers.get("Retry-After");
  const detail =
    body.detail ||
    BY_STATUS[response.status] ||
    `El servicio respondió con un error (${response.status}).`;
  return new ApiError(response.status, detail, body);
}

async function attempt(path, { headers = {}, ...options }) {
  try {
    return await fetch(path, {
      ...options,
      headers: { ...headers, Authorization: `Bearer ${currentKey()}` },
      credentials: "omit",
      cache: "no-store",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, BY_STATUS[0]);
  }
}

/** Send a request, asking the visitor for the key when there is none or it is refused. */
async function send(path, options) {
  if (!currentKey() && !(await requestKey())) throw new ApiError(401, BY_STATUS[401]);
  let response = await attempt(path, options);
  while (response.status === 401) {
    const { message } = await refusal(response);
    if (!(await requestKey(message))) throw new ApiError(401, message);
    response = await attempt(path, options);
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

const postJson = (path, body, signal) =>
  send(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });

/** Open a conversation and return its id. */
export async function openSession(signal) {
  const response = await postJson("/api/chat/session/new", {}, signal);
  return (await response.json()).session_id;
}

/** The stored conversation, or null when it is gone. */
export async function readSession(id) {
  const response = await attempt(`/api/chat/session/${encodeURIComponent(id)}`, {});
  return response.ok ? response.json() : null;
}

/** A passage of the knowledge base, by the address a citation gives. */
export async function readPassage(path) {
  return (await send(path, {})).json();
}

/** Keep what the visitor thought of an answer: "up" or "down". */
export async function rateAnswer(messageId, rating) {
  await postJson(`/api/chat/message/${messageId}/feedback`, { rating });
}

/** Ask a question and yield the answer's events as they arrive, the last of type "done". */
export async function* streamAnswer(sessionId, message, signal) {
  const response = await postJson(
    "/api/chat/message/stream",
    { session_id: sessionId, message },
    signal,
  );
  let last = null;
  for await (const event of serverEvents(response.body, signal)) {
    last = event;
    if (event.type === "error") {
      throw new ApiError(event.status ?? 500, event.detail ?? event.content, event);
    }
    yield event;
  }
  if (last?.type !== "done") {
    throw new ApiError(0, "La respuesta se cortó antes de terminar. Vuelva a intentar.");
  }
}

/** Parse a text/event-stream body whose data fields hold JSON. */
export async function* serverEvents(body, signal) {
  for await (const event of pieces(body, /\r\n\r\n|\n\n|\r\r/, signal)) {
    const data = dataOf(event);
    if (data) yield JSON.parse(data);
  }
}

/** The text of a body, cut at a separator, as it arrives; what follows the last one is left out. */
async function* pieces(body, separator, signal) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  const stop = () => reader.cancel().catch(() => {});
  signal?.addEventListener("abort", stop);
  let pending = "";
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(() => {
        signal?.throwIfAborted();
        throw new ApiError(0, "Se perdió la conexión mientras llegaba la respuesta.");
      });
      signal?.throwIfAborted();
      if (done) break;
      const found = (pending + value).split(separator);
      pending = found.pop();
      yield* found;
    }
  } finally {
    signal?.removeEventListener("abort", stop);
    stop();
  }
}

function dataOf(event) {
  const lines = event.split(/\r\n|\n|\r/).filter((line) => line.startsWith("data:"));
  return lines.map((line) => line.slice(5).replace(/^ /, "")).join("\n");
}

const postBytes = (path, bytes, contentType, signal) =>
  send(path, { method: "POST", headers: { "Content-Type": contentType }, body: bytes, signal });

/** Validate a document given as bytes, exactly as its author wrote them. */
export async function validateDocument(bytes, contentType, params, signal) {
  const address = `/api/dte/validate?${new URLSearchParams(params)}`;
  const response = await postBytes(address, bytes, contentType, signal);
  return response.json();
}

/** Examine a file again with fields beside it, such as the password that opens it. */
export async function validateForm({ bytes, name, contentType }, fields, params, signal) {
  const body = new FormData();
  body.append("file", new Blob([bytes], { type: contentType }), name);
  for (const [field, value] of fields) body.append(field, value);
  const address = `/api/dte/validate?${new URLSearchParams(params)}`;
  return (await send(address, { method: "POST", body, signal })).json();
}

/** Validate a ZIP or a large envelope and yield the lines of the answer as they arrive. */
export async function* validateBatch(bytes, contentType, params, signal) {
  const address = `/api/dte/validate/batch?${new URLSearchParams(params)}`;
  const response = await postBytes(address, bytes, contentType, signal);
  for await (const line of pieces(response.body, "\n", signal)) {
    if (line) yield JSON.parse(line);
  }
}
