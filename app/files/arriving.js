// @ts-check
// Files on their way into the tree: of a drop, of a file chooser, of a zip archive. Each gets its
// relative path; what a repository holds beside its sources (.git, caches) is left out.

import { leftOut, MOST_FILES } from "./paths.js";
import { unzipped } from "./unzip.js";

/** @typedef {{ path: string, blob: Blob }} Item */
/** @typedef {{ items: Item[], skipped: number }} Arrived  skipped: files that were left out */

const MOST_SEEN = 20 * MOST_FILES; // files of a folder that are looked at

/**
 * The files of a drop. To be called in the event: the browser takes the entries back after it.
 *
 * @param {DataTransfer} transfer
 * @returns {Promise<Arrived>}
 */
export function ofDrop(transfer) {
  const entries = [...(transfer.items ?? [])]
    .filter(({ kind }) => kind === "file")
    .map((item) => item.webkitGetAsEntry?.() ?? null);
  const files = [...transfer.files];
  if (entries.length && entries.every(Boolean)) return ofEntries(/** @type {any[]} */ (entries));
  return ofFiles(files);
}

// Whether a folder is among what is dropped.
/** @param {DataTransfer} transfer */
export const hasFolder = (transfer) =>
  [...(transfer.items ?? [])].some((item) => item.kind === "file" && item.webkitGetAsEntry?.()?.isDirectory);

/**
 * The files of a chooser.
 *
 * @param {File[]} files
 */
export async function ofFiles(files) {
  return arrived(files.map((file) => ({ path: file.webkitRelativePath || file.name, blob: file })));
}

/** @param {FileSystemEntry[]} entries */
async function ofEntries(entries) {
  /** @type {Item[]} */
  const found = [];
  let seen = 0;
  const walk = async (/** @type {any} */ entry) => {
    if (++seen > MOST_SEEN) throw new Error(`This folder has more than ${MOST_SEEN.toLocaleString("en")} files.`);
    const path = entry.fullPath.replace(/^\//, "");
    if (entry.isDirectory && leftOut(`${path}/`)) return;
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      found.push({ path, blob: file });
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!some.length) break;
      for (const each of some) await walk(each);
    }
  };
  for (const entry of entries) await walk(entry);
  return arrived(found);
}

/**
 * @param {Item[]} found
 * @returns {Promise<Arrived>}
 */
async function arrived(found) {
  /** @type {Item[]} */
  const items = [];
  for (const item of found) {
    if (!/^[^/]+\.zip$/i.test(item.path)) items.push(item);
    else items.push(...(await unzipped(item.blob, item.path.replace(/\.zip$/i, ""))));
  }
  const kept = items
    .filter(({ path }) => !leftOut(path))
    .map(({ path, blob }) => ({ path: path.normalize("NFC"), blob }));
  return { items: kept, skipped: items.length - kept.length };
}
