/** How documents come in: chosen, dropped, pasted, or one of the samples. */

import { fromFile, fromText } from "./document.js";
import { byId } from "../dom.js";

/** Wire the ways in; `take(read, paramsOf?)` gets what reads the documents. */
export function setUpIntake(take) {
  const file = byId("file");
  byId("choose").addEventListener("click", () => file.click());
  file.addEventListener("change", async () => {
    const files = [...file.files]; // the list is emptied with the field
    file.value = "";
    if (files.length) await take(() => readFiles(files));
  });
  setUpPasting(take);
  setUpDropping(take);
  for (const sample of document.querySelectorAll("[data-sample]")) {
    // A sample is judged on its own day, or it would be found old ever after, and is nobody's.
    const { sample: address, asOf } = sample.dataset;
    sample.addEventListener("click", () =>
      take(
        () => readSample(address),
        () => ({ as_of: asOf }),
      ),
    );
  }
}

export const readFiles = (files) => Promise.all(files.map(fromFile));

function setUpPasting(take) {
  const toggle = byId("paste");
  const form = byId("paste-form");
  toggle.addEventListener("click", () => {
    form.hidden = !form.hidden;
    toggle.setAttribute("aria-expanded", String(!form.hidden));
    if (!form.hidden) byId("pasted").focus();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = byId("pasted").value;
    if (text.trim()) take(() => [fromText(text)]);
  });
}

const carriesFile = (event) => event.dataTransfer?.types.includes("Files");

/** Let files be dropped on a panel, which shows that they may be. */
export function onFilesDropped(panel, take) {
  panel.addEventListener("dragover", (event) => {
    if (!carriesFile(event)) return;
    event.preventDefault();
    panel.classList.add("is-dragging");
  });
  panel.addEventListener("dragleave", (event) => {
    if (!panel.contains(event.relatedTarget)) panel.classList.remove("is-dragging");
  });
  panel.addEventListener("drop", (event) => {
    panel.classList.remove("is-dragging");
    if (!carriesFile(event)) return;
    event.preventDefault();
    const files = [...event.dataTransfer.files];
    if (files.length) take(files);
  });
}

const setUpDropping = (take) =>
  onFilesDropped(byId("panel-validate"), (files) => take(() => readFiles(files)));

async function readSample(address) {
  const response = await fetch(address);
  const blob = await response.blob();
  return [await fromFile(new File([blob], address.split("/").pop()))];
}
