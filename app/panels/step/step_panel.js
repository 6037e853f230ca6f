// The panel Step: one step of training. While the run waits, the batch of the step to come and the
// model's guesses; after a step also its gradients, how far the weights moved, its loss and its
// learning rate. Slow motion plays one step after another.
//
//   new StepPanel(parent, {session, controls, editor, tabs})
//
// Nothing is requested while the panel cannot be seen, and nothing while the run trains.

import { element } from "../../ui/dom.js";
import { lossText, sentence, shortNumber } from "../../ui/format.js";
import { BatchView } from "./batch_view.js";
import { LayersView } from "./layers_view.js";
import { SlowMotion } from "./slow_motion.js";

const EMPTY =
  "Press Step. The first press pauses the run before its next step and shows the batch; each further press makes one step.";

export class StepPanel {
  constructor(parent, { session, controls, editor, tabs }) {
    Object.assign(this, { session, controls });
    this.ahead = null; // the answer on the step to come
    this.watched = null; // a promise: the answer on the step under way before it was made
    this.title = element("h2", { class: "step-which" });
    this.facts = element("p", { class: "step-facts", role: "status" });
    this.slow = element("button", { type: "button", class: "step-slow", "aria-pressed": "false" }, "Slow motion");
    this.slow.title = "Makes about one step a second and marks the lines of code that it executes";
    this.code = element("p", { class: "step-code", "aria-live": "off" });
    const batch = element("div", { class: "step-batch" }),
      layers = element("div", { class: "step-layers" });
    this.root = element(
      "div",
      { class: "one-step" },
      element("div", { class: "step-head" }, this.title, this.facts, this.slow),
      this.code,
      element("div", { class: "step-columns" }, batch, layers),
    );
    parent.append(this.root);
    this.batch = new BatchView(batch);
    this.layers = new LayersView(layers);
    this.motion = new SlowMotion({
      controls,
      editor,
      made: () => this.made,
      say: (line, text = "") => (this.code.textContent = text),
    });
    this.motion.addEventListener("change", () => this.slow.setAttribute("aria-pressed", String(this.motion.on)));
    this.slow.addEventListener("click", () => this.motion.toggle());
    document.getElementById("step").addEventListener("click", () => tabs.show("one-step"));
    controls.addEventListener("stepping", () => this.watch());
    controls.addEventListener("replaced", () => this.forget());
    controls.addEventListener("phase", () => this.onPhase());
    session.addEventListener("training", ({ detail }) => {
      for (const { type } of detail) if (type === "paused") this.paused();
    });
    new ResizeObserver(() => this.seen && this.controls.phase === "paused" && this.look()).observe(this.root);
    this.forget();
    this.onPhase();
  }

  get seen() {
    return this.root.getClientRects().length > 0;
  }

  forget() {
    this.ahead = this.watched = null;
    this.title.textContent = "One step of training";
    this.facts.textContent = EMPTY;
    this.batch.show(null);
    this.layers.show(null);
  }

  onPhase() {
    const { phase } = this.controls;
    this.slow.disabled = phase === "stopping" || document.body.dataset.state === "booting";
    if (phase === "stopped" && this.watched) this.paused({ ended: true });
    else if (phase === "stopped" || phase === "idle") this.finish?.(null);
  }

  // ---- what is requested ----

  // A step is about to be requested.
  watch() {
    if (!this.seen) return;
    this.finish?.(null);
    this.made = new Promise((resolve) => (this.finish = resolve));
    this.watched = this.session
      .request("step_ahead", { watch: true, lines: this.motion.on })
      .catch((error) => ({ rows: null, problem: sentence(error.message) }));
  }

  // The run waits: after a step that was watched, or before the first one. ended: it is over,
  // perhaps before the step was made.
  async paused({ ended = false } = {}) {
    const { watched, finish } = this;
    if (!watched) return this.seen ? this.look() : undefined;
    this.watched = null;
    try {
      const before = await watched,
        made = await this.session.request("step_made");
      this.show(before, made);
      finish?.(made);
    } catch (error) {
      if (!ended) this.facts.textContent = sentence(error.message);
      finish?.(null);
    }
    return undefined;
  }

  // The step to come, unless it is shown.
  async look() {
    if (this.looking || this.watched) return;
    this.looking = true;
    try {
      const ahead = await this.session.request("step_ahead", {});
      if (this.watched || this.shown === ahead.step - 1) return; // the step before it was made here
      this.show(ahead, null);
    } catch (error) {
      this.facts.textContent = sentence(error.message);
    } finally {
      this.looking = false;
    }
  }

  // ---- what is shown ----

  show(before, made) {
    this.shown = made ? made.step : null;
    const step = (made ?? before).step.toLocaleString("en");
    this.title.textContent = made ? `Step ${step}` : `Before step ${step}`;
    this.facts.textContent = made
      ? [
          made.loss !== null && `loss ${lossText(made.loss)}`,
          made.lr !== null && `learning rate ${shortNumber(made.lr)}`,
          !made.drew && before.rows && "the code drew another batch than the one below",
          !made.same && "the code changed in this step",
        ]
          .filter(Boolean)
          .join(", ")
      : "The batch to come, and what the model guesses now.";
    this.batch.show(before);
    this.layers.show(made ? made.layers : null);
  }
}
