// @ts-check
// Drafts: what the user has typed and not saved anywhere (the files with their undo history, the
// inputs, a console entry) is kept through a reload, a crash and a closed tab. It is written soon
// after each change, and when the page is hidden or goes (draft_slots.js says where).
//
// A draft that is put back runs nothing. The status line says that it is there, and a button beside
// it discards it, which Undo in the editor takes back. A link wins over a draft: the link's edits
// are another draft, and the one before stays for the next tab. Edits of a run that is resumed stay
// in the editor as edits that are not applied.

import { element } from "../ui/dom.js";
import { preferred } from "../worker/devices.js";
import { checked, MOST, MOST_FIELD, MOST_HISTORY } from "./draft_content.js";
import { DraftFields } from "./draft_fields.js";
import { DraftSlot } from "./draft_slots.js";

const SOON = 400; // ms
const USES = ["input", "change", "keyup", "click", "paste", "cut", "drop"]; // any of these may change something

/** @typedef {import("./draft_content.js").Draft} Draft */
/** @typedef {{ files: Record<string, string>, settings: Record<string, any> }} Base */

export class Drafts {
  /** @type {string | null} */
  said = null; // what the status line says of the draft that was put back
  /** @type {string | null} */
  link = null;
  /** @type {string | null} */
  run = null; // id of the run that the draft was about
  /** @type {Record<string, any>} */
  late = {}; // settings that the page cannot take yet
  /** @type {string | null} */
  lateDevice = null;
  /** @type {string | null | undefined} */
  written = undefined;
  /** @type {ReturnType<typeof setTimeout> | null} */
  timer = null;
  refused = false; // the page has said that drafts are not kept
  slot = new DraftSlot();
  /** @type {() => void} */
  press = () => {};

  /**
   * held: the sentence at code that came with a link and has not run.
   *
   * @param {import("./persist.js").PageParts & {
   *   entry: { text: string },
   *   texts: any,
   *   autosave: import("./autosave.js").Autosave,
   *   resume: import("./resume.js").Resume,
   *   held: string,
   * }} parts  entry: the console's
   */
  constructor({ session, controls, editor, settings, choice, entry, texts, autosave, resume, status, held }) {
    this.session = session;
    this.controls = controls;
    this.editor = editor;
    this.settings = settings;
    this.choice = choice;
    this.entry = entry;
    this.texts = texts;
    this.autosave = autosave;
    this.resume = resume;
    this.status = status;
    this.held = held;
    this.fields = new DraftFields();
    this.addressed = choice.touched ? session.choice : null; // the device that the address names
    this.base = this.now();
    this.button = element("button", { id: "draft-action", type: "button", hidden: true, onclick: () => this.press() });
    /** @type {HTMLElement} */ (document.getElementById("stop-stalled")).before(this.button);
    controls.addEventListener("replaced", () => this.offer(null));
    resume.editsOf = (id) => this.editsOf(id);
  }

  /**
   * Puts this tab's draft back, around the link that the page was opened with.
   *
   * @param {(fragment: string) => Promise<unknown>} openLink
   */
  async open(openLink) {
    const { hash } = location,
      link = markOf(hash);
    const draft = this.read(await this.slot.take({ orphans: link === null }));
    const onLink = draft !== null && link !== null && draft.link === link;
    if (onLink) this.link = link;
    else this.putBack(draft);
    await openLink(hash);
    if (onLink) this.putBack(draft);
    this.begin();
  }

  begin() {
    for (const name of USES) document.addEventListener(name, () => this.soon(), { passive: true });
    this.editor.addEventListener("text", () => this.soon());
    document.addEventListener("visibilitychange", () => document.hidden && this.write());
    addEventListener("pagehide", () => this.write());
    this.texts.addEventListener("change", () => this.takeLate());
    this.session.addEventListener("ready", () => this.takeLate());
    this.session.ready.then(
      () => this.takeLate(),
      () => {},
    );
    this.slot.prune();
    this.soon();
  }

