/** The document to validate: its bytes as its author wrote them, and its text to show. */

/** A document, or many in a ZIP, read from a file. */
export async function fromFile(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (String.fromCharCode(...bytes.subarray(0, 4)) === "PK\x03\x04") {
    return { name: file.name, bytes, kind: "zip", contentType: "application/zip" };
  }
  return describe(file.name, bytes, decode(bytes));
}

/**
 * A document pasted as text.
 *
 * Pasting loses the bytes, so they are written again in the encoding the text itself declares:
 * sent otherwise, the validator would find a mismatch that the original does not have. What
 * ISO-8859-1 cannot hold becomes a character reference, which means the same in XML.
 */
export function fromText(text, name = "Documento pegado") {
  const bytes = /^(iso-8859-1|latin-?1|windows-1252)$/i.test(declaredEncoding(text))
    ? latin1(text)
    : new TextEncoder().encode(text);
  return describe(name, bytes, text);
}

function describe(name, bytes, text) {
  const json = /^\s*[[{]/.test(text);
  return { name, bytes, text, kind: json ? "json" : "xml", contentType: json ? "application/json" : "application/xml" };
}

const declaredEncoding = (text) =>
  /^\s*<\?xml[^>]*\bencoding\s*=\s*["']([\w.:-]+)["']/.exec(text)?.[1] ?? "utf-8";

function decode(bytes) {
  const start = new TextDecoder("iso-8859-1").decode(bytes.subarray(0, 200));
  let decoder;
  try {
    decoder = new TextDecoder(declaredEncoding(start));
  } catch {
    decoder = new TextDecoder(); // an encoding nobody knows: the validator will say so
  }
  return decoder.decode(bytes);
}

function latin1(text) {
  const out = [];
  for (const char of text) {
    const code = char.codePointAt(0);
    if (code < 256) out.push(code);
    else out.push(...Array.from(`&#${code};`, (digit) => digit.charCodeAt(0)));
  }
  return Uint8Array.from(out);
}
