// @ts-check
// The runs that are saved in this browser: which there are, their names, deleting them (and taking
// that back), and who writes them.
//
// In the folder "runs" a run is `<id>.a` and `<id>.b` (slots.js), perhaps `<id>.name` (JSON {name,
// at}: it was renamed) and `<id>.gone` (it was deleted: its files go when nobody has undone that
// for UNDO ms since the mark was written).
//
// A tab that writes, reads or deletes a run holds its lock meanwhile, and for as long as it offers
// Undo. When that tab is gone, any other one may undo until the time is over, and erases the run
// afterwards. What a tab saw before it had the lock is looked up again under the lock. After a
// change the other tabs look again (`tell`).
//
// Event "change": `entries` are new.

import { read } from "../worker/bounded_json.js";
import * as files from "./files.js";
import { news } from "./shared_names.js";

export const FOLDER = "runs";
export const UNDO = 10_000; // ms
const MOST_BYTES = 100_000; // of a name's file

/** @typedef {import("./store_worker.js").StoredRun} StoredRun */

/**
 * A saved run. elsewhere: another tab trains it. gone: it is deleted, and that can be taken back.
 *
 * @typedef {StoredRun & { name: string, elsewhere: boolean, gone: boolean }} Entry
 */

/** @param {string} id */
const lockOf = (id) => "tinygpt run " + id;

export class SavedRuns extends EventTarget {
  /** @param {{ undo?: number }} options  undo: ms */
  constructor({ undo = UNDO } = {}) {
    super();
    this.undoTime = undo;
    /** @type {Entry[]} */
    this.entries = [];
    /**
     * By id of a run that this tab writes: the function that releases it.
     * @type {Map<string, (value?: unknown) => void>}
     */
    this.mine = new Map();
    /** @type {Map<string, ReturnType<typeof setTimeout>>} */
    this.timers = new Map();
    /** @type {Set<string>} */
    this.ending = new Set(); // runs whose files this tab is erasing
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.again = undefined;
    /** @type {Promise<unknown>} */
    this.queue = Promise.resolve();
    this.tell = news("tinygpt runs", () => this.look().catch(() => {}));
  }

  /**
   * Looks what there is, newest first; one look at a time. Resolves to the entries; throws where
   * nothing can be kept.
   *
   * @returns {Promise<Entry[]>}
   */
  look() {
    return this.inTurn(() => this.list());
  }