  /**
   * A link's contents are put into the page by `put`.
   *
   * @param {string} fragment
   * @param {() => void} put
   */
  around(fragment, put) {
    const link = markOf(fragment);
    if (this.timer !== null || this.link !== link) this.write();
    if (this.link !== link) {
      this.slot.fresh();
      this.written = undefined;
      this.run = null;
      this.late = {};
      this.offer(null);
    }
    this.link = link;
    put();
    this.base = this.now();
  }

  // ---- writing ----

  /** @returns {Base} */
  now() {
    return { files: this.editor.files, settings: this.settings.draft() };
  }

  soon() {
    this.timer ??= setTimeout(() => this.write(), SOON);
  }

  write() {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const text = this.text();
    if (text === this.written) return;
    this.written = text;
    if (!this.slot.write(text) && text !== null) this.makeSpace();
  }

  async makeSpace() {
    const free = (await this.slot.prune(0)) && this.slot.write(this.written ?? null);
    if (!free) this.refuse("the browser has no space for them");
  }

  /** @param {string} why */
  refuse(why) {
    if (!this.refused) this.status(`Your edits are not kept for a reload: ${why}.`, "bad");
    this.refused = true;
  }

  // The draft as it is written; null: all is as it came.
  text() {
    for (const most of [MOST_HISTORY, 0]) {
      const draft = this.draft(most);
      const text = draft && JSON.stringify(draft);
      if (text === null || text.length <= MOST) return text;
    }
    this.refuse("they are too long");
    return this.written ?? null;
  }

  /**
   * @param {number} mostHistory  characters
   * @returns {Draft | null}
   */
  draft(mostHistory) {
    const { editor, base, choice, session } = this;
    const { files, settings } = this.now();
    const edited = Object.keys(files).filter((name) => files[name] !== base.files[name]);
    const inputs = { ...settings, ...this.late };
    const fields = this.fields.values();
    const draft = {
      files: Object.fromEntries(edited.map((name) => [name, editor.toJson(name, mostHistory)])),
      settings: same(inputs, base.settings) ? null : inputs,
      device: (choice.touched && session.choice !== this.addressed ? session.choice : null) ?? this.lateDevice,
      fields,
      entry: this.entry.text.slice(0, MOST_FIELD),
    };
    if (!edited.length && !draft.settings && !draft.device && !Object.keys(fields).length && !draft.entry) return null;
    const { link, run, controls, autosave } = this;
    return { version: 1, run: autosave.id ?? run, link, held: controls.held !== null, shown: editor.shown, ...draft };
  }

  // ---- putting back ----

  /** @param {string | null} text */
  read(text) {
    if (text === null) return null;
    try {
      return checked(text);
    } catch (error) {
      this.say(`Your unsaved edits could not be restored: ${/** @type {Error} */ (error).message}.`);
      return null;
    }
  }

  /** @param {Draft | null} draft */
  putBack(draft) {
    if (!draft) return;
    const { editor, controls } = this;
    const before = { ...this.base, held: controls.held };
    if (draft.held) controls.hold(this.held); // before Python could see any of it
    const known = Object.entries(draft.files).filter(([name]) => Object.hasOwn(editor.files, name));
    editor.putBack(Object.fromEntries(known.map(([name, file]) => [name, editor.fromJson(name, file)])));
    editor.show(draft.shown);
    this.putSettings(draft.settings);
    this.fields.put(draft.fields);
    this.entry.text = draft.entry;
    this.putDevice(draft.device);
    this.run = draft.run;
    if (!known.length && !draft.settings && !draft.entry && !Object.keys(draft.fields).length) return;
    this.say(`Restored your unsaved ${known.length ? "edits" : "inputs"}.`);
    this.offer("Discard them", "The code and inputs as they came. Undo in the editor takes this back.", () => {
      editor.replace(before.files);
      controls.hold(before.held);
      this.late = {};
      this.settings.adopt(before.settings);
      this.fields.put({});
      this.entry.text = "";
      this.discardDevice();
      this.say(null);
      this.status("Discarded your unsaved edits");
    });
  }

