// @ts-check
// The visitor's files: a tree of paths, kept in this browser's private file system.
//
//   new FileTree()
//   ready                     resolves when the kept ones are here
//   entries                   Map: path -> {path, blob, version, kept: true, or why not}
//   put([{path, blob, version}])  adds files or gives them other contents
//   remove([path]), rename(from, to)
//   restore([{path, blob}])   what remove() gave back
//   text(path)                its text, or null where it is none
//
// All tabs of the browser have the same files. A tab writes under one lock, after a look at what is
// there, and the others look again. Where two tabs give a file other contents at once, both are
// kept: the one that comes later finds the other one's under a name of its own. Emits "change".

import * as files from "../store/files.js";
import { news, under } from "../store/shared_names.js";
import { baseOf, MOST_TEXT, pathProblem, sizeProblem } from "./paths.js";

const FOLDER = "files";
const SHARED = "tinygpt files"; // the lock, and the channel to the other tabs

/**
 * stamp: of the file in the storage as this tab knows it, "" where it is in memory alone.
 *
 * @typedef {object} Entry
 * @property {string} path
 * @property {Blob} blob
 * @property {string} version  another one for another content
 * @property {string} stamp
 * @property {true | string} kept
 */

/**
 * known: the stamp of the file that the new content was made from, where that may be an older one
 * than this tab knows by now.
 *
 * @typedef {{ path: string, blob: Blob, version?: string, known?: string }} Item
 */

export class FileTree extends EventTarget {
  /** @type {Map<string, Entry>} */
  entries = new Map();
  /** @type {true | string} */
  usable = true; // or the sentence why nothing is kept
  versions = 0;
  tell = news(SHARED, () => this.ready.then(() => this.load()));
  ready = this.load();

  newVersion() {
    return String(++this.versions);
  }

  get total() {
    return [...this.entries.values()].reduce((sum, { blob }) => sum + blob.size, 0);
  }

  // The paths in the order in which a tree shows them: folders first.
  get paths() {
    const key = (/** @type {string} */ path) =>
      path.split("/").map((part, i, all) => (i < all.length - 1 ? "0" : "1") + part);
    return [...this.entries.keys()].sort((a, b) => compare(key(a), key(b)));
  }

  async load() {
    let different = false;
    try {
      this.usable = await files.available();
      if (this.usable === true) different = await under(SHARED, () => this.look(), "shared");
    } catch (error) {
      this.usable = `The browser's storage cannot be read (${/** @type {Error} */ (error).message}).`;
    }
    if (different || this.usable !== true) this.changed();
  }

  // Reads what is in the browser's storage. True where that was not known.
  async look() {
    let different = false;
    const found = new Set();
    for (const { name, bytes, modified } of await files.list(FOLDER)) {
      const path = pathOf(name);
      if (path === null || pathProblem(path)) continue;
      found.add(path);
      if (this.entries.get(path)?.stamp === `${modified} ${bytes}`) continue;
      const blob = await files.read(FOLDER, name);
      if (!blob) continue;
      this.entries.set(path, { path, blob, version: this.newVersion(), stamp: stampOf(blob), kept: true });
      different = true;
    }
    for (const [path, { stamp }] of this.entries) {
      if (!stamp || found.has(path)) continue;
      this.entries.delete(path); // another tab removed it
      different = true;
    }
    return different;
  }

  /**
   * Adds files, or gives them other contents. Throws an Error of one sentence, and nothing has
   * changed then. Resolves to the names that other tabs' contents of these files got.
   *
   * @param {Item[]} items
   */
  async put(items) {
    await this.ready;
    for (const { path } of items) {
      const problem = pathProblem(path);
      if (problem) throw new Error(problem);
    }
    const problem = sizeProblem(items, this.entries);
    if (problem) throw new Error(problem);
    /** @type {string[]} */
    const theirs = [];
    await under(SHARED, async () => {
      for (const item of items) theirs.push(...(await this.write(item)));
    });
    this.tell();
    this.changed();
    return theirs;
  }

