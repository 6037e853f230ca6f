// Named files in the origin's private file system (OPFS), in folders; each write is whole or not at all: the browser writes beside the file
// and puts it in place at close.
//
//   available()                        true, or a sentence that says why nothing can be kept here
//   write(folder, name, blobOrBytes)   throws an Error of one sentence; `error.quota` is true where the room did not suffice
//   read(folder, name)                 a File (a Blob), or null
//   list(folder)                       [{name, bytes, modified}]; modified in ms since 1970
//   remove(folder, name)
//   usage()                            {used, quota} in bytes, or null

import { bytes as inWords } from "../words.js";

export async function available() {
  if (!navigator.storage?.getDirectory) return "This browser keeps no files for pages (it has no OPFS).";
  try {
    await navigator.storage.getDirectory();
    return true;
  } catch (error) {
    return `The browser keeps no files for this page (${error.name}; a private window is the usual reason).`;
  }
}

export async function write(folder, name, blobOrBytes) {
  const usable = await available();
  if (usable !== true) throw new Error(usable);
  const place = await (await navigator.storage.getDirectory()).getDirectoryHandle(folder, { create: true });
  const stream = await (await place.getFileHandle(name, { create: true })).createWritable();
  try {
    await stream.write(blobOrBytes);
    await stream.close();
  } catch (error) {
    await stream.abort().catch(() => {});
    if (error.name !== "QuotaExceededError") throw error;
    const room = await usage();
    const free = room ? `${inWords(Math.max(0, room.quota - room.used))} are free` : "the browser gives this site no more";
    const wanted = inWords(blobOrBytes.size ?? blobOrBytes.byteLength);
    throw Object.assign(new Error(`There is no room for ${wanted} in the browser's storage: ${free}.`), { quota: true });
  }
}

export async function read(folder, name) {
  try {
    return await (await (await directory(folder))?.getFileHandle(name))?.getFile() ?? null;
  } catch (error) {
    if (error.name === "NotFoundError") return null;
    throw error;
  }
}

export async function list(folder) {
  const files = [];
  for await (const [name, handle] of (await directory(folder))?.entries() ?? []) {
    if (handle.kind !== "file" || name.endsWith(".crswap")) continue;
    const file = await handle.getFile();
    files.push({ name, bytes: file.size, modified: file.lastModified });
  }
  return files;
}

export async function remove(folder, name) {
  try {
    await (await directory(folder))?.removeEntry(name);
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

async function directory(folder) {
  try {
    return await (await navigator.storage.getDirectory()).getDirectoryHandle(folder);
  } catch (error) {
    if (error.name === "NotFoundError") return null;
    throw error;
  }
}
