// The user's own texts: kept in the browser's storage, and given to Python by name.
//
//   new OwnTexts({session})
//   ready                      resolves when the kept ones are here
//   provided                   resolves when Python knows them all
//   texts                      Map: name -> {name, blob, characters, bytes, notes, source, kept: true or the sentence why not}
//   add(blob, {name, source, notes})   reads it as text and adds it; resolves to the entry
//   remove(name)
//
// source: {kind: "file" | "paste" | "dataset", ...}. Emits "change". Python reads a text through its blob: address when a run asks for it, so
// a large text costs nothing until then; a new Python is told again.

import * as files from "../store/files.js";
import { asText, MOST_BYTES, tooLarge } from "./text_file.js";

const FOLDER = "texts";
const LONGEST = 40; // characters of a name
const TAKEN = ["shakespeare", "stdlib"]; // what Python registers itself (py/tinygpt/corpora.py)

export class OwnTexts extends EventTarget {
  constructor({ session }) {
    super();
    Object.assign(this, { session, texts: new Map(), urls: new Map(), asked: new Map(), last: 0 });
    this.ready = this.load();
    this.provided = this.ready;
    session.addEventListener("ready", () => this.ready.then(() => this.texts.size && this.provide()));
  }

  get(name) {
    return this.texts.get(name);
  }

  // ---- what is kept ----

  async load() {
    let found = [];
    try {
      if ((await files.available()) === true) found = await files.list(FOLDER);
    } catch (error) {
      console.warn(error); // the browser's storage is broken: the page works without
    }
    for (const { name: file } of found.sort((a, b) => a.modified - b.modified)) {
      const name = nameOf(file);
      if (name === null || TAKEN.includes(name.toLowerCase())) continue;
      try {
        const blob = await files.read(FOLDER, file);
        if (blob) this.texts.set(name, { name, blob, bytes: blob.size, kept: true, ...(await about(name)) });
      } catch (error) {
        console.warn(error);
      }
    }
    if (this.texts.size) {
      if (this.session.state !== "booting") this.provide();
      this.changed();
    }
  }

  async add(blob, { name, source, notes: more = [] }) {
    const title = blob.name ?? name;
    if (blob.size > MOST_BYTES) throw new Error(tooLarge(title, blob.size));
    const read = await this.read(blob, title);
    await this.ready;
    const entry = { ...read, notes: [...more, ...read.notes], name: this.free(name), source, kept: true };
    this.texts.set(entry.name, entry);
    try {
      await files.write(FOLDER, fileOf(entry.name), entry.blob);
      const { characters, notes } = entry;
      await files.write(FOLDER, aboutOf(entry.name), new Blob([JSON.stringify({ characters, notes, source })]));
      entry.blob = (await files.read(FOLDER, fileOf(entry.name))) ?? entry.blob; // on disk, not in memory
    } catch (error) {
      entry.kept = `It stays only until this page is closed. ${error.message}`;
      await this.forget(entry.name);
    }
    await this.provide().catch(() => {}); // told by the run that wants it
    this.changed();
    return entry;
  }

  async remove(name) {
    this.texts.delete(name);
    this.changed();
    await this.forget(name);
    if (this.urls.has(name)) URL.revokeObjectURL(this.urls.get(name));
    this.urls.delete(name);
    await this.provide().catch(() => {});
  }

  async forget(name) {
    for (const file of [fileOf(name), aboutOf(name)]) await files.remove(FOLDER, file).catch(() => {});
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  // A name that no other text has: as asked, without what file systems and Python's paths give a meaning, numbered if it must be.
  free(wanted) {
    const plain = wanted.normalize("NFC").replace(/[\p{C}\p{Zl}\p{Zp}/\\:*?"<>|]+/gu, " ").replace(/\s+/g, " ").replace(/^[\s.]+|[\s.]+$/g, "");
    let base = [...plain].slice(0, LONGEST).join("").trim() || "text";
    while (fileOf(base).length > 200) base = [...base].slice(0, -1).join("").trim();
    const taken = new Set([...TAKEN, ...[...this.texts.keys()].map((name) => name.toLowerCase())]);
    for (let i = 1; ; i++) {
      const name = i === 1 ? base : `${base} ${i}`;
      if (!taken.has(name.toLowerCase())) return name;
    }
  }

  // ---- to Python ----

  provide() {
    const texts = [...this.texts.values()].map((entry) => ({ name: entry.name, url: this.url(entry), note: told(entry.source), bytes: entry.bytes }));
    this.provided = this.session.request("texts", { texts });
    this.provided.catch(() => {});
    return this.session.state === "running" ? Promise.resolve() : this.provided; // code without step boundaries answers at its end
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
export function told(source) {
  if (source?.kind === "dataset") return `from ${source.dataset} on Hugging Face, column ${source.column}`;
  return source?.kind === "paste" ? "pasted" : source?.kind === "file" ? "from a file" : "";
}

// ---- names as files: every character but ASCII letters, digits, - and _ as its number, so that any file system takes it ----

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
    const { characters, notes, source } = JSON.parse(await (await files.read(FOLDER, aboutOf(name))).text());
    return { characters: Number.isFinite(characters) ? characters : null, notes: Array.isArray(notes) ? notes.map(String) : [], source: source ?? null };
  } catch {
    return { characters: null, notes: [], source: null };
  }
}
