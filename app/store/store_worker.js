// @ts-check
// The store's worker: hashes and writes, so that the page's thread need not. The page's end is
// files.js.
//
// In: StoreRequest. Out: StoreAnswer.
//   writable  null where files can be written completely or not at all, else why not: a clause
//   write   a file
//   save    one slot (slots.js)
//   runs    what is saved
//   content what the newest readable one of some slots says, with its curve and files
//   pick    the newest of some slots that is complete, tensors included; or why there is none

import { opened, sealed } from "./slots.js";

const has = (/** @type {string} */ name) =>
  typeof FileSystemFileHandle === "function" && name in FileSystemFileHandle.prototype;
const WRITES_BESIDE = has("createWritable");
const WRITES_AND_MOVES = has("createSyncAccessHandle") && has("move");

/** @typedef {import("./slots.js").SavedFacts} SavedFacts */
/** @typedef {import("./slots.js").SavedRun} SavedRun */

/**
 * A saved run, without its content.
 *
 * @typedef {object} StoredRun
 * @property {string} id
 * @property {SavedFacts | null} about  null: no slot can be read
 * @property {number} sequence
 * @property {number} bytes
 * @property {string[]} names  of its slots
 * @property {string | null} problem  a sentence
 */

/** @typedef {{ name: string, about: SavedRun, sequence: number, file: Blob }} Slot */
/** @typedef {Slot & { problems: string[] }} FoundSlot */
/** @typedef {{ about?: undefined, problems: string[] }} NoSlot */
/** @typedef {Blob | BufferSource} Piece */

/**
 * One slot.
 *
 * @typedef {object} SaveArgs
 * @property {string} folder
 * @property {string} name
 * @property {number} sequence
 * @property {SavedRun} about
 * @property {ArrayBuffer} bytes
 */

/**
 * The types of each request.
 *
 * @typedef {{
 *   writable: { args: {}, answer: string | null },
 *   write: { args: { folder: string, name: string, parts: Piece[] }, answer: number },
 *   save: { args: SaveArgs, answer: { bytes: number, ms: number } },
 *   runs: { args: { folder: string }, answer: StoredRun[] },
 *   content: { args: { folder: string, names: string[] }, answer: SavedRun | null },
 *   pick: { args: { folder: string, names: string[] }, answer: FoundSlot | NoSlot },
 * }} StoreRequests
 */

/** @typedef {{ id: number, name: keyof StoreRequests, args: any }} StoreRequest */
/** @typedef {{ name: string, message: string, needed?: number }} StoreError */
/** @typedef {{ id: number, result?: any, error?: StoreError }} StoreAnswer */

/**
 * @template {keyof StoreRequests} Name
 * @typedef {(args: StoreRequests[Name]["args"]) => Promise<StoreRequests[Name]["answer"]>} Handler
 */

/** @type {{ [Name in keyof StoreRequests]: Handler<Name> }} */
const HANDLERS = {
  writable: async () =>
    WRITES_BESIDE || WRITES_AND_MOVES
      ? null
      : "This browser cannot write files for pages (it has neither createWritable nor createSyncAccessHandle with move)",

  write: ({ folder, name, parts }) => write(folder, name, parts),

  async save({ folder, name, sequence, about, bytes }) {
    const begun = performance.now();
    const parts = await sealed(about, sequence, bytes);
    return { bytes: await write(folder, name, parts), ms: performance.now() - begun };
  },

  async runs({ folder }) {
    const place = await directory(folder);
    /** @type {Map<string, StoredRun>} */
    const runs = new Map();
    for await (const [name, handle] of place.entries()) {
      const [, id, slot] = /^(.+)\.([ab])$/.exec(name) ?? [];
      if (!slot) continue;
      const run = runs.get(id) ?? { id, about: null, sequence: -1, bytes: 0, names: [], problem: null };
      runs.set(id, run);
      run.names.push(name);
      try {
        const file = await /** @type {FileSystemFileHandle} */ (handle).getFile(),
          found = await opened(file, { complete: false });
        run.bytes += file.size;
        if (typeof found === "string") run.problem ??= found;
        else if (found.sequence > run.sequence) {
          const { files, edited, curve, samples, ...about } = found.about;
          Object.assign(run, { about, sequence: found.sequence });
        }
      } catch (error) {
        run.problem ??= /** @type {Error} */ (error).message; // just replaced, for one
      }
    }
    return [...runs.values()];
  },

  async content({ folder, names }) {
    const place = await directory(folder);
    /** @type {{ about: SavedRun, sequence: number } | null} */
    let newest = null;
    for (const name of names) {
      try {
        const found = await opened(await (await place.getFileHandle(name)).getFile(), { complete: false });
        if (typeof found !== "string" && found.sequence > (newest?.sequence ?? -1)) newest = found;
      } catch {
        // the other slot then
      }
    }
    return newest?.about ?? null;
  },

  async pick({ folder, names }) {
    const place = await directory(folder),
      found = [];
    /** @type {string[]} */
    const problems = [];
    for (const name of names) {
      try {
        const file = await (await place.getFileHandle(name)).getFile();
        const slot = await opened(file, { complete: false });
        if (typeof slot === "string") problems.push(slot);
        else found.push({ name, from: file, ...slot });
      } catch (thrown) {
        const error = /** @type {Error} */ (thrown);
        if (error.name !== "NotFoundError") problems.push(error.message);
      }
    }
    for (const slot of found.sort((a, b) => b.sequence - a.sequence)) {
      const checked = await opened(slot.from, { complete: true });
      if (typeof checked !== "string") return { name: slot.name, ...checked, problems };
      problems.push(checked);
    }
    return { problems };
  },
};

