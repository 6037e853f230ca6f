// The inputs above the editor. What they start with comes from config.py (py/defaults.json); what the user changed overrides the
// loop's own settings in the next run, and only that: so an edit of train.py is never overruled by an input nobody touched.

const FIELDS = ["steps", "lr", "batch_size", "seed", "corpus", "sample_interval"];

export class Settings {
  constructor(defaults, corpora) {
    this.defaults = defaults;
    this.changed = new Set();
    this.input = (name) => document.getElementById("setting-" + name);
    fill(this.input("preset"), Object.keys(defaults.presets));
    fill(this.input("corpus"), [...new Set([defaults.train.corpus, ...corpora.map(({ name }) => name)])]);
    this.offerThreads(1);
    this.input("preset").value = defaults.preset;
    this.showPreset();
    for (const name of ["preset", "threads", ...FIELDS]) this.input(name).addEventListener("change", () => this.change(name));
  }

  showPreset() {
    const { train } = this.defaults.presets[this.input("preset").value];
    for (const name of FIELDS) if (!this.changed.has(name)) this.input(name).value = text(train[name]);
  }

  change(name) {
    const input = this.input(name);
    if (!input.checkValidity() || input.value === "") this.changed.delete(name); // an empty input is the default again
    else this.changed.add(name);
    if (name === "preset" || input.value === "") this.showPreset();
    const start = name === "preset" ? this.defaults.preset : name === "threads" ? "" : text(this.defaults.presets[this.input("preset").value].train[name]);
    if (input.value === start) this.changed.delete(name);
    input.classList.toggle("changed", this.changed.has(name));
  }

  // What goes to Python before a run: the changed ones, as numbers where they are numbers.
  values() {
    const values = {};
    for (const name of this.changed) {
      const { value, type } = this.input(name);
      values[name] = type === "number" || name === "threads" ? Number(value) : value;
    }
    return values;
  }

  // Other values instead of all that the user changed: what `values` gave, or a link holds.
  take(values) {
    for (const name of [...this.changed]) this.input(name).classList.remove("changed");
    this.changed.clear();
    this.input("preset").value = this.defaults.preset;
    this.showPreset();
    for (const [name, value] of Object.entries(values)) {
      const input = this.input(name), before = input.value;
      input.value = text(value);
      if (input.tagName === "SELECT" && input.selectedIndex < 0) input.value = before; // a text that is not here
      this.change(name);
    }
  }

  // As many as the extension has; one is no choice.
  offerThreads(most) {
    const select = this.input("threads"), before = select.value;
    fill(select, most === 1 ? [["", "1"]] : [["", "all " + most], ...Array.from({ length: most - 1 }, (_, i) => String(i + 1))]);
    select.value = [...select.options].some(({ value }) => value === before) ? before : "";
    select.disabled = most === 1;
  }
}

const text = (value) => (typeof value === "number" && value && Math.abs(value) < 1e-3 ? value.toExponential() : String(value)); // 3e-4

function fill(select, options) {
  select.replaceChildren(...options.map((option) => {
    const [value, label] = Array.isArray(option) ? option : [option, option];
    return new Option(label, value);
  }));
}
