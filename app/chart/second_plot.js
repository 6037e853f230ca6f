// A second plot beside the loss for a metric of one's own: it opens when the code first logs one
// (`run.log(loss, my_metric=value)`), shows the same steps as the chart, and has a list of the
// metrics. Closed, it opens again when a metric is logged that was not there.

import { element } from "../ui/dom.js";

export class SecondPlot {
  // row: where the plots are. make(parent): a chart of the same runs without tools of its own.
  constructor(row, make) {
    Object.assign(this, { row, make, chart: null, names: [], closed: [] });
  }

  get open() {
    return this.chart !== null && !this.part.hidden;
  }

  // names: of the metrics of the runs that are drawn.
  offer(names) {
    this.names = names;
    const fresh = names.filter((name) => !this.closed.includes(name));
    if (!names.length || (!this.open && !fresh.length)) return this.hide();
    if (!this.chart) this.build();
    if (this.part.hidden) {
      this.part.hidden = false;
      this.chart.quantity = fresh[0];
    } else if (!names.includes(this.chart.quantity)) this.chart.quantity = names[0];
    this.chart.drawSoon();
  }

  build() {
    this.part = element("div", { class: "second-plot", hidden: true, role: "group", ariaLabel: "Second plot" });
    this.row.append(this.part);
    this.chart = this.make(this.part);
    const close = element("button", { type: "button", ariaLabel: "Close the second plot", title: "Close" }, "×");
    close.addEventListener("click", () => {
      this.closed = this.names;
      this.hide();
    });
    this.chart.key.tools.append(close);
    this.chart.key.quantity.ariaLabel = "What the second plot shows";
  }

  hide() {
    if (this.chart) this.part.hidden = true;
  }

  // The same steps as the chart shows.
  zoomTo(steps) {
    if (this.open) this.chart.zoomTo(steps);
  }

  restyle() {
    if (this.open) this.chart.restyle();
  }
}
