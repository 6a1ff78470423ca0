/** Past answers of the service, in the shape of fresh ones. */

import { readValidation, readValidations } from "../api.js";
import { isOtherFile } from "./file_view.js";

/** A stored answer as if it had just been given. */
export async function storedReport(id) {
  const stored = await readValidation(id);
  const report = { ...stored, outcome: stored.outcome };
  if (isOtherFile(stored)) return { ...otherFile(stored), ...report };
  if (stored.number === 0 && stored.batch) report.documents = await documentsOf(stored);
  return report;
}

/** What the history keeps of another kind of file, under the names of the fresh answer. */
const otherFile = ({ document: kept }) => ({
  title: kept.type_name,
  headline: kept.headline ?? kept.type_name,
  facts: kept.facts ?? [],
  tables: kept.tables ?? [],
  links: kept.links ?? [],
  valid_for_sii: {
    statement: kept.statement ?? "De este archivo no se guarda más que su resultado.",
    checked: [],
    not_checked: kept.not_checked ?? [],
  },
});

/** The lines of a batch, as rows of the history: without findings, which are read when opened. */
export async function storedBatch(ids) {
  const rows = [];
  for (const batch of ids) {
    const found = await allRows({ batch });
    rows.push(...found.toSorted((one, other) => one.number - other.number));
  }
  return rows.map(asLine);
}

const asLine = (row) =>
  Object.assign({ type: typeOf(row) }, row, isOtherFile(row) ? titled(row) : {});

const titled = ({ document: kept }) => ({
  title: kept.type_name,
  headline: kept.headline ?? kept.type_name,
});

function typeOf(row) {
  if (isOtherFile(row)) return "file";
  return row.kind === "DTE" ? "document" : "envelope";
}

async function documentsOf({ batch }) {
  const rows = (await allRows({ batch })).filter(({ number }) => number > 0);
  return rows.toSorted((one, other) => one.number - other.number);
}

async function allRows(filters) {
  const rows = [];
  let page = await readValidations({ ...filters, page_size: 200 });
  rows.push(...page.results);
  while (page.next) {
    page = await readValidations({}, page.next);
    rows.push(...page.results);
  }
  return rows;
}
