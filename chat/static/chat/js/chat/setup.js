/** Wires the chat panel: keys, buttons, files dropped on it. */

import { byId } from "../dom.js";
import { fromFile } from "../validate/document.js";
import { onFilesDropped } from "../validate/intake.js";
import { Chat, listenElsewhere } from "./chat.js";

/**
 * The result is what the rest of the page may do with the chat.
 *
 * @param {function(File[]): void} validate Takes files that cannot be attached to a question.
 */
export function setUpChat(validate) {
  const chat = new Chat();
  setUpComposer(chat);
  setUpFiles(chat, validate);
  byId("stop").addEventListener("click", () => chat.stop());
  byId("to-end").addEventListener("click", () => chat.toEnd());
  chat.scroller.addEventListener("scroll", () => chat.showToEnd(), { passive: true });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && chat.busy && !document.querySelector("dialog[open]")) chat.stop();
  });
  for (const example of document.querySelectorAll(".example")) {
    const question = example.querySelector(".example-text").textContent;
    example.addEventListener("click", () => {
      chat.composer.put(question);
      chat.send();
    });
  }
  listenElsewhere(chat);
  chat.restore();
  chat.sidebar.refresh();
  chat.composer.focus();
  return chat;
}

function setUpComposer(chat) {
  byId("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    chat.send();
  });
  chat.composer.input.addEventListener("keydown", (event) => {
    // While an input method composes a character, Enter accepts it.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    chat.send();
  });
}

function setUpFiles(chat, validate) {
  const take = async (files) => {
    const taken = await Promise.all(files.map(fromFile));
    if (!chat.composer.attach(taken)) validate(files);
  };
  const input = byId("attach-file");
  byId("attach").addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = "";
    if (files.length) take(files);
  });
  onFilesDropped(byId("panel-chat"), take);
}
