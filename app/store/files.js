// @ts-check
// Named files in the origin's private file system (OPFS), in folders; each write is complete or
// not done at all.
//
//   available()                        true, or a sentence that says why nothing can be kept here
//   write(folder, name, blobOrBytes)   throws an Error of one sentence; `error.quota` is true where
//                                      there was not enough space
//   read(folder, name)                 a File (a Blob), or null
//   list(folder)                       [{name, bytes, modified}]; modified in ms since 1970
//   remove(folder, name)
//   usage()                            {used, quota} in bytes, or null: what the browser says of
//                                      everything this site keeps
//   request(name, args, transfer)      an answer of the store worker (store_worker.js), which does
//                                      what takes time: hashing and writing

import { bytes as inWords } from "../ui/format.js";

/** @typedef {import("./store_worker.js").StoreRequests} StoreRequests */
/** @typedef {import("./store_worker.js").StoreAnswer} StoreAnswer */
/** @typedef {import("./store_worker.js").StoreError} StoreError */

/** @type {Worker | null} */
let worker = null;
let last = 0;
/**
 * By number: the requests that the worker has not answered.
 * @type {Map<number, { resolve: (result: any) => void, reject: (error: Error) => void }>}
 */
const pending = new Map();

/** @type {Promise<true | string> | null} */
let known = null;
export function available() {
  return (known ??= probe());
}

/** @returns {Promise<true | string>} */
async function probe() {
  if (!self.isSecureContext)
    return "This address is not secure (https or localhost), so the browser stores no files for it: download what you want to keep.";
  if (!navigator.storage?.getDirectory)
    return "This browser cannot store files for pages (it has no OPFS): download what you want to keep.";
  try {
    await navigator.storage.getDirectory();
    // A worker may have another way to write than a page, so the worker is the one to answer.
    const missing = "createWritable" in FileSystemFileHandle.prototype ? null : await posted("writable", {});
    return missing === null ? true : `${missing}: download what you want to keep.`;
  } catch (thrown) {
    const error = /** @type {Error} */ (thrown);
    return `The browser stores no files for this page (${error.name}; a private window is the usual reason): download what you want to keep.`;
  }
}

/**
 * @param {string} folder
 * @param {string} name
 * @param {Blob | BufferSource} blobOrBytes
 */
export async function write(folder, name, blobOrBytes) {
  return request("write", { folder, name, parts: [blobOrBytes] });
}

/**
 * @param {string} folder
 * @param {string} name
 * @returns {Promise<File | null>}
 */
export async function read(folder, name) {
  try {
    const place = await directory(folder);
    return place && (await (await place.getFileHandle(name)).getFile());
  } catch (error) {
    if (nameOf(error) === "NotFoundError") return null;
    throw error;
  }
}

/** @param {string} folder */
export async function list(folder) {
  const place = await directory(folder);
  /** @type {{ name: string, bytes: number, modified: number }[]} */
  const files = [];
  if (!place) return files;
  for await (const [name, handle] of place.entries()) {
    if (handle.kind !== "file" || unfinished(name)) continue;
    try {
      const file = await /** @type {FileSystemFileHandle} */ (handle).getFile();
      files.push({ name, bytes: file.size, modified: file.lastModified });
    } catch {} // removed, or replaced, since the name was read
  }
  return files;
}

/**
 * @param {string} folder
 * @param {string} name
 */
export async function remove(folder, name) {
  const place = await directory(folder);
  try {
    await place?.removeEntry(name);
  } catch (error) {
    if (nameOf(error) !== "NotFoundError") throw error;
  }
}

export async function usage() {
  try {
    const { usage: used = NaN, quota = NaN } = await navigator.storage.estimate();
    return { used, quota };
  } catch {
    return null;
  }
}

/**
 * @template {keyof StoreRequests} Name
 * @param {Name} name
 * @param {StoreRequests[Name]["args"]} args
 * @param {Transferable[]} transfer
 * @returns {Promise<StoreRequests[Name]["answer"]>}
 */
export async function request(name, args, transfer = []) {
  const usable = await available();
  if (usable !== true) throw new Error(usable);
  return posted(name, args, transfer);
}

/**
 * @template {keyof StoreRequests} Name
 * @param {Name} name
 * @param {StoreRequests[Name]["args"]} args
 * @param {Transferable[]} transfer
 * @returns {Promise<StoreRequests[Name]["answer"]>}
 */
function posted(name, args, transfer = []) {
  if (!worker) {
    worker = new Worker(new URL("store_worker.js", import.meta.url), { type: "module", name: "store" });
    worker.onmessage = ({ data }) => settle(data);
    worker.onerror = (event) => fail(event.message || "its program could not be loaded");
  }
  const id = ++last,
    target = worker;
  return new Promise((resolve, reject) => {
    pending.set(id, { resolve, reject });
    target.postMessage({ id, name, args }, transfer);
  });
}

/** @param {StoreAnswer} answer */
async function settle({ id, result, error }) {
  const found = pending.get(id);
  if (!found) return;
  pending.delete(id);
  if (!error) found.resolve(result);
  else found.reject(await described(error));
}

/** @param {string} message */
function fail(message) {
  worker = null;
  for (const { reject } of pending.values())
    reject(new Error(`The store's worker failed: ${message}. Reload the page.`));
  pending.clear();
}

/** @param {StoreError} error */
async function described({ name, message, needed = 0 }) {
  if (name !== "QuotaExceededError") return new Error(message);
  const space = await usage();
  // Browsers name a round number for the quota that the disk need not have.
  const full = space && space.quota - space.used < needed;
  const of = full
    ? `this site uses ${inWords(space.used)} of its ${inWords(space.quota)}`
    : `${space ? `this site uses ${inWords(space.used)}, and ` : ""}the browser allows no more (the disk may be full)`;
  return Object.assign(new Error(`There is no space for ${inWords(needed)} in the browser's storage: ${of}.`), {
    quota: true,
  });
}

/** @param {unknown} error */
const nameOf = (error) => /** @type {Error} */ (error).name;

/**
 * What a browser leaves of a write that was cut off, and our own unfinished ones.
 * @param {string} name
 */
export const unfinished = (name) => name.endsWith(".crswap") || name.endsWith(".part");

/** @param {string} folder */
async function directory(folder) {
  try {
    return await (await navigator.storage.getDirectory()).getDirectoryHandle(folder);
  } catch (error) {
    if (nameOf(error) === "NotFoundError") return null;
    throw error;
  }
}
