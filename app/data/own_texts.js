// The user's own texts: kept in the browser's storage, and given to Python by name.
//
//   new OwnTexts({session})
//   ready                      resolves when the kept ones are here
//   provided                   resolves when Python knows them all
//   texts                      Map: name -> {name, blob, characters, bytes, notes, source, kept:
//                              true or the sentence why not}
//   add(blob, {name, source, notes})   reads it as text and adds it; resolves to the entry
//   remove(name)
//
// source: {kind: "file" | "paste" | "dataset", ...}. Emits "change". Python reads a text through
// its blob: address when a run asks for it, so a large text costs nothing until then; a new Python
// is told again.
//
// All tabs of the browser have the same kept texts: a name is chosen and written under one lock,
// after a look at what is there, and the other tabs look again. What a text of the page may be
// called is decided here alone (`free`); Python takes the names as they are.

import * as files from "../store/files.js";
import { news, under } from "../store/shared_names.js";
import { withoutEnd } from "../ui/format.js";
import { read } from "../worker/bounded_json.js";
import { asText, MOST_BYTES, tooLarge } from "./text_file.js";

const FOLDER = "texts";
const SHARED = "tinygpt texts"; // the lock, and the channel to the other tabs
const LONGEST = 40; // characters of a name
const MOST_ABOUT = 1_000_000; // bytes of what is kept about a text
const TAKEN = ["shakespeare", "stdlib"]; // what Python registers itself (py/tinygpt/corpora.py)

export class OwnTexts extends EventTarget {
  constructor({ session }) {
    super();
    Object.assign(this, { session, texts: new Map(), urls: new Map(), asked: new Map(), last: 0, onDisk: [] });
    this.tell = news(SHARED, () => this.ready.then(() => this.load()));
    this.provided = this.ready = this.load();
    session.addEventListener("ready", () => this.ready.then(() => this.texts.size && this.provide()).catch(() => {}));
  }

  get(name) {
    return this.texts.get(name);
  }

  // ---- what is kept ----

  async load() {
    let different = false;
    try {
      if ((await files.available()) === true) different = await under(SHARED, () => this.look(), "shared");
    } catch (error) {
      console.warn(error); // the browser's storage is broken: the page works without
    }
    if (!different) return;
    if (this.session.state !== "booting") this.provide().catch(() => {});
    this.changed();
  }

  // Reads what is in the browser's storage. True where that was not known. One text that cannot be
  // read is left out, and the others are there.
  async look() {
    const found = await files.list(FOLDER);
    let different = false;
    this.onDisk = [];
    for (const { name: file, bytes, modified } of found.sort((a, b) => a.modified - b.modified)) {
      const name = nameOf(file);
      if (name === null || TAKEN.includes(name.toLowerCase())) continue;
      this.onDisk.push(name);
      const known = this.texts.get(name);
      if (known && (known.kept !== true || (known.bytes === bytes && known.modified === modified))) continue;
      try {
        const blob = await files.read(FOLDER, file);
        if (!blob) continue;
        this.forgetUrl(name);
        const entry = { name, blob, bytes: blob.size, modified: blob.lastModified, kept: true };
        this.texts.set(name, { ...entry, ...(await about(name)) });
        different = true;
      } catch (error) {
        console.warn(error);
      }
    }
    for (const [name, { kept }] of this.texts) {
      if (kept !== true || this.onDisk.includes(name)) continue;
      this.texts.delete(name); // another tab removed it
      this.forgetUrl(name);
      different = true;
    }
    return different;
  }

  async add(blob, { name, source, notes: more = [] }) {
    const title = blob.name ?? name;
    if (blob.size > MOST_BYTES) throw new Error(tooLarge(title, blob.size));
    const read = await this.read(blob, title);
    await this.ready;
    const entry = { ...read, notes: [...more, ...read.notes], source, kept: true };
    await under(SHARED, () => this.keep(entry, name));
    if (entry.kept === true) this.tell();
    await this.provide().catch(() => {}); // told by the run that wants it
    this.changed();
    return entry;
  }

  // Gives the entry a name that is free, and writes it.
  async keep(entry, wanted) {
    try {
      const usable = await files.available();
      if (usable !== true) throw new Error(usable);
      await this.look();
      entry.name = this.free(wanted);
      this.texts.set(entry.name, entry);
      await files.write(FOLDER, fileOf(entry.name), entry.blob);
      const { characters, notes, source } = entry;
      await files.write(FOLDER, aboutOf(entry.name), new Blob([JSON.stringify({ characters, notes, source })]));
      const file = await files.read(FOLDER, fileOf(entry.name));
      // on disk, not in memory
      if (file) Object.assign(entry, { blob: file, modified: file.lastModified });
    } catch (error) {
      const named = entry.name !== undefined; // else nothing was written
      entry.name ??= this.free(wanted);
      entry.kept = `It is kept only until you close this page. ${error.message}`;
      this.texts.set(entry.name, entry);
      if (named) await this.forget(entry.name);
    }
  }

