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
  let key = currentKey();
  let response = await attempt(path, options);
  while (response.status === 401) {
    const { message } = await refusal(response);
    // Refused late, a request need not ask for the key that another one has got meanwhile.
    if (key === currentKey() && !(await requestKey(message))) throw new ApiError(401, message);
    key = currentKey();
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

const sessionPath = (id, rest = "") => `/api/chat/session/${encodeURIComponent(id)}${rest}`;

/** The stored conversation, or null when it is gone. */
export async function readSession(id) {
  const response = await attempt(sessionPath(id), {});
  if (response.ok) return response.json();
  if (response.status === 404) return null;
  throw await refusal(response);
}

/** A page of the key's conversations; `next` of the page before leads on. */
export async function readConversations({ search, next }) {
  const query = next
    ? new URL(next).search
    : `?${new URLSearchParams(search ? { q: search } : {})}`;
  return (await send(`/api/chat/conversations${query}`, {})).json();
}

/** Rename a conversation; an empty title brings the automatic one back. */
export async function renameSession(id, title) {
  const headers = { "Content-Type": "application/json" };
  const options = { method: "PATCH", headers, body: JSON.stringify({ title }) };
  return (await send(sessionPath(id), options)).json();
}

export const deleteSession = (id) => send(sessionPath(id), { method: "DELETE" });

/** The conversation as a file: "json" or "markdown". */
export const exportSession = async (id, format) =>
  (await send(sessionPath(id, `/export?format=${format}`), {})).blob();

/** Stop the answer that is running there; its stream then ends by itself. */
export const stopSession = (id) => postJson(sessionPath(id, "/stop"), {});

/** A passage or a whole document of the knowledge base, by the address a citation gives. */
export async function readPassage(path) {
  return (await send(path, {})).json();
}

/** Keep what the visitor thought of an answer: "up", "down", or null for nothing any more. */
export async function rateAnswer(messageId, rating, reason) {
  const body = reason ? { rating, reason } : { rating };
  await postJson(`/api/chat/message/${messageId}/feedback`, body);
}

/** Ask; the events of the answer as they arrive. */
export async function* askEvents(body, signal) {
  const response = await postJson("/api/chat/message/stream", body, signal);
  yield* serverEvents(response.body, signal);
}

/** The events after `lastId`, or all of the answer that is running; null when there are none. */
export async function followEvents(id, lastId, signal) {
  const headers = lastId ? { "Last-Event-ID": lastId } : {};
  const response = await send(sessionPath(id, "/events"), { headers, signal });
  return response.status === 204 ? null : serverEvents(response.body, signal);
}

/** Parse a text/event-stream body: the JSON of its data fields, or only the id of one without. */
export async function* serverEvents(body, signal) {
  for await (const event of pieces(body, /\r\n\r\n|\n\n|\r\r/, signal)) {
    const data = fieldsOf(event, "data").join("\n");
    const id = fieldsOf(event, "id").at(-1);
    if (data) yield JSON.parse(data);
    else if (id) yield { type: "id", id };
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

function fieldsOf(event, name) {
  const start = `${name}:`;
  const lines = event.split(/\r\n|\n|\r/).filter((line) => line.startsWith(start));
  return lines.map((line) => line.slice(start.length).replace(/^ /, ""));
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

/** A past answer, whole. */
export async function readValidation(id) {
  return (await send(`/api/dte/validations/${encodeURIComponent(id)}`, {})).json();
}

/** A page of past answers; `next` of the page before leads on. */
export async function readValidations(filters, next) {
  const { search } = next ? new URL(next) : { search: `?${new URLSearchParams(filters)}` };
  return (await send(`/api/dte/validations${search}`, {})).json();
}
