// The inputs above the editor. What they start with comes from config.py (py/defaults.json); what
// the user changed overrides the loop's own settings in the next run, and only that: so an edit of
// train.py is never overruled by an input nobody touched. A wrong value counts for nothing: the
// input says what is wrong with it, its last right one stays in use, and no run begins (`refuse`).
//
// Events: "change" {name}: an input has another right value; "own": train.py has the model's shape
// otherwise; "adopted": the inputs are those of a link or of a file.

import { note } from "../ui/field_notes.js";
import { compact } from "../ui/format.js";
import { exact, nameOf, problem } from "../ui/number_inputs.js";
import { parameterCount } from "./parameter_count.js";

// in the row that More opens
const MORE = ["schedule", "warmup_steps", "min_lr", "dropout", "recompute", "weight_decay"];
const FIELDS = ["steps", "lr", "batch_size", "seed", "corpus", "sample_interval", ...MORE];
const SCHEDULES = ["constant", "cosine", "linear"];
const SWITCHES = ["recompute"]; // true or false
const CUSTOM = "custom"; // the preset of a loaded model that has the shape of none
const ALL = ["preset", "threads", ...FIELDS];
// A run that trains takes these over at its next step (config.LIVE), and threads with them.
const LIVE = ["steps", "lr", "schedule", "warmup_steps", "min_lr", "sample_interval", "threads"];

export class Settings extends EventTarget {
  // reveal(name): shows an input that is in a panel.
  constructor(defaults, corpora, { reveal = () => {} } = {}) {
    super();
    Object.assign(this, { defaults, reveal });
    this.own = {}; // fields of ModelConfig that train.py has otherwise
    this.valid = {}; // of each input the last right value, as its text
    this.tooShort = () => null; // the sentence why no run can begin with the chosen text; the Data panel knows
    this.loaded = null; // {config, parameters} of the file that the run comes from
    this.changed = new Set();
    this.ofFile = false; // the run comes from a file and continues with its settings
    this.touched = new Set(); // since then: these override the file's, also where they are the defaults
    this.input = (name) => document.getElementById("setting-" + name);
    fill(this.input("preset"), Object.keys(defaults.presets));
    fill(this.input("corpus"), [...new Set([defaults.train.corpus, ...corpora.map(({ name }) => name)])]);
    fill(this.input("schedule"), SCHEDULES);
    for (const name of SWITCHES)
      fill(this.input(name), [
        ["false", "off"],
        ["true", "on"],
      ]);
    this.input("preset").title = sizes(defaults.presets);
    this.more = document.getElementById("more");
    this.more.addEventListener("click", () => this.showMore(this.more.getAttribute("aria-expanded") !== "true"));
    this.offerThreads(1);
    this.input("preset").value = defaults.preset;
    this.showPreset();
    for (const name of ALL) {
      this.input(name).addEventListener("change", () => this.touch(name));
      this.input(name).addEventListener("input", () => !problem(this.input(name)) && note(this.input(name), null));
    }
  }

  // What the preset has, in every input that nobody changed.
  showPreset() {
    for (const name of FIELDS)
      if (!this.changed.has(name) && !this.wrong(name)) this.input(name).value = this.start(name);
    for (const name of ALL) if (!this.wrong(name)) this.valid[name] = this.input(name).value;
  }

  wrong(name) {
    return name in this.valid && problem(this.input(name)) !== null;
  }

  // The sentence on the first wrong input, which gets the focus, or null: nothing keeps a run from
  // beginning. begins: it takes all inputs, the text too.
  refuse({ begins = false } = {}) {
    // a browser tells of no change that ends with the value that the focus found
    for (const name of ALL) if (this.input(name).value !== this.valid[name]) this.touch(name);
    const reasons = FIELDS.map((name) => [name, this.check(name)]);
    if (begins) reasons.push(["corpus", this.showText()]);
    const [first] = reasons.filter(([, reason]) => reason);
    if (!first) return null;
    const [name, reason] = first;
    if (MORE.includes(name)) this.showMore(true);
    this.reveal(name);
    this.input(name).focus();
    return reason;
  }

  // What is wrong with an input's value, which the input says too, or null.
  check(name) {
    const input = this.input(name),
      reason = problem(input);
    if (reason || input.ariaInvalid === "true") note(input, reason, { bad: true });
    return reason;
  }

