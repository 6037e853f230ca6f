// @ts-check
// A zip archive's files, read behind limits: what it says of itself is not believed. An archive
// without a folder of its own gets one of its name.
//
//   unzipped(blob, name)   promise of [{path, blob}]; rejects with an Error of one sentence
//
// Stored and deflated files; neither encryption nor zip64, which no source repository needs.

import { readAll, TooLarge, unpacked } from "../worker/bounded_stream.js";
import { leftOut, MOST_BYTES, MOST_FILES, MOST_TOTAL, pathProblem } from "./paths.js";

const END = 0x06054b50,
  CENTRAL = 0x02014b50,
  LOCAL = 0x04034b50; // signatures
const END_BYTES = 22,
  MOST_COMMENT = 65_535;
const MOST_DIRECTORY = 16e6; // bytes of the list of files
const MOST_ENTRIES = 20 * MOST_FILES;
const STORED = 0,
  DEFLATED = 8;

/**
 * @param {Blob} blob
 * @param {string} name
 */
export async function unzipped(blob, name) {
  const damaged = (/** @type {string} */ why) => new Error(`${name}.zip cannot be read: ${why}.`);
  const listed = await entriesOf(blob, damaged);
  const files = listed.filter(({ path }) => !path.endsWith("/") && !leftOut(path));
  if (files.length > MOST_FILES)
    throw new Error(
      `${name}.zip has ${files.length.toLocaleString("en")} files: there may be ${MOST_FILES.toLocaleString("en")}.`,
    );
  const roots = new Set(files.map(({ path }) => (path.includes("/") ? path.slice(0, path.indexOf("/")) : "")));
  const prefix = roots.size === 1 && !roots.has("") ? "" : `${name}/`;
  /** @type {{ path: string, blob: Blob }[]} */
  const items = [];
  let left = MOST_TOTAL;
  for (const file of files) {
    const path = prefix + file.path;
    const problem = pathProblem(path);
    if (problem) throw damaged(problem.replace(/\.$/, ""));
    try {
      const content = await contentOf(blob, file, Math.min(MOST_BYTES, left), damaged);
      left -= content.length;
      items.push({ path, blob: new Blob([content]) });
    } catch (error) {
      if (error instanceof TooLarge) throw new Error(`${name}.zip unpacks to more than this page takes (${path}).`);
      if (error instanceof Error && error.message.startsWith(name)) throw error;
      throw damaged(`${path} is damaged`);
    }
  }
  return items;
}

/** @typedef {{ path: string, method: number, packed: number, at: number }} Listed */

/**
 * @param {Blob} blob
 * @param {(why: string) => Error} damaged
 */
async function entriesOf(blob, damaged) {
  const tailAt = Math.max(0, blob.size - END_BYTES - MOST_COMMENT);
  const tail = new DataView(await blob.slice(tailAt).arrayBuffer());
  let end = tail.byteLength - END_BYTES;
  while (end >= 0 && tail.getUint32(end, true) !== END) end--;
  if (end < 0) throw damaged("it is no zip archive, or it is cut off");
  const count = tail.getUint16(end + 10, true),
    size = tail.getUint32(end + 12, true),
    at = tail.getUint32(end + 16, true);
  if (count === 0xffff || size === 0xffffffff || at === 0xffffffff) throw damaged("it is a zip64 archive");
  if (size > MOST_DIRECTORY || count > MOST_ENTRIES) throw damaged("it lists too many files");
  if (at + size > blob.size) throw damaged("it is cut off");
  const list = new DataView(await blob.slice(at, at + size).arrayBuffer());
  /** @type {Listed[]} */
  const found = [];
  const names = new Set();
  for (let i = 0, from = 0; i < count; i++) {
    if (from + 46 > list.byteLength || list.getUint32(from, true) !== CENTRAL)
      throw damaged("its list of files is damaged");
    const flags = list.getUint16(from + 8, true),
      method = list.getUint16(from + 10, true),
      packed = list.getUint32(from + 20, true),
      length = list.getUint16(from + 28, true);
    const path = nameOf(new Uint8Array(list.buffer, from + 46, Math.min(length, list.byteLength - from - 46)));
    if (flags & 1) throw damaged("it is encrypted");
    if (names.has(path)) throw damaged(`it has ${path.slice(0, 60)} twice`);
    names.add(path);
    found.push({ path, method, packed, at: list.getUint32(from + 42, true) });
    from += 46 + length + list.getUint16(from + 30, true) + list.getUint16(from + 32, true);
  }
  return found;
}

/** @param {Uint8Array} bytes */
const nameOf = (bytes) => new TextDecoder().decode(bytes).replaceAll("\\", "/");

/**
 * @param {Blob} blob
 * @param {Listed} file
 * @param {number} most  bytes
 * @param {(why: string) => Error} damaged
 */
async function contentOf(blob, { path, method, packed, at }, most, damaged) {
  const head = new DataView(await blob.slice(at, at + 30).arrayBuffer());
  if (head.byteLength < 30 || head.getUint32(0, true) !== LOCAL) throw damaged(`${path} is not where the list says`);
  const begin = at + 30 + head.getUint16(26, true) + head.getUint16(28, true);
  const content = blob.slice(begin, begin + packed);
  if (content.size !== packed) throw damaged("it is cut off");
  if (method === STORED) {
    if (packed > most) throw new TooLarge(most);
    return new Uint8Array(await content.arrayBuffer());
  }
  if (method !== DEFLATED) throw damaged(`${path} is packed in a way that browsers do not know`);
  return readAll(unpacked(content, "deflate-raw"), most);
}
