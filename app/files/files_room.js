// The visitor's files beside the page's own: the tree, what is dropped or chosen, the program that
// Run runs and its arguments. Nothing of it runs by itself.
//
//   new FilesRoom({session, editor, controls, status})
//   program()   what Run runs: {path, source, arguments, folder}, or null: the editor's train.py
//   sources()   {path: text} of the files that are open in the editor, and of the program
//   place()     brings Python's folder to what the tree is
//
// file_tree.js the files; tree_view.js their rows; arriving.js drops, unzip.js archives;
// python_files.js to Python and back; paths.js names and limits.

import { element } from "../ui/dom.js";
import { keep, kept } from "../ui/kept.js";
import { saveFile } from "../ui/save_file.js";
import { hasFolder, ofDrop, ofFiles } from "./arriving.js";
import { FileTree } from "./file_tree.js";
import { baseOf, folderOf, pathProblem, sizeText } from "./paths.js";
import { PythonFiles } from "./python_files.js";
import { TreeView } from "./tree_view.js";
import { keepUnsaved, unsaved } from "./unsaved.js";

const SOON = 400; // ms from a change in the editor to its file
const LOOK = 10_000; // ms between two looks for what a running program writes
const OPEN = "tinygpt files open",
  PROGRAM = "tinygpt files program",
  ARGUMENTS = "tinygpt files arguments ",
  FOLDER = "tinygpt files folder ";
const MAIN = "train.py";
// What comes into the tree wherever on the page it is dropped, and what where it is dropped on the
// editor: else a text is one to train on, and a checkpoint a run.
const PROGRAM_FILE = /\.(py|zip)$/i;
const DATA_FILE = /\.(npz|npy|bin|json|jsonl|toml|ya?ml|cfg|ini|ipynb)$/i;
const FIRST = ["main.py", "train.py", "run.py"]; // what a folder's program is called, usually

const button = (text, title, onclick) => element("button", { type: "button", title, onclick }, text);

export class FilesRoom {
  constructor({ session, editor, controls, status }) {
    Object.assign(this, { session, editor, controls, status });
    this.tree = new FileTree();
    this.python = new PythonFiles({ session, tree: this.tree });
    this.texts = new Map(); // path -> the text that the tree and the editor agree on
    this.timers = new Map(); // path -> of the change that is to be written
    this.writing = new Map(); // path -> a promise: its last write, while there is one
    this.stamps = new Map(); // path -> the stamp of the file whose text the editor has
    this.path = kept(PROGRAM); // of the program; null: train.py
    this.removed = null;
    this.build();
    this.listen();
    controls.files = this;
    this.tree.ready.then(() => {
      this.draw();
      this.act(() => this.takeUnsaved());
    });
    this.fold(kept(OPEN) === null);
  }

  // ---- the panel ----

