// The Runs panel: what is saved in this browser (resume, rename, download, delete), import of a
// file, how often a run is saved and how much room that takes, and the runs of this page.

import { paint } from "../../chart/runs.js";
import { RunTable } from "../../run/run_table.js";
import { INTERVALS } from "../../store/autosave.js";
import { download, KINDS } from "../../store/download.js";
import * as files from "../../store/files.js";
import { element } from "../../ui/dom.js";
import { bytes, lossText, shortNumber } from "../../ui/format.js";
import { atNextFrame } from "../../ui/frame_scheduler.js";
import { popover } from "../../ui/popover.js";

const NEARLY_FULL = 0.8; // of the room that the browser gives

export class SavedRunsPanel {
  // status(text, kind): the status line. resume: a Resume.
  constructor(parent, { session, controls, training, saved, autosave, resume, status }) {
    Object.assign(this, { parent, session, controls, training, saved, autosave, resume, status, rows: new Map() });
    parent.classList.add("kept");
    this.build();
    saved.addEventListener("change", () => this.show());
    training.runs.addEventListener("change", () => this.paintSoon());
    autosave.addEventListener("saved", () => this.lookSoon());
    controls.addEventListener("phase", () => this.showButtons());
    session.addEventListener("state", () => this.showButtons());
    // when it is brought to the front
    new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && this.look()).observe(parent);
  }

  build() {
    const { parent } = this;
    const bar = add(parent, "div", { className: "kept-bar" });
    this.picker = add(bar, "input", { type: "file", accept: ".tinygpt,.safetensors", hidden: true, id: "import-file" });
    this.picker.addEventListener("change", () => {
      const [file] = this.picker.files;
      this.picker.value = "";
      if (file) this.act(() => this.take(file));
    });
    this.importing = add(bar, "button", {
      type: "button",
      textContent: "Import a file",
      title:
        "A .tinygpt file, or the .safetensors file that this page wrote for PyTorch. You can also drop it anywhere on the page.",
    });
    this.importing.addEventListener("click", () => this.picker.click());
    this.downloading = this.menu(bar, "Download this run", (kind) => this.download(kind, null));
    const label = add(bar, "label", { className: "inline", textContent: "Save every " });
    this.every = add(label, "select", {
      id: "autosave",
      title:
        "How often the running training is saved in this browser. Saving may take at most 2 % of the time; slower saves happen less often.",
    });
    const choices = { ...INTERVALS };
    // the address asks for it
    if (!(this.autosave.seconds in choices)) choices[this.autosave.seconds] = `${this.autosave.seconds} s`;
    for (const [seconds, text] of Object.entries(choices).sort(([a], [b]) => a - b))
      this.every.add(new Option(text, seconds));
    this.every.value = this.autosave.seconds;
    this.every.addEventListener("change", () => this.autosave.choose(Number(this.every.value)));
    this.said = add(parent, "p", { className: "kept-said", role: "status" });
    this.list = add(parent, "ul", { className: "saved", ariaLabel: "Saved runs" });
    this.none = add(parent, "p", { className: "empty" });
    const room = add(parent, "p", { className: "room" });
    this.room = add(room, "span", { id: "storage" });
    this.last = add(room, "button", {
      type: "button",
      hidden: true,
      textContent: "Keep them permanently",
      title: "The browser may ask you for permission",
    });
    this.last.addEventListener("click", () =>
      this.act(async () => {
        const kept = await navigator.storage.persist();
        this.tell(
          kept
            ? "The browser keeps the runs until you delete them."
            : "The browser declined: it may delete the runs when space is short. Download what you want to keep.",
        );
        await this.showRoom();
      }),
    );
    add(parent, "h2", { textContent: "Runs on the chart" });
    new RunTable(parent, { runs: this.training.runs });
    addEventListener("dragover", (event) => {
      if (!event.defaultPrevented && [...event.dataTransfer.types].includes("Files")) event.preventDefault();
    });
    // Ours are taken before the editor would read them as text.
    addEventListener(
      "drop",
      (event) => {
        const file = [...event.dataTransfer.files].find(({ name }) => /\.(tinygpt|safetensors|pt|pth)$/i.test(name));
        if (!file) return;
        event.preventDefault();
        event.stopPropagation();
        this.act(() => this.take(file));
      },
      { capture: true },
    );
    // A file that nothing else on the page has taken would else replace the page, and the run with
    // it.
    addEventListener("drop", (event) => {
      const [file] = event.dataTransfer.files;
      if (event.defaultPrevented || !file) return;
      event.preventDefault();
      this.act(() => this.take(file));
    });
  }

  // A button with the kinds of files below it.
  menu(parent, text, choose) {
    const button = add(parent, "button", { type: "button", textContent: text, className: "downloads" });
    const list = popover(button, "div", "kinds");
    parent.append(list);
    for (const [kind, { label }] of Object.entries(KINDS)) {
      const choice = add(list, "button", { type: "button", textContent: label });
      choice.dataset.kind = kind;
      choice.addEventListener("click", () => {
        list.hidePopover();
        this.act(() => choose(kind));
      });
    }
    return button;
  }

  // Shows the kinds of files of a run, or of a program of plain PyTorch code, below a button.
  offerKinds(button, plain) {
    for (const choice of button.popoverTargetElement.children)
      choice.hidden = Boolean(KINDS[choice.dataset.kind].plain) !== Boolean(plain);
  }

  // ---- what the buttons do ----

  async act(does) {
    try {
      this.tell("");
      await does();
    } catch (error) {
      this.tell(error.message, "bad");
      this.status(error.message, "bad");
    }
  }

  tell(text, kind = "") {
    this.said.textContent = text;
    this.said.className = "kept-said " + kind;
  }

  async take(file) {
    await this.resume.file(file);
    this.tell(document.getElementById("status").textContent);
  }

  async download(kind, entry) {
    const { session, saved, training } = this;
    const current = training.runs.current;
    const name = await download({
      session,
      saved,
      entry,
      kind,
      name: entry?.name ?? current?.name ?? "model",
      step: entry?.about.step ?? training.state().step,
    });
    this.tell(`${name} downloaded.`);
  }

  async remove(entry) {
    const { autosave } = this;
    if (entry.id === autosave.id && this.controls.active)
      throw new Error(`${entry.name} is training here. Stop it first.`);
    await this.saved.remove(entry);
    if (entry.id === autosave.id) autosave.forget();
    this.rows.get(entry.id)?.querySelector(".undo")?.focus();
  }

  // ---- what is shown ----

  lookSoon() {
    if (this.timer || !this.parent.checkVisibility()) return;
    this.timer = setTimeout(() => this.look(), 500);
  }

  // The runs that are on the chart have other colours, perhaps.
  paintSoon() {
    if (this.parent.checkVisibility()) this.painting ??= atNextFrame(() => ((this.painting = null), this.show()));
  }

  async look() {
    clearTimeout(this.timer);
    this.timer = null;
    const usable = await files.available();
    if (usable !== true) {
      this.none.textContent = usable;
      this.every.disabled = true;
      return this.showButtons();
    }
    try {
      await this.saved.look();
    } catch (error) {
      this.tell(`The saved runs cannot be listed: ${error.message}`, "bad");
    }
    await this.showRoom();
  }

  async showRoom() {
    const room = await files.usage(),
      { entries } = this.saved;
    const sum = entries.reduce((total, entry) => total + entry.bytes, 0);
    const parts = [`Saved runs: ${bytes(sum)}`];
    if (room) parts.push(`this site uses ${bytes(room.used)} of about ${bytes(room.quota)}`);
    const oldest = entries.filter((entry) => !entry.gone && entry.id !== this.autosave.id).at(-1);
    if (room && room.used > NEARLY_FULL * room.quota && oldest)
      parts.push(`nearly full: ${oldest.name}, the oldest, takes ${bytes(oldest.bytes)} and can be deleted`);
    const forever = await navigator.storage.persisted?.();
    if (forever === false && entries.length) parts.push("the browser may delete them when space is short");
    this.room.textContent = parts.join("; ") + ".";
    this.last.hidden = forever !== false || !entries.length;
  }

  show() {
    const {
      saved: { entries },
      rows,
      list,
    } = this;
    this.none.textContent = "No saved runs yet. Runs save automatically and stay here when you come back.";
    this.none.hidden = entries.length > 0;
    for (const [id, row] of rows) {
      if (entries.some((entry) => entry.id === id)) continue;
      row.remove();
      rows.delete(id);
    }
    for (const [i, entry] of entries.entries()) {
      if (!rows.has(entry.id)) rows.set(entry.id, this.row(entry.id));
      const row = rows.get(entry.id);
      if (list.children[i] !== row) list.insertBefore(row, list.children[i] ?? null);
      this.fill(row, entry);
    }
    this.showButtons();
  }

  row(id) {
    const row = element("li"),
      entry = () => this.saved.entry(id);
    const name = add(row, "input", { className: "run-name", maxLength: 60 });
    name.addEventListener("change", () =>
      this.act(async () => {
        await this.saved.rename(entry(), name.value);
        const {
          training: { runs },
          autosave,
        } = this;
        if (id === autosave.id && runs.current) runs.rename(runs.current, name.value);
      }),
    );
    name.addEventListener("keydown", ({ key }) => key === "Enter" && name.blur());
    row.prepend(element("i", { class: "line" }));
    add(row, "span", { className: "run-facts" });
    const buttons = add(row, "span", { className: "row-buttons" });
    add(buttons, "button", { type: "button", className: "resume" }).addEventListener("click", () =>
      this.act(async () => this.tell(await this.resume.run(entry()))),
    );
    this.menu(buttons, "Download", (kind) => this.download(kind, entry()));
    add(buttons, "button", { type: "button", className: "delete", textContent: "Delete" }).addEventListener(
      "click",
      () => this.act(() => this.remove(entry())),
    );
    add(buttons, "button", { type: "button", className: "undo", textContent: "Undo", hidden: true }).addEventListener(
      "click",
      () =>
        this.act(async () => {
          await this.saved.undo(entry());
          row.querySelector(".delete").focus();
        }),
    );
    return row;
  }

  fill(row, entry) {
    const { gone, about, name } = entry;
    const part = (selector) => row.querySelector(selector);
    const input = part(".run-name");
    if (document.activeElement !== input) input.value = name;
    input.ariaLabel = `Name of ${name}`;
    input.disabled = gone;
    const drawn = this.training.runs.all.find((run) => run.saved === entry.id);
    if (drawn) paint(row, drawn);
    row.querySelector(".line").style.visibility = drawn ? "" : "hidden";
    const facts = gone ? "deleted" : described(entry, entry.id === this.autosave.id && this.controls.active);
    part(".run-facts").textContent = part(".run-facts").title = facts;
    Object.assign(part(".resume"), {
      hidden: gone || !about,
      textContent: about?.finished ? "Load" : "Resume",
      ariaLabel: `${about?.finished ? "Load" : "Resume"} ${name}`,
    });
    Object.assign(part(".downloads"), { hidden: gone || !about, ariaLabel: `Download ${name}` });
    this.offerKinds(part(".downloads"), about?.plain);
    Object.assign(part(".delete"), { hidden: gone, ariaLabel: `Delete ${name}` });
    Object.assign(part(".undo"), { hidden: !gone, ariaLabel: `Undo: keep ${name}` });
    row.classList.toggle("gone", gone);
  }

  showButtons() {
    const busy = this.controls.active,
      ready = this.session.state === "ready" && !busy;
    this.importing.disabled = !ready;
    this.importing.title = busy
      ? "A run is in progress. Stop it first."
      : "A .tinygpt file, or the .safetensors file that this page wrote for PyTorch. You can also drop it anywhere on the page.";
    this.downloading.disabled = !this.controls.resumable && !this.controls.plain;
    this.offerKinds(this.downloading, this.controls.plain);
    for (const row of this.rows.values()) row.querySelector(".resume").disabled = !ready;
  }
}

