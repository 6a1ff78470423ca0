/**
 * The visitor's API key: kept for this tab, or on this computer where the visitor says so; never in
 * a cookie, never in an address.
 */

import { byId } from "./dom.js";
import { ofComputer, ofTab } from "./storage.js";

const STORED_AS = "aiservice.key";
const USUAL_REASON = byId("key-reason").textContent;

export const currentKey = () => ofTab.getItem(STORED_AS) ?? ofComputer.getItem(STORED_AS) ?? "";

function keep(key, everywhere) {
  forget();
  (everywhere ? ofComputer : ofTab).setItem(STORED_AS, key);
}

function forget() {
  ofTab.removeItem(STORED_AS);
  ofComputer.removeItem(STORED_AS);
}

/** Take a key given as `#key=…` and remove it from the address bar and the history entry. */
export function takeKeyFromAddress() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const key = fragment.get("key");
  if (key === null) return;
  if (key.trim()) ofTab.setItem(STORED_AS, key.trim());
  history.replaceState(null, "", location.pathname + location.search);
}

let asking = null;

/**
 * Show the key dialog; callers that ask while it is open share its answer.
 *
 * @param {string} [reason] Why the key is needed, such as the service's refusal.
 * @returns {Promise<boolean>} Whether the visitor gave a key.
 */
export function requestKey(reason) {
  asking ??= ask(reason).finally(() => {
    asking = null;
  });
  return asking;
}

function ask(reason) {
  const dialog = byId("key-dialog");
  const input = byId("key-input");
  const said = byId("key-reason");
  said.textContent = reason ?? USUAL_REASON;
  said.classList.toggle("is-refusal", Boolean(reason));
  byId("key-forget").hidden = !currentKey();
  byId("key-remember").checked = ofComputer.getItem(STORED_AS) !== null;
  input.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  input.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "saved"), { once: true });
  });
}

/** Wire the dialog and its button; `changed` is called after another key was given or forgotten. */
export function setUpKeyDialog(changed) {
  const dialog = byId("key-dialog");
  byId("key-button").addEventListener("click", () => requestKey());
  byId("key-cancel").addEventListener("click", () => dialog.close(""));
  byId("key-forget").addEventListener("click", () => {
    forget();
    dialog.close("");
    changed();
  });
  byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const key = byId("key-input").value.trim();
    if (!key) return;
    keep(key, byId("key-remember").checked);
    dialog.close("saved");
    changed();
  });
}
