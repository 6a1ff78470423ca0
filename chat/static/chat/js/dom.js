/** Building blocks of the page: elements are made from values, never from markup. */

const ICONS = document.documentElement.dataset.icons;
const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element.
 *
 * @param {string} tag
 * @param {Object} [props] Attributes; `class`, `data` (dataset), `on` (listeners). A value of
 *   null, undefined or false leaves the attribute out; true sets it empty.
 * @param {...(Node|string|number|null|undefined|false)} children
 * @returns {HTMLElement}
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    } else if (name === "data") {
      Object.assign(node.dataset, value);
    } else {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  node.append(...children.flat().filter(isContent).map(asNode));
  return node;
}

const isContent = (child) =>
  child !== null && child !== undefined && child !== false && child !== "";
const asNode = (child) => (child instanceof Node ? child : String(child));

/** One of the page's own icons, hidden from assistive technology: the text beside it speaks. */
export function icon(name, className = "icon") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", className);
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${ICONS}#${name}`);
  svg.append(use);
  return svg;
}

export const byId = (id) => document.getElementById(id);

/** Say something to screen readers without moving the focus. */
export function announce(text) {
  byId("announcer").textContent = text;
}

/** Whether the visitor asked for less movement. */
export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export const scrollBehavior = () => (calm() ? "auto" : "smooth");

const dollars = new Intl.NumberFormat("es-CL", {
  minimumFractionDigits: 2,
  maximumFractionDigits: 6,
});
const numbers = new Intl.NumberFormat("es-CL");

export const formatNumber = (value) => numbers.format(value);

/** What an answer says of its own cost, in words: "US$ 0,0042", "80 % leído de caché". */
export function costOf({ cost_usd: cost, cached, cache_read_share: share }) {
  if (cached) return ["repetida, sin costo"];
  const facts = Number(cost) > 0 ? [`US$ ${dollars.format(Number(cost))}`] : [];
  return share > 0 ? [...facts, `${Math.round(100 * share)} % leído de caché`] : facts;
}

/** `one` or `many` by the count, with the count in front. */
export const counted = (count, one, many) => `${formatNumber(count)} ${count === 1 ? one : many}`;