  /**
   * @param {Item} item
   * @returns {Promise<string[]>}
   */
  async write({ path, blob, version = this.newVersion(), known }) {
    const before = this.entries.get(path);
    /** @type {Entry} */
    const entry = { path, blob, version, stamp: "", kept: true };
    this.entries.set(path, entry);
    try {
      if (this.usable !== true) throw new Error(this.usable);
      const theirs = await this.keepOthers(path, known ?? before?.stamp ?? "");
      await files.write(FOLDER, fileOf(path), blob);
      const file = await files.read(FOLDER, fileOf(path));
      if (file) Object.assign(entry, { blob: file, stamp: stampOf(file) }); // on disk, not in memory
      return theirs;
    } catch (error) {
      entry.kept = `${baseOf(path)} is kept only until you close this page. ${/** @type {Error} */ (error).message}`;
      return [];
    }
  }

  /**
   * What another tab has written meanwhile gets a name of its own.
   *
   * @param {string} path
   * @param {string} known  its stamp
   */
  async keepOthers(path, known) {
    const theirs = await files.read(FOLDER, fileOf(path));
    if (!theirs || stampOf(theirs) === known) return [];
    const free = this.free(path);
    await files.write(FOLDER, fileOf(free), new Blob([await theirs.arrayBuffer()]));
    const file = await files.read(FOLDER, fileOf(free));
    if (file)
      this.entries.set(free, { path: free, blob: file, version: this.newVersion(), stamp: stampOf(file), kept: true });
    return [free];
  }

  /** @param {string} path */
  free(path) {
    const [, stem, ending] = /** @type {RegExpExecArray} */ (/^(.*?)((?:\.[^./]*)?)$/s.exec(path));
    for (let i = 2; ; i++) if (!this.entries.has(`${stem}-${i}${ending}`)) return `${stem}-${i}${ending}`;
  }

  /**
   * Removes files. Resolves to what `restore` takes.
   *
   * @param {string[]} paths
   */
  async remove(paths) {
    await this.ready;
    /** @type {Item[]} */
    const removed = [];
    await under(SHARED, async () => {
      for (const path of paths) {
        const entry = this.entries.get(path);
        if (!entry) continue;
        removed.push({ path, blob: new Blob([await entry.blob.arrayBuffer()]) });
        this.entries.delete(path);
        if (entry.stamp) await files.remove(FOLDER, fileOf(path));
      }
    });
    this.tell();
    this.changed();
    return removed;
  }

  /** @param {Item[]} items */
  restore(items) {
    return this.put(items.filter(({ path }) => !this.entries.has(path)));
  }

  /**
   * Another path for a file, or for all files of a folder.
   *
   * @param {string} from
   * @param {string} to
   */
  async rename(from, to) {
    if (from === to) return;
    const moved = this.below(from).map((path) => ({ from: path, to: to + path.slice(from.length) }));
    for (const { to: path } of moved) {
      const problem = pathProblem(path);
      if (problem) throw new Error(problem);
      if (this.entries.has(path)) throw new Error(`There is a file ${path} already.`);
    }
    await under(SHARED, async () => {
      for (const move of moved) {
        const entry = /** @type {Entry} */ (this.entries.get(move.from));
        await this.write({ path: move.to, blob: new Blob([await entry.blob.arrayBuffer()]) });
        this.entries.delete(move.from);
        if (entry.stamp) await files.remove(FOLDER, fileOf(move.from));
      }
    });
    this.tell();
    this.changed();
  }

  /**
   * The file of this path, or the files of this folder.
   *
   * @param {string} path
   */
  below(path) {
    return this.paths.filter((other) => other === path || other.startsWith(`${path}/`));
  }

  /**
   * The file's content as text, or null: it is none that the editor opens.
   *
   * @param {string} path
   */
  async text(path) {
    const blob = this.entries.get(path)?.blob;
    if (!blob || blob.size > MOST_TEXT) return null;
    try {
      const text = new TextDecoder("utf-8", { fatal: true }).decode(await blob.arrayBuffer());
      return text.includes("\0") ? null : text;
    } catch {
      return null;
    }
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** @param {File} file */
const stampOf = (file) => `${file.lastModified} ${file.size}`;

/**
 * @param {string[]} a
 * @param {string[]} b
 */
function compare(a, b) {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    if (a[i] !== b[i]) return a[i].localeCompare(b[i], "en", { numeric: true }) || (a[i] < b[i] ? -1 : 1);
  }
  return a.length - b.length;
}

// ---- paths as names of the storage, which has no slash in a name ----

/** @param {string} path */
const fileOf = (path) => `${path.replaceAll("%", "%25").replaceAll("/", "%2F")}~`;

/** @param {string} name */
function pathOf(name) {
  return name.endsWith("~") ? name.slice(0, -1).replaceAll("%2F", "/").replaceAll("%25", "%") : null;
}