  build() {
    this.view = new TreeView({
      tree: this.tree,
      actions: {
        open: (path) => this.open(path),
        rename: (path) => this.askName(path),
        remove: (path) => this.remove(path),
        select: () => this.drawActions(),
      },
    });
    const choose = (folder) => {
      const input = element("input", { type: "file", multiple: true, webkitdirectory: folder });
      input.addEventListener("change", () => this.act(() => this.take(ofFiles([...input.files]))));
      input.click();
    };
    this.toggle = button("Files", "Your files: drop .py files, a .zip or a folder on the editor", () =>
      this.fold(!this.panel.hidden),
    );
    this.toggle.id = "files-toggle";
    this.toggle.setAttribute("aria-controls", "files");
    this.head = element(
      "div",
      { class: "files-buttons" },
      button("New", "A new file; a name such as data/names.txt makes the folder too", () => this.askName(null)),
      button("Add files", "Files or .zip archives of this computer", () => choose(false)),
      "webkitdirectory" in HTMLInputElement.prototype
        ? button("Add folder", "A folder of this computer, with what is in it", () => choose(true))
        : "",
    );
    this.run = button("Run", "", () => this.act(() => this.runSelected()));
    this.download = button("Download", "", () => this.act(() => this.save()));
    this.rename = button("Rename", "F2", () => this.askName(this.view.selected));
    this.delete = button("Delete", "Delete", () => this.remove(this.view.selected));
    this.actions = element("div", { class: "files-buttons" }, this.run, this.download, this.rename, this.delete);
    this.name = element("input", { id: "files-name", type: "text", spellcheck: false, autocomplete: "off" });
    this.nameLabel = element("label", { for: "files-name" });
    this.naming = element("form", { class: "files-naming", hidden: true }, this.nameLabel, this.name);
    this.note = element("p", { class: "files-note", role: "status" });
    this.undo = button("Undo", "Puts the deleted files back", () => this.act(() => this.putBack()));
    this.undo.hidden = true;
    this.empty = element(
      "p",
      { class: "empty" },
      "Drop .py files, a .zip or a folder here. They stay in this browser, and nothing runs by itself.",
    );
    this.panel = element(
      "aside",
      { id: "files", hidden: true, "aria-label": "Your files" },
      this.head,
      this.empty,
      this.view.list,
      this.naming,
      this.actions,
      element("div", { class: "files-said" }, this.note, this.undo),
    );
    this.select = element("select", { id: "files-program" });
    this.words = element("input", {
      id: "files-arguments",
      type: "text",
      maxLength: 2000,
      spellcheck: false,
      autocomplete: "off",
      placeholder: "--max_iters 100",
    });
    this.where = element("select", { id: "files-folder" });
    this.whereLabel = element("label", {}, "Works in", this.where);
    this.wordsLabel = element("label", { class: "files-arguments" }, "Arguments", this.words);
    this.programBar = element(
      "div",
      { id: "files-bar", class: "bar", hidden: true, "aria-label": "Program" },
      element("label", {}, "Program", this.select),
      this.wordsLabel,
      this.whereLabel,
    );
    this.editor.bar.prepend(this.toggle);
    this.editor.body.before(this.programBar);
    this.editor.body.prepend(this.panel);
  }

  listen() {
    const { editor, controls, session } = this;
    this.naming.addEventListener("submit", (event) => {
      event.preventDefault();
      this.act(() => this.named());
    });
    this.naming.addEventListener("keydown", ({ key }) => key === "Escape" && this.endNaming());
    this.select.addEventListener("change", () => this.choose(this.select.value || null));
    this.words.addEventListener("input", () => keep(ARGUMENTS + this.path, this.words.value || null));
    this.where.addEventListener("change", () => keep(FOLDER + this.path, this.where.value));
    this.tree.addEventListener("change", () => this.follow());
    editor.addEventListener("text", ({ detail }) => this.later(detail));
    editor.addEventListener("shown", () => this.showFile());
    editor.addEventListener("close", ({ detail }) => this.closed(detail));
    controls.addEventListener("phase", ({ detail: { phase } }) => {
      this.select.disabled = controls.active;
      if (!controls.active) this.draw();
      this.drawActions();
      clearInterval(this.looking);
      if (phase === "paused") this.look();
      if (phase === "running") this.looking = setInterval(() => controls.bounded && session.hears && this.look(), LOOK);
    });
    let ran = false;
    session.addEventListener("state", ({ detail: { state } }) => {
      if (state === "ready" && ran) this.look();
      ran = state === "running" || state === "stopping";
    });
    document.addEventListener("visibilitychange", () => document.hidden && this.flush());
    addEventListener("pagehide", () => this.leave());
    this.listenForDrops();
  }

  fold(on) {
    this.panel.hidden = on;
    this.toggle.setAttribute("aria-expanded", String(!on));
    keep(OPEN, on ? null : "yes");
  }

  draw() {
    const paths = this.tree.paths;
    this.view.shown = this.editor.shown;
    this.view.marked = this.program() ? this.path : null;
    this.view.draw();
    this.empty.hidden = paths.length > 0;
    this.drawProgram(paths.filter((path) => path.endsWith(".py")));
    this.drawActions();
    if (!this.note.textContent || this.counted) this.count();
  }

  // What the tree holds, where nothing else is said.
  count() {
    const { size } = this.tree.entries;
    const unkept = [...this.tree.entries.values()].find((entry) => entry.kept !== true);
    const where = this.tree.usable !== true ? ` ${this.tree.usable}` : unkept ? ` ${unkept.kept}` : "";
    const counted = `${size === 1 ? "1 file" : `${size.toLocaleString("en")} files`}, ${sizeText(this.tree.total)}.`;
    this.say(size ? counted + where : where.trim(), where ? "bad" : "");
    this.counted = true;
  }

