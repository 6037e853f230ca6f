// Named files in the origin's private file system (OPFS), in folders; each write is whole or not at all.
//
//   available()                        true, or a sentence that says why nothing can be kept here
//   write(folder, name, blobOrBytes)   throws an Error of one sentence; `error.quota` is true where the room did not suffice
//   read(folder, name)                 a File (a Blob), or null
//   list(folder)                       [{name, bytes, modified}]; modified in ms since 1970
//   remove(folder, name)
//   usage()                            {used, quota} in bytes, or null: what the browser says of everything this site keeps
//   ask(op, values, transfer)          an answer of the store worker (worker.js), which does what takes time: hashing and writing

import { bytes as inWords } from "../words.js";

let worker = null, last = 0;
const asked = new Map(); // number -> {resolve, reject} of what the worker has not answered

let known = null;
export function available() {
  return (known ??= look());
}

async function look() {
  if (!self.isSecureContext) return "This address is not a secure one (https or localhost), so the browser keeps no files for it: download what you want to keep.";
  if (!navigator.storage?.getDirectory) return "This browser keeps no files for pages (it has no OPFS): download what you want to keep.";
  try {
    await navigator.storage.getDirectory();
    return true;
  } catch (error) {
    return `The browser keeps no files for this page (${error.name}; a private window is the usual reason): download what you want to keep.`;
  }
}

export async function write(folder, name, blobOrBytes) {
  return ask("write", { folder, name, parts: [blobOrBytes] });
}

export async function read(folder, name) {
  try {
    const place = await directory(folder);
    return place && await (await place.getFileHandle(name)).getFile();
  } catch (error) {
    if (error.name === "NotFoundError") return null;
    throw error;
  }
}

export async function list(folder) {
  const place = await directory(folder);
  const files = [];
  if (!place) return files;
  for await (const [name, handle] of place.entries()) {
    if (handle.kind !== "file" || unfinished(name)) continue;
    try {
      const file = await handle.getFile();
      files.push({ name, bytes: file.size, modified: file.lastModified });
    } catch {} // removed, or replaced, since the name was read
  }
  return files;
}

export async function remove(folder, name) {
  const place = await directory(folder);
  try {
    await place?.removeEntry(name);
  } catch (error) {
    if (error.name !== "NotFoundError") throw error;
  }
}

export async function usage() {
  try {
    const { usage: used, quota } = await navigator.storage.estimate();
    return { used, quota };
  } catch {
    return null;
  }
}

export async function ask(op, values, transfer = []) {
  const usable = await available();
  if (usable !== true) throw new Error(usable);
  if (!worker) {
    worker = new Worker(new URL("worker.js", import.meta.url), { type: "module", name: "store" });
    worker.onmessage = ({ data }) => answered(data);
    worker.onerror = (event) => fail(event.message || "its program could not be loaded");
  }
  const id = ++last;
  return new Promise((resolve, reject) => {
    asked.set(id, { resolve, reject });
    worker.postMessage({ id, op, ...values }, transfer);
  });
}

async function answered({ id, result, error }) {
  const { resolve, reject } = asked.get(id);
  asked.delete(id);
  if (!error) resolve(result);
  else reject(await told(error));
}

function fail(message) {
  worker = null;
  for (const { reject } of asked.values()) reject(new Error(`The store's worker failed: ${message}. Reload the page.`));
  asked.clear();
}

async function told({ name, message, wanted }) {
  if (name !== "QuotaExceededError") return new Error(message);
  const room = await usage();
  // Browsers name a round number for the quota that the disk need not have.
  const full = room && room.quota - room.used < wanted;
  const of = full ? `this site uses ${inWords(room.used)} of the ${inWords(room.quota)} that the browser gives it`
    : `${room ? `this site uses ${inWords(room.used)}, and ` : ""}the browser gives it no more (the disk may be full)`;
  return Object.assign(new Error(`There is no room for ${inWords(wanted)} in the browser's storage: ${of}.`), { quota: true });
}

// What a browser leaves of a write that was cut off, and our own unfinished ones.
export const unfinished = (name) => name.endsWith(".crswap") || name.endsWith(".part");

async function directory(folder) {
  try {
    return await (await navigator.storage.getDirectory()).getDirectoryHandle(folder);
  } catch (error) {
    if (error.name === "NotFoundError") return null;
    throw error;
  }
}
