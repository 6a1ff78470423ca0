/**
 * Markdown to DOM nodes, for text that nobody vouches for.
 *
 * Nodes are built one by one and text is always a text node, so nothing in the source can become
 * markup. Links open only http and https; images become links. The subset is what answers use:
 * headings, paragraphs, lists, quotes, tables, fenced code, rules, and inline marks.
 */

import { copyButton } from "./clipboard.js";
import { el } from "./dom.js";

const DEEPEST = 6; // nesting of lists and quotes; deeper text stays text
const TOP_HEADING = 3; // the page itself uses h1 and h2; answers rarely use their own first level

/** Render a whole text into a fragment. */
export function renderMarkdown(text) {
  const fragment = document.createDocumentFragment();
  fragment.append(...parseBlocks(text).map(blockNode));
  return fragment;
}

/** A container that follows a growing text, touching only the blocks that changed. */
export class LiveMarkdown {
  constructor(container) {
    this.container = container;
    this.shown = [];
  }

  update(text) {
    const blocks = parseBlocks(text);
    const keys = blocks.map((block) => JSON.stringify(block));
    let same = 0;
    while (same < keys.length && keys[same] === this.shown[same]) same += 1;
    while (this.container.childNodes.length > same) this.container.lastChild.remove();
    this.container.append(...blocks.slice(same).map(blockNode));
    this.shown = keys;
  }
}

