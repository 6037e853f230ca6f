// @ts-check
// Puts a saved run, or the file of one, back on the page: files, settings, curve, model. A saved
// run then resumes from the step that was saved.

import { MOST_BYTES } from "../run/model_file.js";
import { presetOf } from "../run/settings.js";
import { bytes, compact, sentence, withoutEnd } from "../ui/format.js";
import { choiceOf } from "../worker/devices.js";
import { programFile } from "./slots.js";

/** @typedef {import("./slots.js").SavedRun} SavedRun */
/** @typedef {import("../worker/protocol.js").ImportAnswer} ImportAnswer */

export class Resume {
  /**
   * @param {import("./persist.js").PageParts & {
   *   saved: import("./saved_runs.js").SavedRuns,
   *   autosave: import("./autosave.js").Autosave,
   * }} parts
   */
  constructor({ session, controls, training, editor, settings, choice, saved, autosave, status }) {
    this.session = session;
    this.controls = controls;
    this.training = training;
    this.editor = editor;
    this.settings = settings;
    this.choice = choice;
    this.saved = saved;
    this.autosave = autosave;
    this.status = status;
    /**
     * What becomes of the edits in the editor: drafts.js.
     * @type {(id: string) => { stay: Record<string, string> | null, put: () => void }}
     */
    this.editsOf = () => ({ stay: null, put: () => {} });
  }

  // ---- a run saved in this browser: resolves to a sentence when it is restored ----

  /** @param {import("./saved_runs.js").Entry} entry */
  async run(entry) {
    const { autosave, saved } = this;
    this.refuseWhileActive();
    this.status(`Reading ${entry.name}: ${bytes(entry.bytes / entry.names.length)}`);
    const held = await saved.claim(entry.id); // nobody writes it while it is read
    try {
      return await this.restore(entry, held);
    } catch (error) {
      if (held && autosave.id !== entry.id) saved.release(entry.id);
      throw error;
    }
  }

  /**
   * @param {import("./saved_runs.js").Entry} entry
   * @param {boolean} held
   */
  async restore(entry, held) {
    const { controls, training, autosave, saved, session } = this;
    const { about, sequence, file, problems } = await saved.open(entry.id);
    await session.graphics;
    const edits = this.editsOf(entry.id);
    const notes = problems.length
      ? [`the newest of its two saves was damaged (${problems[0]}), so the older one was used`]
      : [];
    for (const [name, text] of Object.entries(about.files)) this.putBack(name, text);
    controls.take(); // what a link brought is not in the editor any more
    this.chooseDevice(about, notes);
    const placed = about.plain ? await controls.placeProgram(await programFile(file), entry.name) : null;
    if (!placed) await controls.importModel(file, { own: true, files: about.files });
    notes.push(
      ...this.settings
        .adopt(about.settings)
        .map((/** @type {string} */ name) => `the ${name} ${short(about.settings[name])} is not available here`),
    );
    training.restore(about, entry.name, entry.id);
    const mine = held && !placed && (await autosave.adopt({ id: entry.id, sequence, step: about.step }));
    if (placed) {
      if (held) saved.release(entry.id); // a run of the program is another one
      const { path, names } = placed;
      notes.push(`Run begins it anew, and torch.load("${path}") has the state_dicts of ${names.join(", ")}`);
    } else if (!mine) {
      notes.push("Also open in another tab. This tab continues as a copy");
      training.rename(`${entry.name} (copy)`);
    }
    const restored = `${entry.name} ${placed ? "shown" : "restored"} at step ${about.step.toLocaleString("en")}`;
    const later = edits.stay ?? about.edited ?? {};
    if (Object.entries(later).some(([name, text]) => name in about.files && text !== about.files[name]))
      notes.push("Your edits are in the editor, not applied");
    const saying = [restored, ...notes].map(sentence).join(" ");
    if (notes.length) training.note(saying);
    this.status(saying, "good");
    if (!about.finished && !placed) controls.resume({ saying }); // to its end, which nobody waits for here
    if (about.edited && !edits.stay) for (const [name, text] of Object.entries(about.edited)) this.putBack(name, text);
    edits.put();
    return saying;
  }

  /**
   * Also for an edit that was not applied: it is not part of the run, but it is in the editor
   * again.
   *
   * @param {string} name
   * @param {string} text
   */
  putBack(name, text) {
    const { editor } = this;
    if (!(name in editor.files) || editor.files[name] === text) return;
    editor.dispatch(name, { changes: { from: 0, to: editor.state(name).doc.length, insert: text } });
  }

  /**
   * @param {Pick<SavedRun, "device" | "precision" | "chosen">} about
   * @param {string[]} notes
   */
  chooseDevice({ device, precision, chosen }, notes) {
    const saved = choiceOf({ device, precision }),
      { choice, session } = this;
    if (!chosen || saved === choiceOf(choice.current)) return;
    if (device === "webgpu" && (!choice.gpu || choice.gpu.missing || !choice.gpu.canWait)) {
      notes.push("it was trained on the GPU, which is not available here");
      return;
    }
    if (device === "wasm64" && choice.noWide) {
      notes.push("it was trained in 64-bit memory, which this browser does not support");
      return;
    }
    choice.touched = true;
    session.chooseDevice(saved);
  }

  // ---- a file ----

  /** @param {File} file */
  async file(file) {
    const { controls } = this;
    this.refuseWhileActive();
    if (!file.size) throw new Error(`${file.name} is empty (0 bytes): save or download it again.`);
    if (file.size > MOST_BYTES)
      throw new Error(`${file.name} is ${bytes(file.size)}: a tab can load at most ${bytes(MOST_BYTES)}.`);
    this.status(`Reading ${file.name}: ${bytes(file.size)}`);
    const name = file.name.replace(/\.(tinygpt|safetensors)$/i, "");
    /** @type {ImportAnswer} */
    let about;
    try {
      about = await controls.importModel(file, { history: true }, { name });
    } catch (error) {
      throw new Error(
        `${withoutEnd(`${file.name} could not be imported: ${/** @type {Error} */ (error).message}`, ".")}.`,
      );
    }
    const { step, optimizer, parameters, config, train } = about;
    const { settings } = this,
      preset = presetOf(settings.defaults, config);
    const values = Object.fromEntries(Object.entries(train ?? {}).filter(([name]) => name !== "preset"));
    const missing = settings.adopt({ ...values, ...(preset && { preset }) });
    const steps = train?.steps ?? step;
    const sentences = [
      `${file.name} loaded: ${compact(parameters)} parameters, step ${step.toLocaleString("en")}, ${optimizer ? "with" : "without"} optimizer state`,
      ...(preset ? [] : ["its shape matches no preset"]),
      ...missing.map(
        (/** @type {string} */ field) => `its ${field} ${short(values[field])} is not available here, choose another`,
      ),
    ];
    this.status(
      `${sentences.join("; ")}. Use it under Generate, or press Resume to continue training${step >= steps ? " after raising Steps" : ""}.`,
      "good",
    );
    return about;
  }

  refuseWhileActive() {
    if (this.controls.active)
      throw new Error("A run is in progress. Stop it first, so that the loaded model does not replace it.");
  }
}

/** @param {unknown} value */
const short = (value) => String(value).slice(0, 60);
