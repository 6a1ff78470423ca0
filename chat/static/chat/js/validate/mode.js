/** The switch between documents to send and documents received, and the words that go with it. */

import { byId } from "../dom.js";

export const chosenMode = () => document.querySelector("input[name=mode]:checked").value;

function show() {
  for (const words of document.querySelectorAll("[data-mode]"))
    words.hidden = words.dataset.mode !== chosenMode();
}

export function setUpMode() {
  byId("mode").addEventListener("change", show);
  show();
}