const OPEN_EMPHASIS = /(?:^|[\s(])\*[^\s*][^*]*$/;
const odd = (text, mark) => text.split(mark).length % 2 === 0;

/**
 * A text cut anywhere, with the marks its last line left open closed: drawn while it grows, bold
 * text is bold from its first letter and no bare asterisks flicker.
 */
export function closeMarks(text) {
  if (odd(text, "```")) return text;
  const whole = text.replace(/(?<!\n)[*`]+$/, "");
  const line = whole.slice(whole.lastIndexOf("\n") + 1);
  if (odd(line, "`")) return `${whole}\``;
  if (odd(line, "**")) return `${whole.trimEnd()}**`;
  return OPEN_EMPHASIS.test(line) ? `${whole.trimEnd()}*` : text;
}

// --- Blocks -------------------------------------------------------------------------------------

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([\w+-]*)/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])(\s+|$)/;
const DELIMITER = /^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;
const BLANK = /^\s*$/;

function parseBlocks(text, depth = 0) {
  const lines = typeof text === "string" ? text.replace(/\r\n?/g, "\n").split("\n") : text;
  const blocks = [];
  let at = 0;
  while (at < lines.length) {
    if (BLANK.test(lines[at])) {
      at += 1;
      continue;
    }
    const reader = READERS.find((candidate) => candidate.starts(lines, at, depth));
    const [block, next] = reader.read(lines, at, depth);
    blocks.push(block);
    at = next;
  }
  return blocks;
}

const READERS = [
  { starts: (lines, at) => FENCE.test(lines[at]), read: readFence },
  { starts: (lines, at) => HEADING.test(lines[at]), read: readHeading },
  { starts: (lines, at) => RULE.test(lines[at]), read: (lines, at) => [{ type: "rule" }, at + 1] },
  { starts: (lines, at, depth) => depth < DEEPEST && QUOTE.test(lines[at]), read: readQuote },
  { starts: (lines, at, depth) => depth < DEEPEST && ITEM.test(lines[at]), read: readList },
  { starts: isTable, read: readTable },
  { starts: () => true, read: readParagraph },
];

function readFence(lines, at) {
  const [, fence, language] = FENCE.exec(lines[at]);
  const closing = new RegExp(`^ {0,3}${fence[0]}{${fence.length},}\\s*$`);
  let end = at + 1;
  while (end < lines.length && !closing.test(lines[end])) end += 1;
  return [{ type: "code", language, text: lines.slice(at + 1, end).join("\n") }, end + 1];
}

function readHeading(lines, at) {
  const [, marks, text] = HEADING.exec(lines[at]);
  return [{ type: "heading", level: marks.length, text }, at + 1];
}

function readQuote(lines, at, depth) {
  let end = at;
  while (end < lines.length && QUOTE.test(lines[end])) end += 1;
  const inner = lines.slice(at, end).map((line) => line.replace(QUOTE, ""));
  return [{ type: "quote", blocks: parseBlocks(inner, depth + 1) }, end];
}

function readList(lines, at, depth) {
  const [, indent, marker] = ITEM.exec(lines[at]);
  const ordered = /\d/.test(marker);
  const items = [];
  let loose = false;
  let end = at;
  while (end < lines.length) {
    const match = ITEM.exec(lines[end]);
    if (!match || match[1].length > indent.length + 1 || /\d/.test(match[2]) !== ordered) break;
    if (RULE.test(lines[end])) break;
    const [item, next, gap] = readItem(lines, end, match);
    items.push(parseBlocks(item, depth + 1));
    loose ||= gap;
    end = next;
  }
  const start = ordered ? Number.parseInt(marker, 10) : null;
  return [{ type: "list", ordered, start, loose, items }, end];
}

/** The lines of one item without its indentation, where the next begins, and whether a gap came. */
function readItem(lines, at, [whole, indent]) {
  const item = [lines[at].slice(whole.length)];
  let end = at + 1;
  let gap = false;
  for (; end < lines.length; end += 1) {
    const line = lines[end];
    if (BLANK.test(line)) {
      const next = lines.slice(end + 1).find((later) => !BLANK.test(later));
      if (next === undefined || leading(next) <= indent.length) {
        gap = next !== undefined && ITEM.test(next);
        while (end < lines.length && BLANK.test(lines[end])) end += 1;
        break;
      }
      gap = true;
      item.push("");
    } else if (leading(line) > indent.length + 1) {
      item.push(line.slice(Math.min(leading(line), whole.length)));
    } else if (startsBlock(line)) {
      break;
    } else {
      item.push(line.trimStart());
    }
  }
  return [item, end, gap];
}

const leading = (line) => line.length - line.trimStart().length;
const startsBlock = (line) =>
  ITEM.test(line) || HEADING.test(line) || FENCE.test(line) || QUOTE.test(line) || RULE.test(line);

function isTable(lines, at) {
  return (
    lines[at].includes("|") &&
    at + 1 < lines.length &&
    DELIMITER.test(lines[at + 1]) &&
    cells(lines[at]).length === cells(lines[at + 1]).length
  );
}

function readTable(lines, at) {
  const head = cells(lines[at]);
  const align = cells(lines[at + 1]).map((cell) =>
    cell.endsWith(":") ? (cell.startsWith(":") ? "center" : "end") : null,
  );
  const rows = [];
  let end = at + 2;
  for (; end < lines.length && lines[end].includes("|") && !BLANK.test(lines[end]); end += 1) {
    const row = cells(lines[end]);
    rows.push(head.map((_, column) => row[column] ?? ""));
  }
  return [{ type: "table", head, align, rows }, end];
}

function cells(line) {
  const trimmed = line
    .trim()
    .replace(/^\|/, "")
    .replace(/(?<!\\)\|$/, "");
  return trimmed.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

function readParagraph(lines, at) {
  let end = at + 1;
  while (
    end < lines.length &&
    !BLANK.test(lines[end]) &&
    !startsBlock(lines[end]) &&
    !isTable(lines, end)
  ) {
    end += 1;
  }
  const text = lines
    .slice(at, end)
    .map((line) => line.trimStart())
    .join("\n");
  return [{ type: "paragraph", text: text.trimEnd() }, end];
}

// --- Nodes --------------------------------------------------------------------------------------

const NODES = {
  rule: () => el("hr"),
  paragraph: ({ text }) => el("p", {}, inline(text)),
  heading: ({ level, text }) =>
    el(`h${Math.min(6, Math.max(TOP_HEADING, level + 1))}`, {}, inline(text)),
  code: ({ language, text }) =>
    el(
      "div",
      { class: "code-block" },
      copyButton(() => text, { label: "Copiar código", className: "copy-code" }),
      el("pre", { tabindex: "0" }, el("code", { data: language ? { language } : {} }, text)),
    ),
  quote: ({ blocks }) => el("blockquote", {}, blocks.map(blockNode)),
  list: ({ ordered, start, loose, items }) =>
    el(
      ordered ? "ol" : "ul",
      { start: ordered && start !== 1 ? start : null },
      items.map((blocks) =>
        el(
          "li",
          {},
          blocks.flatMap((block) => itemNodes(block, loose)),
        ),
      ),
    ),
  table: tableNode,
};

const blockNode = (block) => NODES[block.type](block);

const itemNodes = (block, loose) =>
  block.type === "paragraph" && !loose ? inline(block.text) : [blockNode(block)];

function tableNode({ head, align, rows }) {
  const row = (tag, values) =>
    el(
      "tr",
      {},
      values.map((value, column) =>
        el(
          tag,
          {
            class: align[column] ? `align-${align[column]}` : null,
            scope: tag === "th" ? "col" : null,
          },
          inline(value),
        ),
      ),
    );
  return el(
    "div",
    { class: "table-scroll", tabindex: "0" },
    el(
      "table",
      {},
      el("thead", {}, row("th", head)),
      el(
        "tbody",
        {},
        rows.map((values) => row("td", values)),
      ),
    ),
  );
}

// --- Inline -------------------------------------------------------------------------------------

const INLINE = [
  { at: "\\", match: /\\([!-/:-@[-`{-~])/y, make: ([, mark]) => mark },
  {
    at: "`",
    match: /(`+)(?!`)([^]*?[^`])\1(?!`)/y,
    make: ([, , code]) => el("code", {}, code.trim()),
  },
  {
    at: "*",
    match: /\*\*(?=\S)([^]*?\S)\*\*/y,
    make: ([, text]) => el("strong", {}, inline(text)),
  },
  {
    at: "*",
    match: /\*(?=[^\s*])([^*]*[^\s*])\*(?!\*)/y,
    make: ([, text]) => el("em", {}, inline(text)),
  },
  {
    at: "_",
    match: /(?<!\w)__(?=\S)([^]*?\S)__(?!\w)/y,
    make: ([, text]) => el("strong", {}, inline(text)),
  },
  {
    at: "_",
    match: /(?<!\w)_(?=[^\s_])([^_]*[^\s_])_(?!\w)/y,
    make: ([, text]) => el("em", {}, inline(text)),
  },
  { at: "~", match: /~~(?=\S)([^]*?\S)~~/y, make: ([, text]) => el("del", {}, inline(text)) },
  {
    at: "!",
    match: /!\[([^\]]*)\]\(\s*<?((?:[^\s()<>]|\([^\s()]{0,200}\)){1,1000})>?[^()]{0,200}\)/y,
    link: true,
    make: ([, text, url]) => link(url, [text || url]),
  },
  // A citation of a passage; `L[1]` and `Detalle[3]` are the SII's own notation and stay text.
  {
    at: "[",
    match: /(?<![\w/])\[(\d{1,2})\](?!\()/y,
    link: true,
    make: ([, number]) => citation(number),
  },
  {
    at: "[",
    match: /\[([^\]]+)\]\(\s*<?((?:[^\s()<>]|\([^\s()]{0,200}\)){1,1000})>?[^()]{0,200}\)/y,
    link: true,
    make: ([, text, url]) => link(url, inline(text, false)),
  },
  { at: "<", match: /<(https?:\/\/[^\s<>]+)>/y, link: true, make: ([, url]) => link(url, [url]) },
  {
    at: "h",
    match: /(?<![\w/])https?:\/\/[^\s<>"'`]*[^\s<>"'`.,;:!?)\]*_]/y,
    link: true,
    make: ([url]) => link(url, [url]),
  },
  { at: " ", match: / {2,}\n/y, make: () => el("br") },
];

const SPECIAL = new Set(INLINE.map((rule) => rule.at));

/** @param {boolean} links Whether links may be made: a link's own text holds none. */
function inline(text, links = true) {
  const nodes = [];
  let plain = "";
  let at = 0;
  while (at < text.length) {
    const found = SPECIAL.has(text[at]) ? inlineAt(text, at, links) : null;
    if (!found) {
      plain += text[at];
      at += 1;
    } else {
      if (plain) nodes.push(plain);
      plain = "";
      nodes.push(...[found.node].flat());
      at = found.end;
    }
  }
  if (plain) nodes.push(plain);
  return nodes;
}

function inlineAt(text, at, links) {
  for (const rule of INLINE) {
    if (rule.at !== text[at] || (rule.link && !links)) continue;
    rule.match.lastIndex = at;
    const match = rule.match.exec(text);
    if (match) return { node: rule.make(match), end: rule.match.lastIndex };
  }
  return null;
}

/** Disabled until whoever shows the text knows what the number stands for. */
const citation = (number) =>
  el(
    "button",
    {
      class: "citation",
      type: "button",
      disabled: true,
      data: { cites: number },
      "aria-label": `Fuente ${number}`,
    },
    number,
  );

/** A link that leaves the page, or only its text when the address is not plain http(s). */
function link(address, content) {
  let url;
  try {
    url = new URL(address);
  } catch {
    return content;
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") return content;
  return el(
    "a",
    { href: url.href, target: "_blank", rel: "noopener noreferrer nofollow" },
    content,
  );
}