  /**
   * A look and a change of what it reads come one after another: a list that began before a change
   * would bring back what was before it.
   *
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  inTurn(work) {
    const done = this.queue.catch(() => {}).then(work);
    this.queue = done;
    return done;
  }

  async list() {
    const [runs, listed, elsewhere] = await Promise.all([
      files.request("runs", { folder: FOLDER }),
      files.list(FOLDER),
      this.held(),
    ]);
    const names = new Set(listed.map(({ name }) => name));
    /** @type {Entry[]} */
    const entries = [];
    for (const run of runs) {
      const gone = names.has(run.id + ".gone");
      const left = gone && !this.timers.has(run.id) && this.over(run, listed); // by an earlier page or another tab
      const empty = !run.about && !run.bytes && !this.mine.has(run.id); // its first save was cut off, or is on its way
      if ((left || empty) && (await this.eraseUnheld(run))) continue;
      const renamed = names.has(run.id + ".name") ? await named(run.id) : null;
      const name =
        renamed && renamed.at > (run.about?.saved ?? 0) ? renamed.name : (run.about?.name ?? "unreadable run");
      entries.push({
        ...run,
        name,
        gone: gone || this.timers.has(run.id) || this.ending.has(run.id),
        elsewhere: elsewhere.has(run.id) && !this.mine.has(run.id),
      });
    }
    clearTimeout(this.again);
    // its tab may be closed meanwhile, without a word
    if (entries.some(({ id, gone }) => gone && !this.timers.has(id)))
      this.again = setTimeout(() => this.look().catch(() => {}), this.undoTime / 10);
    this.entries = entries.sort((a, b) => (b.about?.saved ?? 0) - (a.about?.saved ?? 0));
    this.dispatchEvent(new Event("change"));
    return this.entries;
  }

  /** @param {string} id */
  entry(id) {
    return this.entries.find((entry) => entry.id === id);
  }

  /**
   * @param {Entry} entry
   * @param {string} name
   */
  async rename(entry, name) {
    const { id } = entry,
      given = name.trim().slice(0, 60) || entry.name;
    await this.inTurn(async () => {
      await files.write(FOLDER, id + ".name", new Blob([JSON.stringify({ name: given, at: Date.now() })]));
      Object.assign(this.entry(id) ?? entry, { name: given });
      this.dispatchEvent(new Event("change"));
    });
    this.tell();
  }

  /** @param {Entry} entry */
  async remove(entry) {
    const { id, name } = entry;
    if (!(await this.claim(id))) throw new Error(`${name} is open in another tab. Delete it there.`);
    this.timers.set(
      id,
      setTimeout(() => this.end(entry).catch(() => {}), this.undoTime), // a later look tries again
    );
    Object.assign(this.entry(id) ?? entry, { gone: true });
    this.dispatchEvent(new Event("change"));
    // no space even for that: it goes in UNDO ms, unless the tab does
    await this.inTurn(() => files.write(FOLDER, id + ".gone", new Blob(["deleted"]))).catch(() => {});
    this.tell();
  }

  /** @param {Entry} entry */
  async undo(entry) {
    const { id, name, names } = entry;
    const late = `${name} cannot be kept: its files are erased.`;
    if (this.ending.has(id)) throw new Error(late);
    if (!this.timers.has(id) && !(await this.claim(id)))
      throw new Error(`${name} was deleted in another tab. Undo it there.`);
    clearTimeout(this.timers.get(id));
    this.timers.delete(id);
    try {
      await this.inTurn(async () => {
        const there = new Set((await files.list(FOLDER)).map((file) => file.name));
        if (!names.some((file) => there.has(file))) {
          await this.erase(entry);
          this.entries = this.entries.filter((other) => other.id !== id);
          throw new Error(late);
        }
        await files.remove(FOLDER, id + ".gone");
        Object.assign(this.entry(id) ?? entry, { gone: false });
      });
    } finally {
      this.release(id);
      this.dispatchEvent(new Event("change"));
      this.tell();
    }
  }

  /** @param {Entry} entry */
  async end(entry) {
    this.ending.add(entry.id); // Undo comes too late from here on
    this.timers.delete(entry.id);
    try {
      await this.inTurn(() => this.erase(entry));
      this.entries = this.entries.filter(({ id }) => id !== entry.id);
    } finally {
      this.ending.delete(entry.id);
      this.release(entry.id);
      this.dispatchEvent(new Event("change"));
      this.tell();
    }
  }

  /**
   * Whether the time for Undo is over, by the mark's age. A clock that was set back since counts as
   * over.
   *
   * @param {{ id: string }} run
   * @param {{ name: string, modified: number }[]} listed
   */
  over({ id }, listed) {
    const mark = listed.find(({ name }) => name === id + ".gone");
    return mark !== undefined && Math.abs(Date.now() - mark.modified) >= this.undoTime;
  }

  /**
   * False where another tab has the run, or has changed it since it was listed: then it stays.
   * @param {StoredRun} run
   */
  async eraseUnheld(run) {
    if (this.mine.has(run.id) || !(await this.claim(run.id))) return false;
    try {
      const listed = await files.list(FOLDER);
      const empty = listed.every(({ name, bytes }) => !bytes || !run.names.includes(name));
      if (!this.over(run, listed) && !(empty && !run.bytes)) return false;
      await this.erase(run);
    } finally {
      this.release(run.id);
    }
    return true;
  }

  /**
   * The mark goes last: what a closed tab leaves is still marked.
   * @param {{ id: string, names: string[] }} run
   */
  async erase({ id, names }) {
    for (const name of [...names, id + ".name", id + ".gone"]) await files.remove(FOLDER, name);
  }

  /**
   * What is said of a run, with its curve and files, its tensors unread; null where that cannot be
   * read.
   *
   * @param {{ id: string, names: string[] }} run
   */
  content({ names }) {
    return files.request("content", { folder: FOLDER, names });
  }

  /**
   * The newest complete state of a run. An Error of one sentence where there is none.
   * @param {string} id
   */
  async open(id) {
    const found = await files.request("pick", { folder: FOLDER, names: [id + ".a", id + ".b"] });
    if (!found.about) throw new Error(`This run cannot be read: ${found.problems.join("; ") || "its files are gone"}.`);
    return found;
  }

  // ---- one writer a run ----

  /**
   * True when this tab may write the run from now on (until `release`).
   * @param {string} id
   * @returns {Promise<boolean>}
   */
  async claim(id) {
    if (this.mine.has(id) || !navigator.locks) return true;
    return new Promise((resolve) => {
      const held = navigator.locks.request(lockOf(id), { ifAvailable: true }, (lock) => {
        resolve(lock !== null);
        return lock && new Promise((release) => this.mine.set(id, release));
      });
      held.catch(() => resolve(true)); // the browser gives the page no storage: no other tab has any
    });
  }

  /**
   * Not while it can be undone that the run was deleted.
   * @param {string} id
   */
  release(id) {
    if (this.timers.has(id) || this.ending.has(id)) return;
    this.mine.get(id)?.();
    this.mine.delete(id);
  }

  // The ids of runs that some tab writes.
  async held() {
    const { held = [] } = (await navigator.locks?.query().catch(() => null)) ?? {};
    return new Set(
      held.flatMap(({ name = "" }) => (name.startsWith(lockOf("")) ? [name.slice(lockOf("").length)] : [])),
    );
  }
}

/**
 * The name that a run was given, and when.
 *
 * @param {string} id
 * @returns {Promise<{ name: string, at: number } | null>}
 */
async function named(id) {
  try {
    const file = await files.read(FOLDER, id + ".name");
    return file && (await read(file, MOST_BYTES));
  } catch {
    return null;
  }
}
