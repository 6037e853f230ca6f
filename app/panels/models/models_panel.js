// The panel Models: a card for each model that comes with the page. Load makes it the current
// model, as if it had just been trained here: it can generate, be inspected, and be trained
// further.
//
//   new ModelsPanel(parent, {models, actions})    actions: {load(model), look(model),
//                                                 further(model)}, promises
//
// models: what public/models/models.json lists (app/run/shipped_models.js).

import { element } from "../../ui/dom.js";
import { bytes, compact } from "../../ui/format.js";

export class ModelsPanel {
  constructor(parent, { models, actions }) {
    this.actions = actions;
    this.status = element("p", { class: "models-status", role: "status" });
    this.list = element("ul", { class: "models" }, ...models.map((model) => this.card(model)));
    const none =
      "This version of TinyGPT ships no trained model yet. Press Train one: the page says first how long that takes.";
    parent.append(this.status, models.length ? this.list : element("p", { class: "models-none" }, none));
    if (models.length) {
      parent.append(
        element(
          "p",
          { class: "models-none" },
          "All models were trained in this page, with this page's code. ",
          element(
            "a",
            { href: "public/models/shakespeare.md", target: "_blank", rel: "noopener" },
            "How the Shakespeare model was trained and measured",
          ),
          ".",
        ),
      );
    }
  }

  card(model) {
    const facts = [
      [model.corpus, "The text it was trained on"],
      [`${compact(model.parameters)} parameters`, "Number of weights"],
      [`step ${model.step.toLocaleString("en")}`, "Number of training steps"],
      [
        `loss ${model.val_loss.toFixed(2)}`,
        "On text it was not trained on, in nats per character: lower is better, and 5.55 is random guessing",
      ],
      [bytes(model.bytes), "Download size"],
      [model.licence, "Licence"],
    ].map(([text, what]) => element("span", { title: what }, text));
    const button = (label, name, what, kind = "") => {
      const made = element(
        "button",
        { type: "button", class: kind, title: what, "aria-label": `${label}: ${model.title}` },
        label,
      );
      made.addEventListener("click", () => this.act(name, model));
      return made;
    };
    return element(
      "li",
      { class: "model" },
      element("h3", {}, model.title),
      element("p", { class: "model-facts" }, ...facts),
      element(
        "pre",
        { class: "model-sample", role: "group", tabIndex: 0, "aria-label": `What ${model.title} writes` },
        model.sample.replace(/^\n+/, ""),
      ),
      element(
        "p",
        { class: "model-actions" },
        button("Generate", "load", "Loads the model and generates text with it", "primary"),
        button("Look inside", "look", "Loads the model and shows what its layers do"),
        button("Train further", "further", "Loads the model and trains it for 500 more steps on the same text"),
      ),
    );
  }

  async act(name, model) {
    const buttons = [...this.list.querySelectorAll("button")].filter(({ disabled }) => !disabled);
    const focused = document.activeElement;
    buttons.forEach((button) => (button.disabled = true));
    this.status.textContent = "";
    this.status.classList.remove("bad");
    try {
      await this.actions[name](model, (text) => (this.status.textContent = text));
    } catch (error) {
      this.status.textContent = error.message;
      this.status.classList.add("bad");
    } finally {
      buttons.forEach((button) => (button.disabled = false));
      if (focused?.isConnected && document.activeElement === document.body) focused.focus({ preventScroll: true });
    }
  }
}
