/** The visitor's own company, to which received documents should be addressed: kept in this tab. */

import { byId } from "../dom.js";
import { ofTab } from "../storage.js";
import { chosenMode } from "./mode.js";

const STORED_AS = "aiservice.receptor";

/** Wire the field: what is a RUT is written as people write it, what is not is pointed out. */
export function setUpReceiver() {
  const field = byId("receiver");
  field.value = written(ofTab.getItem(STORED_AS) ?? "");
  field.addEventListener("input", () => showProblem(""));
  field.addEventListener("change", () => {
    const rut = tidy(field.value);
    showProblem(problemOf(rut));
    if (problemOf(rut)) return;
    field.value = written(rut);
    if (rut) ofTab.setItem(STORED_AS, rut);
    else ofTab.removeItem(STORED_AS);
  });
}

/** The parameter that says who received the documents, if that was said; null if it is no RUT. */
export function receiverParams() {
  if (chosenMode() !== "reception") return {};
  const rut = tidy(byId("receiver").value);
  if (!rut) return {};
  const problem = problemOf(rut);
  showProblem(problem);
  return problem ? null : { receptor: rut };
}

function showProblem(problem) {
  byId("receiver-problem").textContent = problem;
  byId("receiver").setAttribute("aria-invalid", String(Boolean(problem)));
}

/** As documents carry it, 76543210-3; people leave out the dots, and the dash. */
const tidy = (text) =>
  text
    .toUpperCase()
    .replace(/[\s.‐-―-]/g, "")
    .replace(/.$/, "-$&");

const written = (rut) => rut.replace(/\B(?=(\d{3})+-)/g, ".");

function problemOf(rut) {
  if (!rut) return "";
  const [, body, digit] = /^(\d{6,8})-([\dK])$/.exec(rut) ?? [];
  if (!body) return "Escriba el RUT completo, por ejemplo 76.192.083-9, o deje el campo vacío.";
  if (digit === checkDigit(body)) return "";
  return "El dígito verificador no corresponde a ese número: revise el RUT o deje el campo vacío.";
}

/** Módulo 11: the digits from the right, weighed 2 to 7 over and over. */
function checkDigit(body) {
  const sum = [...body]
    .toReversed()
    .reduce((total, digit, index) => total + Number(digit) * (2 + (index % 6)), 0);
  return "0K987654321"[sum % 11];
}
