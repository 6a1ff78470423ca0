/**
 * Several files as one ZIP, so that they are judged together: one request, and what repeats in them
 * is found. Stored, not compressed: the way to the service is short. Format: PKWARE APPNOTE 6.3.
 */

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const UTF8 = 0x0800; // the name's encoding

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = CRC_TABLE[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

/** The bytes of a ZIP with these files: `{ name, bytes }` each. */
export function archiveOf(files) {
  const parts = [];
  const directory = [];
  let offset = 0;
  const named = uniquelyNamed(files);
  for (const { name, bytes } of named) {
    const encoded = new TextEncoder().encode(name);
    const sums = [crc32(bytes), bytes.length, bytes.length];
    const head = record([LOCAL], [20, UTF8, 0, 0, 0], sums, [encoded.length, 0]);
    const entry = record(
      [CENTRAL],
      [20, 20, UTF8, 0, 0, 0],
      sums,
      [encoded.length, 0, 0, 0, 0],
      [0, offset],
    );
    parts.push(head, encoded, bytes);
    directory.push(entry, encoded);
    offset += head.length + encoded.length + bytes.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const count = named.length;
  const end = record([END], [0, 0, count, count], [size, offset], [0]);
  return joined([...parts, ...directory, end]);
}

/** Numbers in little endian: groups of 32, 16, 32, 16, 32 bits, in turn. */
function record(...groups) {
  const bytes = [];
  groups.forEach((group, index) => {
    const width = index % 2 ? 2 : 4;
    for (const value of group)
      for (let byte = 0; byte < width; byte += 1) bytes.push((value >>> (8 * byte)) & 0xff);
  });
  return Uint8Array.from(bytes);
}

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Files from two folders may share a name. */
function uniquelyNamed(files) {
  const seen = new Map();
  return files.map(({ name, bytes }) => {
    const times = (seen.get(name) ?? 0) + 1;
    seen.set(name, times);
    return { name: times > 1 ? `${times}-${name}` : name, bytes };
  });
}
