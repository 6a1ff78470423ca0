/** The service's API as this page uses it. Every failure arrives as an ApiError. */

import { currentKey, requestKey } from "./key.js";

/** A refusal or failure, with a text fit for the visitor. `status` is 0 when no answer came. */
export class ApiError extends Error {
  /** @param {Object} [body] What the service said: `code`, `retry_after`, and the refusal's facts. */
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
  const detail = body.detail || BY_STATUS[response.status] ||
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
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  const stop = () => reader.cancel().catch(() => {});
  signal?.addEventListener("abort", stop);
  let pending = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      signal?.throwIfAborted();
      if (done) break;
      // An event ends at a blank line; what follows the last one is not complete yet.
      const events = (pending + value).split(/\r\n\r\n|\n\n|\r\r/);
      pending = events.pop();
      for (const event of events) {
        const data = dataOf(event);
        if (data) yield JSON.parse(data);
      }
    }
  } catch {
    signal?.throwIfAborted();
    throw new ApiError(0, "Se perdió la conexión mientras llegaba la respuesta.");
  } finally {
    signal?.removeEventListener("abort", stop);
    stop();
  }
}

function dataOf(event) {
  const lines = event.split(/\r\n|\n|\r/).filter((line) => line.startsWith("data:"));
  return lines.map((line) => line.slice(5).replace(/^ /, "")).join("\n");
}

/** Validate a document given as bytes, exactly as its author wrote them. */
export async function validateDocument(bytes, contentType, params = {}) {
  const query = new URLSearchParams(params).toString();
  const response = await send(`/api/dte/validate${query && `?${query}`}`, {
    method: "POST",
    headers: { "Content-Type": contentType },
    body: bytes,
  });
  return response.json();
}