  // At the text: why no run can begin with it, or null.
  showText() {
    const reason = this.tooShort(),
      input = this.input("corpus");
    if (reason || input.ariaInvalid === "true") note(input, reason, { bad: true });
    return reason;
  }

  // The chosen preset; the default one where a loaded model is of none.
  get preset() {
    const { value } = this.input("preset");
    return value === CUSTOM ? this.defaults.preset : value;
  }

  // What an input shows before somebody changes it.
  start(name) {
    if (name === "preset")
      return this.loaded ? (presetOf(this.defaults, this.loaded.config) ?? CUSTOM) : this.defaults.preset;
    if (name === "threads") return "";
    const { train, model } = this.defaults.presets[this.preset];
    return text(train[name] ?? model[name]);
  }

  showMore(on) {
    this.more.setAttribute("aria-expanded", String(on));
    document.getElementById("settings-more").hidden = !on;
  }

  touch(name) {
    if (this.check(name)) return;
    if (this.ofFile) for (const one of name === "preset" ? ["preset", ...FIELDS] : [name]) this.touched.add(one);
    this.change(name);
    this.dispatchEvent(new CustomEvent("change", { detail: { name } }));
  }

  // What a run that began with `used` (as of `values`) is to take over of this input now; null: it
  // cannot, and the input says when it will.
  live(name, used) {
    const now = this.values();
    if (LIVE.includes(name)) {
      const { [name]: _, ...others } = used;
      return name in now ? { ...others, [name]: now[name] } : others;
    }
    const same = now[name] === used[name];
    note(this.input(name), same ? null : `${nameOf(this.input(name))} applies at the next run.`);
    return null;
  }

  // The run is over: what waits for the next one need not say so.
  settle() {
    for (const name of ALL) if (this.input(name).ariaInvalid !== "true") note(this.input(name), null);
  }

  // "learning rate 3e-4 → 1e-3, steps 1500 → 3000". changes: {name: [before, after]}.
  said(changes) {
    const name = (of) => (this.input(of) ? nameOf(this.input(of)) : of.replaceAll("_", " ")).toLowerCase();
    return Object.entries(changes)
      .map(([of, [before, after]]) => `${name(of)} ${text(before)} → ${text(after)}`)
      .join(", ");
  }

  // Another run is to go on: that of a file, or a new one. loaded: {config, parameters} of a model
  // that was loaded, whose shape the preset shows.
  follow(ofFile, loaded = null) {
    this.ofFile = ofFile;
    this.touched.clear();
    const input = this.input("preset"),
      before = this.loaded,
      custom = input.value === CUSTOM;
    this.loaded = loaded;
    for (const option of [...input.options]) if (option.value === CUSTOM) option.remove();
    if (loaded && this.start("preset") === CUSTOM)
      input.add(new Option(`custom (${compact(loaded.parameters)})`, CUSTOM), 0);
    if (!loaded && !before) return;
    if (loaded || custom) input.value = this.start("preset");
    this.changed.delete("preset");
    if (input.value !== this.start("preset")) this.changed.add("preset");
    input.classList.toggle("changed", this.changed.has("preset"));
    this.showPreset();
  }

  change(name) {
    const input = this.input(name);
    this.valid[name] = input.value;
    this.changed.add(name);
    if (name === "preset") this.showPreset();
    if (input.value === this.start(name)) this.changed.delete(name);
    input.classList.toggle("changed", this.changed.has(name));
  }

  // Nobody has chosen what decides how long training takes and where it ends.
  get untouched() {
    return !["preset", "steps", "lr", "batch_size", ...MORE].some((name) => this.changed.has(name));
  }

  // What goes to Python before a run: the changed ones.
  values() {
    const names = [...new Set([...this.changed, ...this.touched])].filter((name) => this.valid[name] !== CUSTOM);
    return Object.fromEntries(names.map((name) => [name, this.value(name)]));
  }

  // What adopt() takes to make the inputs what they are, with what is still being typed.
  draft() {
    const typed = ALL.filter((name) => this.input(name).value !== this.valid[name] && !problem(this.input(name)));
    return {
      ...this.values(),
      ...Object.fromEntries(typed.map((name) => [name, this.value(name, this.input(name).value)])),
    };
  }

  // An input's last right value: a number where it is one.
  value(name, value = this.valid[name]) {
    if (SWITCHES.includes(name)) return value === "true";
    return this.input(name).type === "number" || name === "threads" ? exact(value) : value;
  }