  // From the disk first: a page that is closed now has not promised anything.
  async remove(name) {
    if (this.texts.get(name)?.kept === true) {
      await under(SHARED, () => this.forget(name));
      this.tell();
    }
    this.texts.delete(name);
    this.forgetUrl(name);
    this.changed();
    await this.provide().catch(() => {});
  }

  async forget(name) {
    for (const file of [fileOf(name), aboutOf(name)]) await files.remove(FOLDER, file).catch(() => {});
  }

  forgetUrl(name) {
    if (this.urls.has(name)) URL.revokeObjectURL(this.urls.get(name));
    this.urls.delete(name);
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  // A name that no other text has: as asked, without what file systems and Python's paths give a
  // meaning, numbered if it must be.
  free(wanted) {
    const plain = wanted
      .normalize("NFC")
      .replace(/[\p{C}\p{Zl}\p{Zp}/\\:*?"<>|]+/gu, " ")
      .replace(/\s+/g, " ");
    let start = 0;
    while (" .".includes(plain[start] ?? "x")) start++;
    const whole = withoutEnd(plain.slice(start), " .");
    let base = [...whole.slice(0, 4 * LONGEST)].slice(0, LONGEST).join("").trim() || "text";
    while (fileOf(base).length > 200) base = [...base].slice(0, -1).join("").trim();
    const taken = new Set([...TAKEN, ...[...this.texts.keys(), ...this.onDisk].map((name) => name.toLowerCase())]);
    for (let i = 1; ; i++) {
      const name = i === 1 ? base : `${base} ${i}`;
      if (!taken.has(name.toLowerCase())) return name;
    }
  }

  // ---- to Python ----

  provide() {
    const texts = [...this.texts.values()].map((entry) => ({
      name: entry.name,
      url: this.url(entry),
      note: describeSource(entry.source),
      bytes: entry.bytes,
    }));
    this.provided = this.session.request("texts", { texts });
    this.provided.catch(() => {});
    // code without step boundaries answers at its end
    return this.session.state === "running" ? Promise.resolve() : this.provided;
  }

  url({ name, blob }) {
    if (!this.urls.has(name)) this.urls.set(name, URL.createObjectURL(blob));
    return this.urls.get(name);
  }

  // ---- from bytes to text, in a worker ----

  async read(blob, name) {
    const answer = this.broken ? null : await this.inWorker(blob, name);
    if (answer === null) return asText(new Uint8Array(await blob.arrayBuffer()), name);
    if (answer.error) throw new Error(answer.error);
    return answer.text;
  }

  // null where there is no worker: a page that is offline before its first text cannot load one.
  inWorker(blob, name) {
    if (!this.worker) {
      this.worker = new Worker(new URL("text_worker.js", import.meta.url), { type: "module", name: "texts" });
      this.worker.onmessage = ({ data }) => {
        this.asked.get(data.id)(data);
        this.asked.delete(data.id);
      };
      this.worker.onerror = () => {
        this.broken = true;
        for (const resolve of this.asked.values()) resolve(null);
        this.asked.clear();
      };
    }
    const id = ++this.last;
    return new Promise((resolve) => {
      this.asked.set(id, resolve);
      this.worker.postMessage({ id, blob, name });
    });
  }
}

// Where a text is from, in a few words.
export function describeSource(source) {
  if (source?.kind === "dataset") return `from ${source.dataset} on Hugging Face, column ${source.column}`;
  return source?.kind === "paste" ? "pasted" : source?.kind === "file" ? "from a file" : "";
}

// ---- names as files ----

// Every character but ASCII letters, digits, - and _ is its number: any file system takes that.
const coded = (name) => [...name].map((c) => (/[\w-]/.test(c) ? c : `.${c.codePointAt(0).toString(16)}.`)).join("");
const fileOf = (name) => coded(name) + ".txt";
const aboutOf = (name) => coded(name) + ".json";

function nameOf(file) {
  if (!file.endsWith(".txt")) return null;
  try {
    return file.slice(0, -4).replace(/\.([0-9a-f]+)\./g, (_, number) => String.fromCodePoint(parseInt(number, 16)));
  } catch {
    return null;
  }
}

async function about(name) {
  try {
    const { characters, notes, source } = await read(await files.read(FOLDER, aboutOf(name)), MOST_ABOUT);
    return {
      characters: Number.isFinite(characters) ? characters : null,
      notes: Array.isArray(notes) ? notes.map(String) : [],
      source: source ?? null,
    };
  } catch {
    return { characters: null, notes: [], source: null };
  }
}