/** @param {{ data: StoreRequest }} event */
self.onmessage = async ({ data: { id, name, args } }) => {
  try {
    self.postMessage({ id, result: await HANDLERS[name](args) });
  } catch (thrown) {
    const error = /** @type {StoreError} */ (thrown);
    self.postMessage({
      id,
      error: { name: error.name, message: String(error.message ?? error), needed: error.needed },
    });
  }
};

/** @param {string} folder */
const directory = async (folder) =>
  (await navigator.storage.getDirectory()).getDirectoryHandle(folder, { create: true });

/**
 * Completely or not at all: the browser writes beside the file and puts it in place at close. Where
 * it cannot (Safari before 26), we do the same.
 *
 * @param {string} folder
 * @param {string} name
 * @param {Piece[]} parts
 */
async function write(folder, name, parts) {
  const length = parts.reduce((sum, part) => sum + (part instanceof Blob ? part.size : part.byteLength), 0);
  const place = await directory(folder);
  try {
    if (WRITES_BESIDE) await writeBeside(await place.getFileHandle(name, { create: true }), parts);
    else await writeAndMove(place, name, parts);
  } catch (thrown) {
    const error = /** @type {Error} */ (thrown);
    await removeEmpty(place, name);
    throw { name: error.name, message: error.message, needed: length };
  }
  return length;
}

/**
 * Removes what a failed first write leaves under the name.
 *
 * @param {FileSystemDirectoryHandle} place
 * @param {string} name
 */
async function removeEmpty(place, name) {
  try {
    if ((await (await place.getFileHandle(name)).getFile()).size === 0) await place.removeEntry(name);
  } catch {}
}

const ATTEMPTS = 4;

/**
 * Chromium's pipe to the storage breaks now and then (AbortError, "Failed to write data to data
 * pipe"), above all where the storage is full, and then before the QuotaExceededError is known. The
 * write is tried again, which succeeds or names the reason.
 *
 * @param {FileSystemFileHandle} handle
 * @param {Piece[]} parts
 */
async function writeBeside(handle, parts) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await writeOnceBeside(handle, parts);
    } catch (thrown) {
      if (/** @type {Error} */ (thrown).name !== "AbortError" || attempt === ATTEMPTS) throw thrown;
    }
  }
}

/**
 * @param {FileSystemFileHandle} handle
 * @param {Piece[]} parts
 */
async function writeOnceBeside(handle, parts) {
  const stream = await handle.createWritable();
  try {
    for (const part of parts) await stream.write(part);
    await stream.close();
  } catch (error) {
    await stream.abort().catch(() => {});
    throw error;
  }
}

/**
 * @param {FileSystemDirectoryHandle} place
 * @param {string} name
 * @param {Piece[]} parts
 */
async function writeAndMove(place, name, parts) {
  const handle = /** @type {FileSystemFileHandle & { move(name: string): Promise<void> }} */ (
    await place.getFileHandle(name + ".part", { create: true })
  );
  const access = await handle.createSyncAccessHandle();
  try {
    access.truncate(0);
    let at = 0;
    for (const part of parts) {
      const bytes = part instanceof Blob ? new Uint8Array(await part.arrayBuffer()) : part;
      const written = access.write(bytes, { at });
      // Chromium answers a full storage with a number above the length.
      if (written !== bytes.byteLength) throw new DOMException("The file could not grow.", "QuotaExceededError");
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
