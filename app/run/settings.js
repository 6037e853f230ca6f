// The inputs above the editor. What they start with comes from config.py (py/defaults.json); what
// the user changed overrides the loop's own settings in the next run, and only that: so an edit of
// train.py is never overruled by an input nobody touched.

import { exact } from "../ui/number_inputs.js";

// in the row that More opens
const MORE = ["schedule", "warmup_steps", "min_lr", "dropout", "recompute", "weight_decay"];
const FIELDS = ["steps", "lr", "batch_size", "seed", "corpus", "sample_interval", ...MORE];
const SCHEDULES = ["constant", "cosine", "linear"];
const SWITCHES = ["recompute"]; // true or false

export class Settings {
  constructor(defaults, corpora) {
    this.defaults = defaults;
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
    this.more = document.getElementById("more");
    this.more.addEventListener("click", () => this.showMore(this.more.getAttribute("aria-expanded") !== "true"));
    this.offerThreads(1);
    this.input("preset").value = defaults.preset;
    this.showPreset();
    for (const name of ["preset", "threads", ...FIELDS])
      this.input(name).addEventListener("change", () => this.touch(name));
  }

  showPreset() {
    for (const name of FIELDS) if (!this.changed.has(name)) this.input(name).value = this.start(name);
  }

  // What an input shows before somebody changes it.
  start(name) {
    if (name === "preset") return this.defaults.preset;
    if (name === "threads") return "";
    const { train, model } = this.defaults.presets[this.input("preset").value];
    return text(train[name] ?? model[name]);
  }

  showMore(on) {
    this.more.setAttribute("aria-expanded", String(on));
    document.getElementById("settings-more").hidden = !on;
  }

  touch(name) {
    if (this.ofFile) for (const one of name === "preset" ? ["preset", ...FIELDS] : [name]) this.touched.add(one);
    this.change(name);
  }

  follow(ofFile) {
    this.ofFile = ofFile;
    this.touched.clear();
  }

  change(name) {
    const input = this.input(name);
    if (!input.checkValidity() || input.value === "")
      this.changed.delete(name); // an empty input is the default again
    else this.changed.add(name);
    if (name === "preset" || input.value === "") this.showPreset();
    if (input.value === this.start(name)) this.changed.delete(name);
    input.classList.toggle("changed", this.changed.has(name));
  }

  // Nobody has chosen what decides how long training takes and where it ends.
  get untouched() {
    return !["preset", "steps", "lr", "batch_size", ...MORE].some((name) => this.changed.has(name));
  }

  // What goes to Python before a run: the changed ones, as numbers where they are numbers.
  values() {
    const values = {};
    for (const name of new Set([...this.changed, ...this.touched])) {
      if (this.input(name).value === "" || !this.input(name).checkValidity()) continue;
      const { value, type } = this.input(name);
      values[name] = SWITCHES.includes(name)
        ? value === "true"
        : type === "number" || name === "threads"
          ? exact(value)
          : value;
    }
    return values;
  }

  // What the next run is made of, by the inputs: {model, steps, batch}, and every preset's context.
  next() {
    const { presets } = this.defaults;
    return {
      model: presets[this.input("preset").value].model,
      steps: Number(this.input("steps").value),
      batch: Number(this.input("batch_size").value),
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
    this.input("preset").value = this.defaults.preset;
    for (const name of ["preset", "threads", ...FIELDS]) {
      const input = this.input(name);
      if (name === "preset" || name === "threads")
        this.input(name).value = name === "preset" ? this.defaults.preset : "";
      if (values[name] === undefined) {
        if (name === "preset") this.showPreset();
        continue;
      }
      const wanted = typeof values[name] === "number" && name !== "threads" ? text(values[name]) : String(values[name]);
      if (input.options && ![...input.options].some(({ value }) => value === wanted)) missing.push(name);
      else {
        input.value = wanted;
        this.change(name);
        if (MORE.includes(name) && this.changed.has(name)) this.showMore(true);
      }
    }
    this.showPreset();
    for (const name of ["preset", "threads", ...FIELDS])
      this.input(name).classList.toggle("changed", this.changed.has(name));
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

function fill(select, options) {
  select.replaceChildren(
    ...options.map((option) => {
      const [value, label] = Array.isArray(option) ? option : [option, option];
      return new Option(label, value);
    }),
  );
}