  say(text, kind = "") {
    this.note.textContent = text;
    this.note.classList.toggle("bad", kind === "bad");
    this.undo.hidden = true;
    this.counted = false;
  }

  drawActions() {
    const { selected } = this.view;
    const file = selected !== null && this.tree.entries.has(selected);
    this.actions.hidden = selected === null;
    this.run.hidden = !file || !selected.endsWith(".py");
    this.run.disabled = this.controls.active;
    this.run.title = `Runs ${selected} with its arguments`;
    this.download.hidden = !file;
  }

  drawProgram(programs) {
    const option = (value, text) => element("option", { value, selected: value === (this.path ?? "") }, text);
    this.programBar.hidden = !programs.length;
    this.select.replaceChildren(option("", `${MAIN} (TinyGPT)`), ...programs.map((path) => option(path, path)));
    const chosen = this.program();
    this.select.value = chosen ? this.path : "";
    if (!this.controls.active) {
      this.editor.runsOthers = chosen !== null;
      this.editor.compareAll();
    }
    const run = document.getElementById("run");
    this.runTitle ??= run.title;
    if (this.wasChosen !== chosen?.path) this.editor.dispatchEvent(new Event("change")); // which button is the primary one
    this.wasChosen = chosen?.path;
    run.title = chosen ? `Runs ${this.path} with its arguments` : this.runTitle;
    this.wordsLabel.hidden = !chosen;
    this.whereLabel.hidden = !chosen || !this.path.includes("/");
    if (!chosen) return;
    if (document.activeElement !== this.words) this.words.value = chosen.arguments;
    const parts = this.path.split("/");
    const folders = parts.slice(0, -1).map((_, i) => parts.slice(0, i + 1).join("/"));
    this.where.replaceChildren(
      ...["", ...folders].map((folder) => element("option", { value: folder }, folder || "the tree's root")),
    );
    this.where.value = chosen.folder;
  }

  async act(does) {
    try {
      await does();
    } catch (error) {
      this.say(error.message, "bad");
      if (this.panel.hidden) this.status(error.message, "bad");
    }
  }

  list() {
    return this.tree.paths.map((path) => {
      const { blob, kept } = this.tree.entries.get(path);
      return { path, bytes: blob.size, kept };
    });
  }

  // ---- the program ----

  program() {
    const { path } = this;
    if (path === null || !this.tree.entries.has(path)) return null;
    const top = path.includes("/") ? path.slice(0, path.indexOf("/")) : "";
    const folder = kept(FOLDER + path);
    const fits = folder === "" || (folder !== null && path.startsWith(`${folder}/`));
    return { path, arguments: kept(ARGUMENTS + path) ?? "", folder: fits ? folder : top };
  }

  choose(path) {
    this.path = path;
    keep(PROGRAM, path);
    this.draw();
    if (path) this.act(() => this.open(path));
    else this.editor.show(MAIN);
  }

  async runSelected() {
    this.choose(this.view.selected);
    await this.controls.start();
  }

  async sources() {
    const { path } = this.program();
    const open = [...this.editor.others].filter((name) => name.endsWith(".py"));
    const texts = Object.fromEntries(open.map((name) => [name, this.editor.textOf(name)]));
    if (texts[path] === undefined) texts[path] = await this.tree.text(path);
    if (texts[path] === null) throw new Error(`${path} is not a text that Python can run.`);
    return texts;
  }

  async place() {
    await this.flush();
    await this.python.last.catch(() => {}); // what the run before wrote is in the tree first
    await this.python.place();
  }

  async look() {
    const problems = await this.python.collect().catch(() => []); // Python came to an end meanwhile
    if (problems.length) this.say(problems.join(" "), "bad");
  }

  // ---- the editor ----

  async open(path) {
    if (!this.editor.others.has(path)) {
      const text = await this.tree.text(path);
      if (text === null) return this.say(`${path} is not a text that the editor opens. Python reads it with open().`);
      this.agree(path, text);
      this.editor.add(path, text);
    }
    this.editor.show(path);
    if (!this.counted) this.count();
  }

  agree(path, text) {
    this.texts.set(path, text);
    this.stamps.set(path, this.tree.entries.get(path)?.stamp);
  }

  showFile() {
    this.view.shown = this.editor.shown;
    this.view.draw();
  }

