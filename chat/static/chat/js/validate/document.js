/** The document to validate: its bytes as its author wrote them, and its text to show. */

const CONTROL = /[\x00-\x08\x0e-\x1a\x1c-\x1f]/; // eslint-disable-line no-control-regex

/** A document, many in a ZIP, or any other file; what has no text to show is sent as it is. */
export async function fromFile(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (String.fromCharCode(...bytes.subarray(0, 4)) === "PK\x03\x04") {
    return { name: file.name, bytes, kind: "zip", contentType: "application/zip" };
  }
  const utf16 =
    (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  if (!utf16 && CONTROL.test(new TextDecoder("iso-8859-1").decode(bytes.subarray(0, 4096)))) {
    return {
      name: file.name,
      bytes,
      text: "",
      kind: "binary",
      contentType: "application/octet-stream",
    };
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
  const kind = /^[\s\uFEFF]*[[{]/.test(text) ? "json" : /^[\s\uFEFF]*</.test(text) ? "xml" : "text";
  return { name, bytes, text, kind, contentType: CONTENT_TYPES[kind] };
}

const CONTENT_TYPES = { json: "application/json", xml: "application/xml", text: "text/plain" };

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
