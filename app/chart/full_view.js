// The chart as large as the window, behind a button: a dialog that the chart moves into and, at its
// end (the button again, or Escape), out of. Its place on the page is kept.

import { element } from "../ui/dom.js";

export class FullView {
  constructor(tools, chart) {
    this.chart = chart;
    this.button = element("button", { type: "button" });
    this.button.addEventListener("click", () => (this.dialog.open ? this.dialog.close() : this.open()));
    tools.append(this.button);
    this.dialog = element("dialog", { class: "chart-full", ariaLabel: "Chart, full size" });
    this.place = element("div", { class: "chart-place" });
    this.dialog.addEventListener("close", () => this.back());
    this.say(false);
  }

  open() {
    const { chart, dialog, place } = this;
    place.style.height = `${chart.parent.offsetHeight}px`;
    chart.parent.after(dialog);
    chart.parent.replaceWith(place);
    dialog.append(chart.parent);
    dialog.showModal();
    this.say(true);
    this.button.focus();
  }

  back() {
    this.place.replaceWith(this.chart.parent);
    this.dialog.remove();
    this.say(false);
    this.button.focus();
  }

  say(open) {
    this.button.textContent = open ? "Close" : "Full size";
    this.button.title = open ? "Escape does the same" : "The chart as large as the window";
  }
}