  // A number as it is being typed.
  typed(name) {
    return this.wrong(name) ? this.value(name) : Number(this.input(name).value);
  }

  // What train.py has otherwise, as the Model panel reads it there.
  describe(own) {
    if (JSON.stringify(own) === JSON.stringify(this.own)) return;
    this.own = own;
    this.dispatchEvent(new Event("own"));
  }

  // The chosen shape, without what the code has otherwise.
  get model() {
    return this.input("preset").value === CUSTOM ? this.loaded.config : this.defaults.presets[this.preset].model;
  }

  // What the next run is made of, by the inputs: {model, steps, batch}, and every preset's context.
  next() {
    const { presets } = this.defaults;
    return {
      model: { ...this.model, ...this.own },
      steps: this.typed("steps"),
      batch: this.typed("batch_size"),
      contexts: Object.fromEntries(Object.entries(presets).map(([name, { model }]) => [name, model.context])),
    };
  }

  // The texts to learn from, beside the default: names. A chosen one that is gone gives way to the
  // default.
  offerCorpora(names) {
    const select = this.input("corpus"),
      before = select.value,
      all = [...new Set([this.defaults.train.corpus, ...names])];
    fill(select, all);
    if (all.includes(before)) select.value = before;
    else this.choose("corpus", all[0]);
  }

  // Fills an input, as by hand.
  choose(name, value) {
    this.input(name).value = text(value);
    if (MORE.includes(name)) this.showMore(true);
    this.input(name).dispatchEvent(new Event("change", { bubbles: true }));
  }

  // Puts these values in, as if the user had, and the defaults everywhere else. Returns the names
  // of those that cannot be chosen here.
  adopt(values) {
    const missing = [];
    this.changed.clear();
    this.valid = {};
    for (const name of ALL) note(this.input(name), null);
    this.input("preset").value = this.start("preset");
    for (const name of ALL) {
      const input = this.input(name);
      if (name === "preset" || name === "threads") this.input(name).value = this.start(name);
      if (values[name] === undefined) {
        if (name === "preset") this.showPreset();
        continue;
      }
      const wanted = typeof values[name] === "number" && name !== "threads" ? text(values[name]) : String(values[name]);
      if (input.options && ![...input.options].some(({ value }) => value === wanted)) missing.push(name);
      else {
        input.value = wanted;
        if (this.check(name)) continue;
        this.change(name);
        if (MORE.includes(name) && this.changed.has(name)) this.showMore(true);
      }
    }
    this.showPreset();
    for (const name of ALL) this.input(name).classList.toggle("changed", this.changed.has(name));
    this.dispatchEvent(new Event("adopted"));
    return missing;
  }

  // As many as the extension has; one is no choice. Unless one is chosen, Python measures which is
  // fastest (devices/thread_choice.py). unshared: why there can be only one, or null.
  offerThreads(most, unshared = null) {
    const select = this.input("threads"),
      before = select.value;
    fill(select, most === 1 ? [["", "1"]] : [["", "auto"], ...Array.from({ length: most }, (_, i) => String(i + 1))]);
    select.value = [...select.options].some(({ value }) => value === before) ? before : "";
    select.disabled = most === 1;
    if (unshared) select.title = `One thread: ${unshared}.`;
  }
}

const text = (value) =>
  typeof value === "number" && value && Math.abs(value) < 1e-3 ? value.toExponential() : String(value); // 3e-4

// What the list of presets has, from the smallest to the largest.
function sizes(presets) {
  const all = Object.entries(presets).map(([name, { model }]) => [name, parameterCount(model)]);
  const [[least, few], [most, many]] = [all[0], all.at(-1)];
  return `The size of the model: from ${least} (${compact(few)} parameters, seconds on any machine) to ${most} (${compact(many)}, for a fast GPU). Larger learns more and takes longer.`;
}

function fill(select, options) {
  select.replaceChildren(
    ...options.map((option) => {
      const [value, label] = Array.isArray(option) ? option : [option, option];
      return new Option(label, value);
    }),
  );
}

const WAYS = ["dropout", "recompute"]; // of training, not of shape

// The preset with this shape, or null.
export function presetOf({ presets }, config) {
  const same = (model) => Object.keys(config).every((name) => WAYS.includes(name) || model[name] === config[name]);
  return Object.keys(presets).find((name) => same(presets[name].model)) ?? null;
}
