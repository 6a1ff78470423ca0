/** What is seen while a document is judged: that it is, how long, and how to stop it. */

import { announce, byId } from "../dom.js";

const LONG = 10_000; // milliseconds after which people wonder

let timer = 0;

export function showBusy(name) {
  clearTimeout(timer);
  byId("busy-name").textContent = name;
  byId("busy-note").textContent = "";
  byId("busy").hidden = false;
  byId("drop").hidden = true;
  byId("panel-validate").setAttribute("aria-busy", "true");
  byId("busy-cancel").focus({ preventScroll: true });
  announce(`Validando ${name}…`);
  timer = setTimeout(() => {
    byId("busy-note").textContent =
      "Sigue en eso: un archivo grande o la revisión de la IA pueden tomar más de un momento.";
  }, LONG);
}

export function hideBusy() {
  clearTimeout(timer);
  byId("busy").hidden = true;
  byId("drop").hidden = false;
  byId("panel-validate").removeAttribute("aria-busy");
}
