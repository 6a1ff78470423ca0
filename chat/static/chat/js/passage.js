/** The passage behind a citation, read from the knowledge base and shown over the conversation. */

import { ApiError, readPassage } from "./api.js";
import { byId } from "./dom.js";
import { renderMarkdown } from "./markdown.js";

/** Open the dialog on a citation; its text comes from the address the citation gives. */
export async function showPassage({ title, section, source, url }) {
  byId("passage-title").textContent = title;
  byId("passage-place").textContent = section && section !== title ? section : "";
  byId("passage-origin").textContent = source ? `Fuente: ${source}` : "";
  const text = byId("passage-text");
  text.textContent = "Cargando…";
  byId("passage-dialog").showModal();
  byId("passage-title").focus();
  try {
    const { content, document: origin } = await readPassage(url);
    text.replaceChildren(renderMarkdown(content));
    if (origin?.valid_from) {
      byId("passage-origin").append(
        `${source ? " · " : ""}Vigente desde el ${dayOf(origin.valid_from)}`,
      );
    }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    text.textContent =
      error.status === 404
        ? "El documento cambió y este pasaje ya no está en la base de conocimiento."
        : error.message;
  }
}

const dayOf = (date) => date.split("-").toReversed().join("-");

/** Wire the dialog: its button, and a click beside it, close it. */
export function setUpPassageDialog() {
  const dialog = byId("passage-dialog");
  byId("passage-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
}
