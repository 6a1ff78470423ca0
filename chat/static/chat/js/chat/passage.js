/** The passage behind a citation; the whole document and the official page are a step away. */

import { ApiError, readPassage } from "../api.js";
import { byId, el } from "../dom.js";
import { formatDate } from "../format.js";
import { renderMarkdown } from "../markdown.js";

const GONE = "El documento cambió y este pasaje ya no está en la base de conocimiento.";

/** Open the dialog on a citation; its text comes from the address the citation gives. */
export async function showPassage(citation) {
  const { title, section, url } = citation;
  byId("passage-title").textContent = title;
  byId("passage-place").textContent = section && section !== title ? section : "";
  byId("passage-origin").replaceChildren(...originOf(citation, null));
  byId("passage-links").replaceChildren(...linksOf(citation));
  byId("passage-dialog").showModal();
  byId("passage-title").focus();
  await show(url, ({ content, document: origin }) => {
    byId("passage-origin").replaceChildren(...originOf(citation, origin));
    return content;
  });
}

async function show(url, contentOf) {
  const text = byId("passage-text");
  text.textContent = "Cargando…";
  try {
    text.replaceChildren(renderMarkdown(contentOf(await readPassage(url))));
    text.scrollTop = 0;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    text.textContent = error.status === 404 ? GONE : error.message;
  }
}

function originOf({ source, version, date }, origin) {
  const since = origin?.valid_from;
  return [
    [
      source && `Fuente: ${source}`,
      version && `Versión ${version}${date ? ` del ${formatDate(date)}` : ""}`,
      since && `Vigente desde el ${formatDate(since)}`,
    ]
      .filter(Boolean)
      .join(" · "),
  ];
}

function linksOf({ official_url: official, document_url: whole }) {
  const open = (event) => {
    event.currentTarget.remove();
    byId("passage-place").textContent = "Documento completo";
    show(whole, ({ content, sections = [] }) => content ?? sections.map(asMarkdown).join("\n\n"));
  };
  return [
    official &&
      el(
        "a",
        { href: official, target: "_blank", rel: "noopener noreferrer" },
        "Página oficial ",
        el("span", { class: "sr-only" }, "(se abre en otra pestaña)"),
      ),
    whole &&
      el(
        "button",
        { class: "link", type: "button", on: { click: open } },
        "Ver el documento completo",
      ),
  ].filter(Boolean);
}

const asMarkdown = ({ section, content }) => (section ? `## ${section}\n\n${content}` : content);

/** Wire the dialog: its button, and a click beside it, close it. */
export function setUpPassageDialog() {
  const dialog = byId("passage-dialog");
  byId("passage-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
}