  closed(path) {
    if (this.timers.has(path)) this.act(() => this.write(path));
  }

  later(path) {
    if (!this.editor.others.has(path) || this.editor.textOf(path) === this.texts.get(path)) return;
    clearTimeout(this.timers.get(path));
    this.timers.set(
      path,
      setTimeout(() => this.act(() => this.write(path)), SOON),
    );
  }

  // One write of a file after the other.
  async write(path) {
    clearTimeout(this.timers.get(path));
    this.timers.delete(path);
    const text = this.editor.textOf(path);
    const done = (this.writing.get(path) ?? Promise.resolve()).then(() => this.writeText(path, text));
    this.writing.set(
      path,
      done.catch(() => {}),
    );
    const last = this.writing.get(path);
    try {
      await done;
    } finally {
      if (this.writing.get(path) === last) this.writing.delete(path);
    }
  }

  async writeText(path, text) {
    if (text === undefined || text === this.texts.get(path)) return;
    const known = this.stamps.get(path);
    this.texts.set(path, text);
    const theirs = await this.tree.put([{ path, blob: new Blob([text]), known }]);
    this.stamps.set(path, this.tree.entries.get(path)?.stamp);
    if (theirs.length) this.say(`Another tab has changed ${path}: its version is ${theirs[0]}.`);
  }

  // The page goes: only localStorage is written for certain in that moment.
  leave() {
    keepUnsaved(
      [...this.timers.keys()].map((path) => ({
        path,
        text: this.editor.textOf(path),
        stamp: this.stamps.get(path) ?? "",
      })),
    );
    this.flush().then(() => keepUnsaved([]));
  }

  // What was typed in the last moment of the page before.
  async takeUnsaved() {
    for (const { path, text, stamp } of unsaved()) {
      if ((await this.tree.text(path)) === text) continue;
      const same = (this.tree.entries.get(path)?.stamp ?? "") === stamp; // else another tab has written it since
      await this.tree.put([{ path: same ? path : this.tree.free(path), blob: new Blob([text]) }]);
    }
  }

  flush() {
    const paths = new Set([...this.timers.keys(), ...this.writing.keys()]);
    return Promise.all([...paths].map((path) => this.write(path)));
  }

  // The tree has changed: what is open follows.
  async follow() {
    this.draw();
    const newer = (path) => this.timers.has(path) || this.writing.has(path); // the editor's is
    for (const path of [...this.editor.others]) {
      if (newer(path)) continue;
      if (!this.tree.entries.has(path)) {
        this.editor.close(path);
        continue;
      }
      const text = await this.tree.text(path).catch(() => null);
      if (text === null || text === this.texts.get(path) || newer(path)) continue;
      this.agree(path, text);
      this.editor.replace({ [path]: text });
    }
  }

  // ---- files that come ----

  listenForDrops() {
    const comes = (event) => event.dataTransfer?.types.includes("Files");
    const inTree = ({ target }) => this.panel.contains(target);
    const inEditor = ({ target }) => this.editor.body.contains(target) || this.editor.bar.contains(target);
    addEventListener(
      "dragover",
      (event) => {
        if (!comes(event) || !inEditor(event)) return;
        event.preventDefault();
        event.stopImmediatePropagation(); // the panel of texts would offer itself too
        event.dataTransfer.dropEffect = "copy";
        this.editor.body.dataset.dropping = "";
        clearTimeout(this.left);
        this.left = setTimeout(() => delete this.editor.body.dataset.dropping, 300);
      },
      true,
    );
    addEventListener(
      "drop",
      (event) => {
        const { dataTransfer } = event;
        if (!comes(event)) return;
        const names = [...dataTransfer.files].map(({ name }) => name);
        const program = hasFolder(dataTransfer) || names.some((name) => PROGRAM_FILE.test(name));
        if (!inTree(event) && !program && !(inEditor(event) && names.some((name) => DATA_FILE.test(name)))) return;
        event.preventDefault();
        event.stopImmediatePropagation(); // the panels take texts and checkpoints
        const arrived = ofDrop(dataTransfer);
        this.act(() => this.take(arrived));
      },
      true,
    );
  }

