/** One answer from its question to its end, over as many connections as it takes. */

import { ApiError, askEvents, followEvents } from "../api.js";

const LAST = new Set(["done", "stopped", "error"]);
const WAITS = [300, 700, 1500, 3000, 4000, 5000, 5000, 5000, 5000, 5000]; // milliseconds
const isLoss = (error) => error instanceof ApiError && error.status === 0;

/**
 * Ask and yield the events of the answer, the last of them `done` or `stopped`.
 *
 * After a loss of the connection it goes on from the event after the last one seen. Where that
 * cannot be had, the same question is asked again under the same name of its turn, which the
 * service answers once; `again` then says that the text begins anew. `lost` tells that the
 * connection is being sought.
 *
 * @param {Object} body As of the API, with `session_id` and `turn_id`.
 */
export const answerEvents = (body, signal) =>
  events(() => askEvents(body, signal), body.session_id, signal);

/** The events of the answer that is running in a conversation, from its beginning. */
export const runningEvents = (session, signal) =>
  events(async () => (await followEvents(session, null, signal)) ?? [], session, signal);

async function* events(ask, session, signal) {
  const seen = { id: null, text: false };
  let open = ask;
  for (let losses = 0; ;) {
    try {
      const found = await open();
      if (found === null) {
        // What is after the last event is gone from memory: the stored answer is given instead.
        if (seen.text) yield { type: "again" };
        seen.text = false;
        open = ask;
        continue;
      }
      for await (const event of found) {
        losses = 0;
        seen.id = event.id ?? seen.id;
        seen.text ||= event.type === "text";
        if (event.type === "error")
          throw new ApiError(event.status ?? 500, event.detail ?? event.content, event);
        if (event.type !== "id" && event.type !== "ping") yield event;
        if (LAST.has(event.type)) return;
      }
      throw new ApiError(0, "La respuesta se cortó antes de terminar.");
    } catch (error) {
      if (signal.aborted || !isLoss(error) || losses === WAITS.length) throw error;
      yield { type: "lost" };
      await pause(WAITS[losses], signal);
      losses += 1;
      open = seen.id ? () => followEvents(session, seen.id, signal) : ask;
    }
  }
}

/** Wait, but not longer than until the network is back. */
function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      removeEventListener("online", go);
      signal.removeEventListener("abort", cut);
    };
    const go = () => {
      stop();
      resolve();
    };
    const cut = () => {
      stop();
      reject(signal.reason);
    };
    const timer = setTimeout(go, milliseconds);
    addEventListener("online", go);
    signal.addEventListener("abort", cut);
  });
}
