// The inputs of the model's shape: ModelConfig's own terms. A right value is written into train.py
// as the argument of run.settings that it stands for (shape_code.js), as one undo step; nothing
// else in the page keeps it. A wrong one is refused at its field and changes nothing.
//
//   new ShapeInputs(parent, {editor, settings, controls, ask})   ask(shape): the answer to
//                     "model_parts" for a shape, whose error is the sentence on a wrong one
//   shape()           fields of ModelConfig that the inputs above the editor and train.py describe
//   differs(config)   whether it is another than this one
//
// Event "change": train.py describes another shape.

import { markLines } from "../../editor/marked_lines.js";
import { element } from "../../ui/dom.js";
import { note } from "../../ui/field_notes.js";
import { sentence } from "../../ui/format.js";
import { nameOf, problem } from "../../ui/number_inputs.js";
import { shapeLine, withShape } from "./shape_code.js";

const MAIN = "train.py";
const NO_LINE =
  "train.py has no line shape, config = run.settings(...), so these inputs have nothing to write to. Change the shape in the code.";
const flags = [
  ["true", "on"],
  ["false", "off"],
];
// name: [label, what it means, [least, most] of a whole number or [value, label] of each choice]
const FIELDS = {
  layers: ["Layers", "Blocks, one after another.", [1, 200]],
  d_model: ["Width", "Channels of each token (d_model): a multiple of the heads.", [1, 65536]],
  heads: ["Heads", "Attention heads of a layer: each sees its share of the width.", [1, 1024]],
  kv_heads: ["Key/value heads", "Fewer than heads: heads share keys and values (grouped-query attention).", [1, 1024]],
  context: ["Context", "Tokens that the model sees at once.", [1, 65536]],
  mlp_ratio: ["MLP ratio", "Hidden size of the MLP divided by the width.", [1, 64]],
  mlp: [
    "MLP",
    "GELU, or SwiGLU with a gate, which has a third matrix.",
    [
      ["gelu", "GELU"],
      ["swiglu", "SwiGLU"],
    ],
  ],
  norm: [
    "Norm",
    "Layer norm, or RMS norm without a mean.",
    [
      ["layer", "layer"],
      ["rms", "RMS"],
    ],
  ],
  positions: [
    "Positions",
    "A learned table, or queries and keys that rotate (RoPE).",
    [
      ["learned", "learned"],
      ["rotary", "rotary"],
    ],
  ],
  bias: ["Biases", "In Linear layers and layer norms.", flags],
  tie_embeddings: ["Tied head", "The head uses the token embedding's table.", flags],
  dropout: [
    "Dropout",
    "The share of each layer's output that is zero at random in training. The input Dropout under More overrides it.",
    [0, 0.95],
  ],
};

export class ShapeInputs extends EventTarget {
  constructor(parent, { editor, settings, controls, ask }) {
    super();
    Object.assign(this, { editor, settings, controls, ask });
    this.said = {}; // the value of each input in train.py: a wrong one stays until that is another
    this.inputs = Object.fromEntries(Object.entries(FIELDS).map(([name, about]) => [name, input(name, about)]));
    this.fields = element(
      "div",
      { class: "shape-fields" },
      ...Object.entries(FIELDS).map(([name, [label]]) => element("label", {}, label, this.inputs[name])),
    );
    this.says = element("p", { class: "shape-says", role: "status" });
    parent.append(
      element("h3", { class: "shape-title" }, "Change the shape"),
      element(
        "p",
        { class: "shape-note" },
        "Each input writes its setting into train.py. Undo in the editor takes it back.",
      ),
      this.fields,
      this.says,
    );
    for (const [name, field] of Object.entries(this.inputs)) {
      field.addEventListener("change", () => this.write(name));
      field.addEventListener("input", () => !problem(field) && note(field, null));
    }
    for (const event of ["text", "change"]) editor.addEventListener(event, () => this.soon());
    settings.addEventListener("change", () => this.soon());
    this.read();
  }