  async take(arriving) {
    this.fold(false);
    this.say("Reading");
    const { items, skipped } = await arriving;
    if (!items.length) throw new Error("There is no file in it that the tree takes.");
    const placed = this.apart(items);
    await this.flush(); // what is typed is older than what comes
    await this.tree.put(placed);
    const size = sizeText(placed.reduce((sum, { blob }) => sum + blob.size, 0));
    const left = skipped ? ` ${skipped.toLocaleString("en")} of caches and version control are left out.` : "";
    const [only] = placed;
    this.say(
      `Added ${placed.length === 1 ? only.path : `${placed.length.toLocaleString("en")} files`} (${size}).${left}`,
    );
    const programs = placed.map(({ path }) => path).filter((path) => path.endsWith(".py"));
    const first = programs.length === 1 ? programs[0] : likely(programs);
    if (first) this.choose(first);
    else if (placed.length === 1) await this.open(only.path);
  }

  // The names of the page's own files are taken: files of such names come in a folder, with all
  // that comes with them.
  apart(items) {
    if (items.every(({ path }) => path.includes("/") || pathProblem(path) === null)) return items;
    if (!items.some(({ path }) => path.toLowerCase() === MAIN || /^(model|generate)\.py$/i.test(path))) return items;
    let folder = "program";
    for (let i = 2; this.tree.below(folder).length; i++) folder = `program-${i}`;
    return items.map(({ path, blob }) => ({ path: `${folder}/${path}`, blob }));
  }

  // ---- new, rename, delete, download ----

  // path: the file or folder that gets another name; null: a new file.
  askName(path) {
    this.renaming = path;
    const selected = this.view.selected;
    const folder = selected === null ? "" : this.tree.entries.has(selected) ? folderOf(selected) : selected;
    this.nameLabel.textContent = path === null ? "Name of the new file" : `New name of ${baseOf(path)}`;
    this.name.value = path ?? (folder && `${folder}/`);
    this.naming.hidden = false;
    this.name.focus();
    const at = this.name.value.lastIndexOf("/") + 1,
      dot = this.name.value.lastIndexOf(".");
    this.name.setSelectionRange(at, dot > at ? dot : this.name.value.length);
  }

  async named() {
    const from = this.renaming,
      to = this.name.value.trim().normalize("NFC");
    const problem =
      pathProblem(to) ?? (from !== to && this.tree.entries.has(to) ? `There is a file ${to} already.` : null);
    if (problem) throw new Error(problem);
    if (from === null) await this.tree.put([{ path: to, blob: new Blob([""]) }]);
    else await this.move(from, to);
    this.naming.hidden = true;
    this.view.select(to);
    this.draw();
    this.view.focus();
    this.count();
    if (from !== null) return;
    await this.open(to);
    this.editor.focus();
  }

  async move(from, to) {
    await this.flush();
    const open = this.tree.below(from).filter((path) => this.editor.others.has(path));
    const { shown } = this.editor;
    const after = (path) => to + path.slice(from.length);
    const chosen = this.path !== null && this.tree.below(from).includes(this.path) ? this.program() : null;
    await this.tree.rename(from, to);
    for (const path of open) await this.open(after(path));
    if (chosen) {
      keep(ARGUMENTS + after(this.path), chosen.arguments || null);
      this.path = after(this.path);
      keep(PROGRAM, this.path);
    }
    this.editor.show(open.includes(shown) ? after(shown) : shown);
  }

  endNaming() {
    this.naming.hidden = true;
    this.view.focus();
  }

  remove(path) {
    return this.act(async () => {
      const paths = this.tree.below(path);
      await this.flush();
      this.removed = await this.tree.remove(paths);
      this.say(`Deleted ${paths.length === 1 ? paths[0] : `${path}, ${paths.length} files`}.`);
      this.undo.hidden = false;
    });
  }

  async putBack() {
    await this.tree.restore(this.removed ?? []);
    this.removed = null;
    this.count();
  }

  async save() {
    const path = this.view.selected;
    await this.flush();
    saveFile(this.tree.entries.get(path).blob, baseOf(path));
  }
}

// The program of a folder, or undefined: the one of a usual name that is least deep.
function likely(programs) {
  const depth = (path) => path.split("/").length;
  const named = programs.filter((path) => FIRST.includes(baseOf(path)));
  return named.sort((a, b) => depth(a) - depth(b) || FIRST.indexOf(baseOf(a)) - FIRST.indexOf(baseOf(b)))[0];
}
