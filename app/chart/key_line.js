// What is above the plot: which quantity it shows, the runs in their colours, and what the dashed
// lines are. It has one height whatever it says, so the plot below stays where it is.

import { element } from "../ui/dom.js";
import { lossText } from "../ui/format.js";
import { references } from "./references.js";
import { paint } from "./runs.js";

export class KeyLine {
  // chosen(name): the user chooses a quantity.
  constructor(parent, chosen) {
    this.names = [];
    this.quantity = element("select", { ariaLabel: "What the chart shows" });
    this.quantity.addEventListener("change", () => chosen(this.quantity.value));
    this.list = element("span", { class: "key-list" });
    this.tools = element("span", { class: "key-tools" });
    this.line = parent.appendChild(element("div", { class: "key" }, this.quantity, this.list, this.tools));
    this.offer([], "loss");
  }

  // names: of metrics. The loss is always there.
  offer(names, quantity) {
    const { quantity: select } = this;
    if (select.options.length !== names.length + 1 || names.some((name, i) => this.names[i] !== name)) {
      this.names = names;
      select.replaceChildren(new Option("Loss", "loss"), ...names.map((name) => new Option(name, name)));
      select.disabled = !names.length;
      select.title = names.length ? "" : "run.log(loss, my_metric=value) in train.py adds a curve of your own here";
    }
    if (select.value !== quantity) select.value = quantity;
  }

  // The newest run first, then the earlier ones, then what the dashed lines are: where there is no
  // room, the last are left out.
  show(chart) {
    const { current } = chart.runs,
      shown = [current, ...chart.earlier.toReversed()].filter(Boolean);
    const lines = references(chart);
    const key = JSON.stringify([shown.map(({ name, colour }) => [name, colour]), lines, chart.cutOff]);
    if (key === this.shown) return;
    this.shown = key;
    this.list.replaceChildren(
      ...(chart.cutOff ? [element("span", { class: "key-cut" }, `↑ up to ${lossText(chart.cutOff)}`)] : []),
      ...shown.map((run) =>
        element("span", { class: "key-run", title: run.name }, paint(element("i", { class: "line" }), run), run.name),
      ),
      ...lines.map(({ kind, text }) =>
        element("span", { class: "key-reference" }, element("i", { class: `line ${kind}` }), text),
      ),
    );
  }
}