  /** @param {Draft["settings"]} settings */
  putSettings(settings) {
    if (!settings) return;
    for (const name of this.settings.adopt(settings)) this.late[name] = settings[name];
  }

  // The user's own texts and the number of threads are known later.
  takeLate() {
    const { settings, late } = this;
    for (const [name, value] of Object.entries(late)) {
      const there = [...settings.input(name).options].some((option) => option.value === String(value));
      if (there || settings.changed.has(name)) delete late[name];
      if (there && !settings.changed.has(name)) settings.choose(name, value);
    }
  }

  /** @param {string | null} device */
  async putDevice(device) {
    const { session, choice, resume } = this;
    if (!device || choice.touched) return; // the address names one
    this.lateDevice = device;
    await Promise.all([session.ready, session.graphics]).catch(() => {});
    if (this.lateDevice === null) return; // discarded meanwhile
    this.lateDevice = null;
    if (choice.touched || this.controls.active || session.state !== "ready") return;
    const [name, precision = "f32"] = device.split(":");
    resume.chooseDevice({ device: name, precision, chosen: true }, []);
  }

  discardDevice() {
    const { choice, session } = this;
    this.lateDevice = null;
    if (!choice.touched || session.choice === this.addressed) return;
    choice.touched = this.addressed !== null;
    session.chooseDevice(this.addressed ?? preferred(choice.gpu).choice);
  }

  // ---- a run is resumed ----

  /**
   * What becomes of the edits where a saved run's code takes their place. `put` is called when the
   * run continues. Edits of that run stay: they are in the editor again, not applied. Others are
   * offered.
   *
   * @param {string} id
   * @returns {{ stay: Record<string, string> | null, put: () => void }}  stay: the texts that stay
   */
  editsOf(id) {
    const { editor, controls } = this,
      { held } = controls;
    const before = this.now(),
      states = editor.copy();
    if (same(before.files, this.base.files) && same(before.settings, this.base.settings))
      return { stay: null, put: () => {} };
    if (held === null && id === (this.autosave.id ?? this.run))
      return { stay: before.files, put: () => (editor.putBack(states), this.chooseAgain(before.settings)) };
    const put = () => {
      if (same(before.files, editor.files)) return;
      this.offer("Put back your edits", "The code that was in the editor before. It does not run by itself.", () => {
        if (held !== null) controls.hold(held);
        editor.replace(before.files);
      });
    };
    return { stay: null, put };
  }

  /** @param {Record<string, any>} wanted */
  async chooseAgain(wanted) {
    const { settings, controls } = this;
    await controls.begun?.promise; // an input that changes applies to the loop that runs
    const now = settings.draft();
    for (const name of new Set([...Object.keys(wanted), ...Object.keys(now)]))
      if (wanted[name] !== now[name]) settings.choose(name, wanted[name] ?? settings.start(name));
  }

  // ---- what the page says of it ----

  /** @param {string | null} sentence */
  say(sentence) {
    this.said = sentence;
    if (sentence) this.status(sentence);
  }

  /**
   * The button beside the status line; null: none.
   *
   * @param {string | null} words
   * @param {string} title
   * @param {() => void} does
   */
  offer(words, title = "", does = () => {}) {
    this.button.hidden = words === null;
    if (words === null) this.said = null;
    Object.assign(this.button, { textContent: words ?? "", title });
    this.press = () => {
      this.offer(null);
      does();
    };
  }
}

/** @type {(a: Record<string, unknown>, b: Record<string, unknown>) => boolean} */
const same = (a, b) =>
  Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([name, value]) => value === b[name]);

/**
 * Which link a fragment is: its length and a checksum (FNV-1a), or null where it is none.
 *
 * @param {string} fragment
 */
function markOf(fragment) {
  if (!/^#share/i.test(fragment)) return null;
  let sum = 0x811c9dc5;
  for (let i = 0; i < fragment.length; i++) sum = Math.imul(sum ^ fragment.charCodeAt(i), 0x01000193);
  return `${fragment.length}-${(sum >>> 0).toString(16)}`;
}
