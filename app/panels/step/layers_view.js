// What a step did to each layer: the norm of its gradient, and how far its weights moved relative
// to their own size.
//
//   new LayersView(parent)
//   show(layers)      of the answer to "step_made"; null: no step was made

import { element } from "../../ui/dom.js";

const EMPTY = "Press Step: the gradients and the updates of that step appear here.";

export class LayersView {
  constructor(parent) {
    this.body = element("tbody");
    const heads = [
      ["Layer", "", ""],
      ["Gradient", "figure", "The norm of the gradient over the layer, after clipping."],
      ["Update", "figure", "The norm of what the step added to the weights, divided by the norm of the weights."],
    ];
    this.table = element(
      "table",
      { class: "step-table", "aria-label": "Gradients and updates by layer" },
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          ...heads.map(([name, kind, title]) => element("th", { scope: "col", class: kind, title }, name)),
        ),
      ),
      this.body,
    );
    this.empty = element("p", { class: "step-empty" }, EMPTY);
    parent.append(this.table, this.empty);
    this.show(null);
  }

  show(layers) {
    this.empty.hidden = layers !== null;
    this.table.hidden = layers === null;
    if (!layers) return this.body.replaceChildren();
    const relative = ({ update, weights }) => (update === null || !weights ? null : update / weights);
    const most = (values) => Math.max(1e-30, ...values.filter((value) => value !== null));
    const [gradient, moved] = [most(layers.map((layer) => layer.gradient)), most(layers.map(relative))];
    return this.body.replaceChildren(
      ...layers.map((layer) =>
        element(
          "tr",
          {},
          element("th", { scope: "row" }, layer.name),
          cell(layer.gradient, figure(layer.gradient), gradient, "gradient"),
          cell(relative(layer), share(relative(layer)), moved, "update"),
        ),
      ),
    );
  }
}

function cell(value, text, most, kind) {
  const bar = element("i", { class: `step-bar ${kind}`, "aria-hidden": "true" });
  bar.style.setProperty("--share", `${value === null ? 0 : (100 * value) / most}%`);
  return element("td", { class: "figure" }, text, bar);
}

const figure = (x) =>
  x === null ? "none" : x !== 0 && Math.abs(x) < 1e-3 ? x.toExponential(1) : String(Number(x.toPrecision(3)));

const share = (x) => (x === null ? "not known" : `${Number((100 * x).toPrecision(2))} %`);