// "step 1,240 of 3,000 · loss 1.842 · validation 1.970 · small · 1.3 MB · 21 Nov, 20:15"
function described({ about, bytes: size, elsewhere, problem }, here) {
  if (!about) return `cannot be read: ${problem}`;
  const when = new Date(about.saved)
    .toLocaleString("en", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hour12: false })
    .replaceAll(" ", "\u00a0");
  return [
    `step ${about.step.toLocaleString("en")}${about.steps ? ` of ${about.steps.toLocaleString("en")}` : ""}`,
    about.loss !== null && `loss ${lossText(about.loss)}`,
    about.val !== null && `validation ${lossText(about.val)}`,
    about.preset,
    ...trained(about),
    bytes(size),
    here ? "training here" : elsewhere ? "open in another tab" : when,
  ]
    .filter(Boolean)
    .join(" · ");
}

// ["lr 3e-4", "batch 16", "seed 42"], as far as the save knows.
function trained({ facts, settings }) {
  const { lr, batch_size, seed } = { ...settings, ...facts?.train };
  const known = [
    ["lr", lr && shortNumber(Number(lr))],
    ["batch", batch_size],
    ["seed", seed],
  ];
  return known.filter(([, value]) => value !== undefined && value !== "").map(([name, value]) => `${name} ${value}`);
}

const add = (parent, tag, properties) => parent.appendChild(element(tag, properties));
