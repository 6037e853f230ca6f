// The store's worker: hashes and writes, so that the page's thread need not. The page's end is files.js.
//
// In:   {id, op, ...}   Out: {id, result} or {id, error: {name, message, wanted: bytes}}
//   write {folder, name, parts: [Blob or bytes]}
//   save {folder, name, sequence, about, bytes: ArrayBuffer}   one slot (slots.js); {bytes, ms}
//   runs {folder}   what is saved: [{id, about (without files, curve and samples), sequence, bytes, names, problem: sentence or null}]
//   pick {folder, names}   the newest of these slots that is whole, tensors included: {name, about, sequence, file} or {problems: [sentence]}

import { opened, sealed } from "./slots.js";

const DOES = {
  write: ({ folder, name, parts }) => write(folder, name, parts),

  async save({ folder, name, sequence, about, bytes }) {
    const begun = performance.now();
    const parts = await sealed(about, sequence, bytes);
    return { bytes: await write(folder, name, parts), ms: performance.now() - begun };
  },

  async runs({ folder }) {
    const place = await directory(folder), runs = new Map();
    for await (const [name, handle] of place.entries()) {
      const [, id, slot] = /^(.+)\.([ab])$/.exec(name) ?? [];
      if (!slot) continue;
      const run = runs.get(id) ?? { id, about: null, sequence: -1, bytes: 0, names: [], problem: null };
      runs.set(id, run);
      run.names.push(name);
      try {
        const file = await handle.getFile(), found = await opened(file, { whole: false });
        run.bytes += file.size;
        if (typeof found === "string") run.problem ??= found;
        else if (found.sequence > run.sequence) {
          const { files, edited, curve, samples, ...about } = found.about;
          Object.assign(run, { about, sequence: found.sequence });
        }
      } catch (error) {
        run.problem ??= error.message; // just replaced, for one
      }
    }
    return [...runs.values()];
  },

  async pick({ folder, names }) {
    const place = await directory(folder), found = [], problems = [];
    for (const name of names) {
      try {
        const file = await (await place.getFileHandle(name)).getFile();
        const slot = await opened(file, { whole: false });
        if (typeof slot === "string") problems.push(slot);
        else found.push({ name, from: file, ...slot });
      } catch (error) {
        if (error.name !== "NotFoundError") problems.push(error.message);
      }
    }
    for (const slot of found.sort((a, b) => b.sequence - a.sequence)) {
      const whole = await opened(slot.from, { whole: true });
      if (typeof whole !== "string") return { name: slot.name, ...whole, problems };
      problems.push(whole);
    }
    return { problems };
  },
};

self.onmessage = async ({ data: { id, op, ...values } }) => {
  try {
    self.postMessage({ id, result: await DOES[op](values) });
  } catch (error) {
    self.postMessage({ id, error: { name: error.name, message: String(error.message ?? error), wanted: error.wanted } });
  }
};

const directory = async (folder) => (await navigator.storage.getDirectory()).getDirectoryHandle(folder, { create: true });

// Whole or not at all: the browser writes beside the file and puts it in place at close. Where it cannot (Safari before 26), we do the same.
async function write(folder, name, parts) {
  const length = parts.reduce((sum, part) => sum + (part.size ?? part.byteLength), 0);
  const place = await directory(folder);
  try {
    if ("createWritable" in FileSystemFileHandle.prototype) await writeBeside(await place.getFileHandle(name, { create: true }), parts);
    else await writeAndMove(place, name, parts);
  } catch (error) {
    await removeEmpty(place, name);
    throw { name: error.name, message: error.message, wanted: length };
  }
  return length;
}

// What a failed first write leaves under the name.
async function removeEmpty(place, name) {
  try {
    if ((await (await place.getFileHandle(name)).getFile()).size === 0) await place.removeEntry(name);
  } catch {}
}

async function writeBeside(handle, parts) {
  const stream = await handle.createWritable();
  try {
    for (const part of parts) await stream.write(part);
    await stream.close();
  } catch (error) {
    await stream.abort().catch(() => {});
    throw error;
  }
}

async function writeAndMove(place, name, parts) {
  const handle = await place.getFileHandle(name + ".part", { create: true });
  const access = await handle.createSyncAccessHandle();
  try {
    access.truncate(0);
    let at = 0;
    for (const part of parts) {
      const bytes = part instanceof Blob ? new Uint8Array(await part.arrayBuffer()) : part;
      const written = access.write(bytes, { at });
      if (written < bytes.byteLength) throw new DOMException("The file could not grow.", "QuotaExceededError");
      at += written;
    }
    access.flush();
  } catch (error) {
    access.close();
    await place.removeEntry(name + ".part").catch(() => {});
    throw error;
  }
  access.close();
  await handle.move(name);
}
