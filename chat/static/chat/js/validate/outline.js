/**
 * Where things are in a document's text: its rows to show, and the row of each field.
 *
 * Most systems write a DTE, or at least its stamp, as one endless line. Such lines are shown broken
 * at their elements, under the number of the line they come from; the document stays as it is.
 */

const LONG = 200; // characters of a line with several elements, beyond which it is broken
const TOKEN = new RegExp(
  [
    /<!--[^]*?-->|<!\[CDATA\[[^]*?\]\]>|<\?[^]*?\?>/, // no element
    /<(\/?)([\w:.-]+)((?:[^<>"']|"[^"]*"|'[^']*')*?)(\/?)>/, // slash, name, attributes, slash
  ]
    .map((part) => part.source)
    .join("|"),
  "g",
);
const DOCUMENTS = new Set(["Documento", "Liquidacion", "Exportaciones"]);

/** The rows of a text: `{ line, start, text, depth }`, where `line` counts from 1 and repeats. */
export function rowsOf(text, kind) {
  const rows = [];
  let start = 0;
  text.split("\n").forEach((content, index) => {
    const pieces =
      kind === "xml" && content.length > LONG ? breakLine(content) : [{ at: 0, depth: 0 }];
    pieces.forEach(({ at, depth }, piece) => {
      const end = pieces[piece + 1]?.at ?? content.length;
      rows.push({
        line: index + 1,
        start: start + at,
        text: content.slice(at, end).replace(/\r$/, ""),
        depth,
      });
    });
    start += content.length + 1;
  });
  return rows;
}

/** Where a long line is broken: before each element, but not between an element and its text. */
function breakLine(content) {
  const breaks = [{ at: 0, depth: 0 }];
  let depth = 0;
  let previousEnd = 0;
  let justOpened = false;
  for (const { index, 0: whole, 1: closing, 2: name, 4: empty } of content.matchAll(TOKEN)) {
    const ends = closing === "/";
    if (ends) depth -= 1;
    // A break needs two tags side by side, and an element closed right after it opened stays whole.
    if (index > 0 && index === previousEnd && !(ends && justOpened))
      breaks.push({ at: index, depth: Math.max(0, depth) });
    if (name && !ends && !empty) depth += 1;
    justOpened = Boolean(name) && !ends && !empty;
    previousEnd = index + whole.length;
  }
  return breaks;
}

/**
 * The place of each element, by document and path as findings name them: below `Documento`, with
 * repeated elements numbered (`Detalle[3]/MontoItem`); outside documents, below the root.
 */
export class FieldIndex {
  constructor(text) {
    this.places = new Map();
    const open = []; // { name, counts, base }, outermost first
    let documents = 0;
    let current = 0;
    for (const { index, 1: closing, 2: qualified, 4: empty } of text.matchAll(TOKEN)) {
      if (!qualified) continue;
      if (closing) {
        if (open.pop()?.name === "DTE") current = 0;
        continue;
      }
      const name = qualified.replace(/^.*:/, "");
      if (name === "DTE") current = documents += 1;
      const parent = open.at(-1);
      const count = (parent?.counts.get(name) ?? 0) + 1;
      parent?.counts.set(name, count);
      const starts = !parent || name === "DTE" || DOCUMENTS.has(name);
      const path = starts ? "" : `${parent.path}${parent.path && "/"}${name}[${count}]`;
      const key = `${current}:${path}`;
      if (!this.places.has(key)) this.places.set(key, index);
      if (!empty) open.push({ name, path, counts: new Map() });
    }
  }

  /** The offset of the element itself, or null. */
  find(document, path) {
    return this.places.get(`${document}:${numbered(path)}`) ?? null;
  }

  /** The offset of the nearest element around a field that is missing. */
  around(document, path) {
    const steps = numbered(path).split("/");
    while (steps.length) {
      steps.pop();
      const place = this.places.get(`${document}:${steps.join("/")}`);
      if (place !== undefined) return place;
    }
    return null;
  }
}

/** A finding's path with every step numbered, without attributes. */
const numbered = (path) =>
  path
    .split("/")
    .filter((step) => step && !step.startsWith("@"))
    .map((step) => (step.endsWith("]") ? step : `${step}[1]`))
    .join("/");