  soon() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      this.read();
    });
  }

  get line() {
    return shapeLine(this.editor.text);
  }

  // What the next run would make, before what train.py has otherwise.
  base(line = this.line) {
    const { settings } = this,
      { presets } = settings.defaults;
    const inCode = settings.changed.has("preset") || settings.loaded ? null : presets[line?.preset]?.model;
    const dropout = settings.changed.has("dropout") ? { dropout: settings.value("dropout") } : {};
    return { ...(inCode ?? settings.model), ...dropout };
  }

  // Of what train.py has otherwise, what ModelConfig can take: Python gets no other word of a text
  // that has not run.
  known(line, own = line?.own ?? {}) {
    const base = this.base(line);
    const fits = ([name, value]) =>
      Object.hasOwn(base, name) &&
      typeof value === typeof base[name] &&
      (typeof value !== "string" || FIELDS[name]?.[2].some(([word]) => word === value));
    return Object.fromEntries(Object.entries(own).filter(fits));
  }

  shape(line = this.line, given = line?.own ?? {}) {
    const base = this.base(line),
      own = this.known(line, given);
    const heads = "heads" in own && !("kv_heads" in own) ? { kv_heads: own.heads } : {};
    const over = this.settings.changed.has("dropout") ? { dropout: base.dropout } : {};
    return { ...base, ...heads, ...own, ...over };
  }

  // The inputs as train.py has them.
  read() {
    const { line } = this;
    const shape = this.shape(line);
    for (const [name, field] of Object.entries(this.inputs)) {
      field.disabled = !line;
      const said = String(shape[name]);
      const stays = field.ariaInvalid === "true" && line && said === this.said[name];
      this.said[name] = said;
      if (stays || (document.activeElement === field && field.value === this.written)) continue;
      if (field.value !== said) field.value = said;
      const computed = line?.computed.find(([of]) => of === name);
      note(field, computed ? `${nameOf(field)} is ${computed[1]} in train.py.` : null);
      field.classList.toggle("changed", Boolean(line && name in line.own));
    }
    const said = JSON.stringify(shape);
    this.settings.describe(this.known(line));
    if (!line) this.says.textContent = NO_LINE;
    else if (this.says.textContent === NO_LINE) this.says.textContent = "";
    if (said === this.described) return;
    this.described = said;
    this.dispatchEvent(new Event("change"));
  }

  async write(name) {
    const field = this.inputs[name],
      { line } = this;
    if (!line) return undefined;
    const value = FIELDS[name][2][0]?.length === 2 ? choice(field.value) : Number(field.value);
    const own = { ...line.own, [name]: value };
    // what the preset has needs no word, but for key/value heads beside other heads
    const base = this.base(line);
    if (name === "heads" && !("kv_heads" in line.own)) delete own.kv_heads;
    const plain = (of) => (of === "kv_heads" ? (own.heads ?? base.heads) : base[of]);
    if (own[name] === plain(name)) delete own[name];
    const wrong = problem(field) ?? this.conflict(name, this.shape(line, own));
    note(field, wrong, { bad: true });
    if (wrong) return document.getElementById(`${field.id}-note`).scrollIntoView({ block: "nearest" });
    this.written = field.value;
    this.editor.edit(MAIN, withShape(line, own));
    const after = this.line,
      [first, last] = [after.from, after.to].map((at) => this.editor.text.slice(0, at).split("\n").length);
    markLines(this.editor, MAIN, first, last);
    this.read();
    this.says.textContent = this.consequence();
    try {
      await this.ask(this.shape());
    } catch (error) {
      this.says.textContent = sentence(error.message);
    }
    return undefined;
  }

  // Why the value of this input does not go with the others, or null.
  conflict(name, { d_model, heads, kv_heads, positions }) {
    const of = (...names) => names.includes(name);
    const said = `${nameOf(this.inputs[name])} is ${this.inputs[name].value.slice(0, 40)}`;
    if (of("d_model", "heads") && d_model % heads) {
      const least = Math.floor(d_model / heads) * heads;
      if (name === "d_model")
        return `${said}, no multiple of the ${heads} heads. Enter ${least || heads} or ${least + heads}.`;
      return `${said}, which does not divide the width ${d_model}. Enter ${divisors(d_model)}.`;
    }
    if (of("heads", "kv_heads") && heads % kv_heads)
      return `${said}: heads (${heads}) must be a multiple of key/value heads (${kv_heads}).`;
    if (of("d_model", "heads", "positions") && positions === "rotary" && (d_model / heads) % 2)
      return `${said}: rotary positions need an even head size, and width / heads is ${d_model / heads}.`;
    return null;
  }

  consequence() {
    const { active } = this.controls;
    if (active)
      return "Written to train.py. Apply resizes the model while it trains: values that fit are kept. Run starts a new one.";
    if (this.controls.resumable)
      return "Written to train.py. Resume resizes the trained model: values that fit are kept. Run starts a new one.";
    return "Written to train.py. Run trains it.";
  }

  // Whether train.py describes another shape than this ModelConfig.
  differs(config) {
    const shape = this.shape();
    return Object.keys(FIELDS).some((name) => name !== "dropout" && shape[name] !== config[name]);
  }
}

const choice = (text) => ({ true: true, false: false })[text] ?? text;

const divisors = (width) =>
  Array.from({ length: Math.min(width, 64) }, (_, i) => i + 1)
    .filter((n) => width % n === 0)
    .slice(0, 8)
    .join(", ")
    .replace(/, (\d+)$/, " or $1");

function input(name, [, title, values]) {
  const id = `shape-${name}`;
  if (Array.isArray(values[0]))
    return element("select", { id, title }, ...values.map(([value, label]) => new Option(label, value)));
  const [min, max] = values.map(String);
  const step = name === "dropout" ? "any" : "1";
  return element("input", {
    id,
    title,
    type: "number",
    min,
    max,
    step,
    required: true,
    inputMode: step === "1" ? "numeric" : "decimal",
  });
}
