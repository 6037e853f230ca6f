// Puts a saved run, or the file of one, back on the page: files, settings, curve, model. A saved run then goes on where it was saved.

import { choiceOf } from "../device_choice.js";
import { bytes, compact } from "../words.js";

const MOST_BYTES = 1.5e9; // of a file: the tab's Python has at most 4 GB, and holds it more than once

export class Resume {
  // settings(): the Settings; defaults(): of config.py. status(text, kind): the status line.
  constructor({ session, controls, training, editor, settings, choice, saved, autosave, status }) {
    Object.assign(this, { session, controls, training, editor, settings, choice, saved, autosave, status });
  }

  // ---- a run saved in this browser: resolves to a sentence when it is back and goes on ----

  async run(entry) {
    const { controls, training, autosave, saved, session } = this;
    this.refuseWhileActive();
    this.status(`Reading ${entry.name}: ${bytes(entry.bytes / entry.names.length)}`);
    const { about, sequence, file, problems } = await saved.open(entry.id);
    await session.graphics;
    const notes = problems.length ? [`the newest of its two saves was damaged (${problems[0]})`] : [];
    for (const [name, text] of Object.entries(about.files)) this.putBack(name, text);
    controls.take(); // what a link brought is not in the editor any more
    this.chooseDevice(about, notes);
    await controls.importModel(file, { own: true, files: about.files });
    notes.push(...this.settings().adopt(about.settings).map((name) => `the ${name} ${short(about.settings[name])} is not here`));
    this.show(about, entry.name);
    const mine = await autosave.adopt({ id: entry.id, sequence, step: about.step });
    if (!mine) {
      notes.push("it is open in another tab, which goes on saving it; here it goes on as a copy");
      training.runs.rename(training.runs.current, `${entry.name} (copy)`);
    }
    const saying = [`${entry.name} is back at step ${about.step.toLocaleString("en")}`, ...notes].join("; ");
    if (notes.length) training.note(saying + ".");
    this.status(saying, "good");
    if (!about.finished) controls.resume({ saying }); // to its end, which nobody waits for here
    if (about.edited) for (const [name, text] of Object.entries(about.edited)) this.putBack(name, text);
    return saying + ".";
  }

  // Also for an edit that was not applied: it is not part of the run, but it is in the editor again.
  putBack(name, text) {
    const { editor } = this;
    if (!(name in editor.files) || editor.files[name] === text) return;
    editor.dispatch(name, { changes: { from: 0, to: editor.state(name).doc.length, insert: text } });
  }

  chooseDevice({ device, precision, chosen }, notes) {
    const wanted = choiceOf({ device, precision }), { choice, session } = this;
    if (!chosen || wanted === choiceOf(choice.current)) return;
    if (device === "webgpu" && (!choice.gpu || choice.gpu.missing || !choice.gpu.canWait)) {
      notes.push("it was trained on the GPU, which cannot be used here now");
      return;
    }
    if (device === "wasm64" && choice.noWide) {
      notes.push("it was trained in 64-bit memory, which this browser does not have");
      return;
    }
    choice.touched = true;
    session.chooseDevice(wanted);
  }

  // The numbers and the curve.
  show({ run, facts, curve, marks, elapsed, samples }, name) {
    const { training } = this;
    training.chart.reset(facts.vocab_size ?? 0, { ...facts, run: name });
    Object.assign(training.runs.current, curve, { marks });
    training.run = { ...run, times: (curve.ms ?? []).slice(-20).filter((ms) => ms !== null) };
    training.clock = { ran: elapsed ?? 0, since: null };
    if (samples) document.getElementById("sample-text").textContent = samples;
    training.runs.changed();
    training.chart.draw();
    training.showSoon();
  }

  // ---- a file ----

  async file(file) {
    const { controls, training } = this;
    this.refuseWhileActive();
    if (!file.size) throw new Error(`${file.name} is empty (0 bytes): save or download it again.`);
    if (file.size > MOST_BYTES) throw new Error(`${file.name} has ${bytes(file.size)}: a tab can take at most ${bytes(MOST_BYTES)}.`);
    this.status(`Reading ${file.name}: ${bytes(file.size)}`);
    let about;
    try {
      about = await controls.importModel(file, { history: true });
    } catch (error) {
      throw new Error(`${file.name} was not taken: ${error.message}.`.replace(/\.+$/, "."));
    }
    const { step, optimizer, parameters, config, train } = about;
    const settings = this.settings(), preset = presetOf(settings.defaults, config);
    const values = Object.fromEntries(Object.entries(train ?? {}).filter(([name]) => name !== "preset"));
    const missing = settings.adopt({ ...values, ...(preset && { preset }) });
    const steps = train?.steps ?? step, name = file.name.replace(/\.tinygpt$/i, "");
    const logged = about.history.filter((entry) => entry.length === 2 && numbers(entry)), evaluated = about.history.filter((entry) => entry.length === 3 && numbers([entry[0], entry[2]]));
    const none = () => logged.map(() => null);
    this.show({
      run: {
        type: "start", name, preset: preset ?? "imported", parameters, steps, batch_tokens: (train?.batch_size ?? 1) * config.context,
        vocab_size: config.vocab_size, step, done: step, loss: logged.at(-1)?.[1] ?? null, lr: null, val: evaluated.at(-1)?.[2] ?? null,
        valStep: evaluated.at(-1)?.[0] ?? null, planned: 0, spent: 0, counted: 0, reason: null, paused: false, corpus: train?.corpus ?? null,
        device: this.choice.current.device, precision: this.choice.current.precision, threads: 0,
      },
      facts: { preset: preset ?? "imported", vocab_size: config.vocab_size },
      curve: {
        steps: logged.map(([at]) => at), losses: logged.map(([, loss]) => loss), lrs: none(), norms: none(), ms: none(),
        evalSteps: evaluated.map(([at]) => at), evalLosses: evaluated.map(([, , loss]) => loss),
      },
      marks: [], elapsed: 0, samples: "",
    }, name);
    const told = [
      `${file.name} is loaded: ${compact(parameters)} parameters, step ${step.toLocaleString("en")}, ${optimizer ? "with" : "without"} optimizer state`,
      ...(preset ? [] : ["its shape is that of no preset"]),
      ...missing.map((field) => `its ${field} ${short(values[field])} is not here, choose another`),
    ];
    this.status(`${told.join("; ")}. Write with it under Generate, or press Resume to train it on${step >= steps ? " after raising Steps" : ""}.`, "good");
    return about;
  }

  refuseWhileActive() {
    if (this.controls.active) throw new Error("A run is under way: stop it first, so that what is loaded does not take its place.");
  }
}

const short = (value) => String(value).slice(0, 60);
const numbers = (entry) => entry.every((value) => typeof value === "number");

const WAYS = ["dropout", "recompute"]; // of training, not of shape

// The preset with this shape, or null.
function presetOf({ presets }, config) {
  const same = (model) => Object.keys(config).every((name) => WAYS.includes(name) || model[name] === config[name]);
  return Object.keys(presets).find((name) => same(presets[name].model)) ?? null;
}
