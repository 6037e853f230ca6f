// The runs that are saved in this browser: which there are, their names, deleting them (and taking that back), and who writes them.
//
// In the folder "runs" a run is `<id>.a` and `<id>.b` (slots.js), perhaps `<id>.name` (JSON {name, at}: it was renamed) and `<id>.gone` (it was
// deleted: its files go when nobody has undone that for UNDO ms, or when the next page looks).
//
// Event "change": `entries` are new. An entry: {id, name, about, bytes, names, sequence, elsewhere: another tab trains it, gone, problem}.

import * as files from "./files.js";

export const FOLDER = "runs";
export const UNDO = 10_000; // ms

const lockOf = (id) => "tinygpt run " + id;

export class SavedRuns extends EventTarget {
  constructor() {
    super();
    this.entries = [];
    this.mine = new Map(); // id -> function that lets go of it
    this.timers = new Map();
  }

  // Looks what there is, newest first. Resolves to the entries; throws where nothing can be kept.
  async look() {
    const [runs, listed, elsewhere] = await Promise.all([files.ask("runs", { folder: FOLDER }), files.list(FOLDER), this.held()]);
    const names = new Set(listed.map(({ name }) => name));
    const entries = [];
    for (const run of runs) {
      const gone = names.has(run.id + ".gone");
      if (gone && !this.timers.has(run.id)) {
        await this.erase(run); // an earlier page's
        continue;
      }
      if (!run.about && !run.bytes && !elsewhere.has(run.id) && !this.mine.has(run.id)) {
        await this.erase(run); // its first save was cut off
        continue;
      }
      const renamed = names.has(run.id + ".name") ? await named(run.id) : null;
      const name = renamed && renamed.at > (run.about?.saved ?? 0) ? renamed.name : run.about?.name ?? "a run that cannot be read";
      entries.push({ ...run, name, gone, elsewhere: elsewhere.has(run.id) && !this.mine.has(run.id) });
    }
    this.entries = entries.sort((a, b) => (b.about?.saved ?? 0) - (a.about?.saved ?? 0));
    this.dispatchEvent(new Event("change"));
    return this.entries;
  }

  entry(id) {
    return this.entries.find((entry) => entry.id === id);
  }

  async rename(entry, name) {
    entry.name = name.trim().slice(0, 60) || entry.name;
    await files.write(FOLDER, entry.id + ".name", new Blob([JSON.stringify({ name: entry.name, at: Date.now() })]));
    this.dispatchEvent(new Event("change"));
  }

  async remove(entry) {
    if (entry.elsewhere) throw new Error(`${entry.name} is open in another tab, which goes on saving it: delete it there.`);
    entry.gone = true;
    this.timers.set(entry.id, setTimeout(() => this.end(entry), UNDO));
    this.dispatchEvent(new Event("change"));
    await files.write(FOLDER, entry.id + ".gone", new Blob(["deleted"])).catch(() => {}); // no room even for that: it goes in UNDO ms, unless the tab does
  }

  async undo(entry) {
    clearTimeout(this.timers.get(entry.id));
    this.timers.delete(entry.id);
    await files.remove(FOLDER, entry.id + ".gone");
    entry.gone = false;
    this.dispatchEvent(new Event("change"));
  }

  async end(entry) {
    await this.erase(entry);
    this.timers.delete(entry.id);
    this.entries = this.entries.filter(({ id }) => id !== entry.id);
    this.dispatchEvent(new Event("change"));
  }

  // The mark goes last: what a closed tab leaves is still marked.
  async erase({ id, names }) {
    for (const name of [...names, id + ".name", id + ".gone"]) await files.remove(FOLDER, name);
  }

  // The newest whole state of a run: {about, sequence, file, name, problems}. An Error of one sentence where there is none.
  async open(id) {
    const found = await files.ask("pick", { folder: FOLDER, names: [id + ".a", id + ".b"] });
    if (!found.about) throw new Error(`This run cannot be read: ${found.problems.join("; ") || "its files are gone"}.`);
    return found;
  }

  // ---- one writer a run ----

  // True when this tab may write the run from now on (until `release`).
  async claim(id) {
    if (this.mine.has(id) || !navigator.locks) return true;
    return new Promise((resolve) => {
      navigator.locks.request(lockOf(id), { ifAvailable: true }, (lock) => {
        resolve(lock !== null);
        return lock && new Promise((release) => this.mine.set(id, release));
      });
    });
  }

  release(id) {
    this.mine.get(id)?.();
    this.mine.delete(id);
  }

  // The ids of runs that some tab writes.
  async held() {
    const { held = [] } = (await navigator.locks?.query()) ?? {};
    return new Set(held.filter(({ name }) => name.startsWith(lockOf(""))).map(({ name }) => name.slice(lockOf("").length)));
  }
}

async function named(id) {
  try {
    return JSON.parse(await (await files.read(FOLDER, id + ".name")).text());
  } catch {
    return null;
  }
}
