// The panel Model: the parts of the model that the run holds, or, where there is none, of the one
// that the next run would make. A part that is pressed shows its lines in the editor, and the panel
// that looks inside is offered.
//
//   new ModelPanel(parent, {session, controls, settings, editor, inside, tabs})
//
// Python is asked while the panel can be seen, when the model may have become another.

import { clearMarks, markLines } from "../../editor/marked_lines.js";
import { element } from "../../ui/dom.js";
import { sentence } from "../../ui/format.js";
import { Picture, percent } from "./picture.js";
import { ShapeInputs } from "./shape_inputs.js";

const PATIENCE = 150; // ms after the last change
const VIEWS = { attention: "Attention", weights: "Weights and gradients" };

export class ModelPanel {
  constructor(parent, { session, controls, settings, editor, inside, tabs }) {
    Object.assign(this, { session, controls, settings, editor, inside, tabs });
    this.pending = this.again = false;
    this.drawn = ""; // the answer that is drawn
    this.total = element("h2", { class: "model-total" });
    this.about = element("p", { class: "model-about", role: "status" });
    this.part = element("p", { class: "model-part", role: "status" });
    this.looks = Object.entries(VIEWS).map(([view, title]) =>
      element(
        "button",
        { type: "button", title: "For a model that a run has made", onclick: () => this.lookInside(view) },
        title,
      ),
    );
    this.look = element("p", { class: "model-looks" }, "Look inside: ", ...this.looks);
    const drawing = element("div", { class: "model-drawing" }),
      side = element("div", { class: "model-side" }, this.part, this.look);
    this.root = element(
      "div",
      { class: "model-view" },
      element("div", { class: "model-head" }, this.total, this.about),
      element("div", { class: "model-columns" }, drawing, side),
    );
    parent.append(this.root);
    this.picture = new Picture(drawing, { choose: (part, name) => this.choose(part, name) });
    this.inputs = new ShapeInputs(side, { editor, settings, controls, ask: (shape) => this.ask(shape) });
    this.unchosen();
    for (const [from, event] of [
      [this.inputs, "change"],
      [settings, "change"],
      [controls, "replaced"],
      [controls, "phase"],
      [session, "ready"],
    ])
      from.addEventListener(event, () => this.soon());
    session.addEventListener("training", ({ detail }) => {
      if (detail.some(({ type }) => ["start", "applied", "reverted", "finish"].includes(type))) this.soon();
    });
    new ResizeObserver(() => this.seen && this.soon(0)).observe(this.root);
  }

  get seen() {
    return !document.hidden && this.root.getClientRects().length > 0;
  }

  soon(patience = PATIENCE) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.seen && this.refresh(), patience);
  }

  // shape: fields of ModelConfig; null: the model that the run holds.
  ask(shape) {
    return this.session.request("model_parts", { shape });
  }

  async refresh() {
    if (this.session.state === "booting") return (this.about.textContent = "Python starts.");
    if (this.pending) return (this.again = true);
    this.pending = true;
    try {
      this.show(await this.answer());
    } catch (error) {
      this.about.textContent = sentence(error.message);
    } finally {
      this.pending = false;
      if (this.again) (this.again = false), this.soon(0);
    }
  }

  async answer() {
    const { controls } = this;
    if (controls.resumable) {
      try {
        return await this.ask(null);
      } catch (error) {
        if (controls.resumable && !controls.active) throw error; // else its run has not made it yet
      }
    }
    return this.ask(this.inputs.shape());
  }

  show(answer) {
    const { root, parameters, config, step } = answer;
    this.held = step !== null;
    this.total.textContent = `${root.kind}: ${parameters.toLocaleString("en")} parameters`;
    const waits = this.held && config && this.inputs.differs(config);
    const how = this.controls.active ? "Apply" : "Resume";
    this.about.textContent = this.held
      ? `The model of this run, at step ${step.toLocaleString("en")}.${waits ? ` train.py describes another shape: ${how} resizes the model to it.` : ""}`
      : "The model that the next run makes.";
    for (const button of this.looks) button.disabled = !this.held;
    const drawn = JSON.stringify(root);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    this.picture.draw(root, parameters);
    this.count = parameters;
    if (!this.picture.buttons.has(this.picture.chosen)) this.unchosen();
  }

  // ---- one part ----

  unchosen() {
    this.picture.mark(null);
    this.part.textContent = "Press a part to see its lines of code.";
  }

  choose(part, name) {
    this.picture.mark(part.path);
    const { source } = part;
    const share = part.parameters ? ` ${percent(part.parameters / this.count)} of the parameters.` : "";
    const where = !source
      ? "Its code is in no file of the editor."
      : source.first === source.last
        ? `${source.file}, line ${source.first}.`
        : `${source.file}, lines ${source.first} to ${source.last}.`;
    this.part.textContent = `${name} (${part.kind}).${share} ${where}`;
    if (!source) return clearMarks(this.editor);
    const text = this.held ? this.controls.inUse?.[source.file] : undefined;
    markLines(this.editor, source.file, source.first, source.last, text ?? this.editor.base(source.file).toString());
  }

  lookInside(view) {
    this.tabs.show("inside");
    this.inside.show(view);
  }
}
