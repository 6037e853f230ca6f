// The table of all runs on the chart: their colours, how far they came, what they were trained
// with, and what differs from the current run (or from the newest, where none is).

import { paint } from "../chart/runs.js";
import { element } from "../ui/dom.js";
import { lossText, shortNumber } from "../ui/format.js";
import { atNextFrame } from "../ui/frame_scheduler.js";
import { differences, settingsOf } from "./differences.js";

const COLUMNS = ["Run", "Steps", "Loss", "Validation", "Preset", "Learning rate", "Batch", "Seed"];
const last = (values) => (values.length ? lossText(values.at(-1)) : "–");

export class RunTable {
  constructor(parent, { runs }) {
    Object.assign(this, { parent, runs, waiting: null });
    this.head = element("th", { scope: "col" });
    const heads = COLUMNS.map((name) => element("th", { scope: "col" }, name));
    this.body = element("tbody");
    const table = element(
      "table",
      { class: "run-table" },
      element("thead", {}, element("tr", {}, ...heads, this.head)),
    );
    table.append(this.body);
    this.none = element("p", { class: "runs-none" }, "No runs yet.");
    this.box = element(
      "div",
      { class: "run-table-box", tabIndex: 0, role: "region", ariaLabel: "Table of runs" },
      table,
    );
    parent.append(this.box, this.none);
    runs.addEventListener("change", () => this.soon());
    new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && this.show()).observe(parent);
    this.show();
  }

  // While the panel is behind others nothing is done.
  soon() {
    if (!this.parent.checkVisibility()) return;
    this.waiting ??= atNextFrame(() => this.show());
  }

  show() {
    this.waiting = null;
    const { runs } = this,
      all = runs.all.toReversed(),
      compared = runs.current ?? all[0];
    this.none.hidden = all.length > 0;
    this.box.hidden = !all.length;
    this.head.textContent = all.length > 1 ? `Differs from ${compared.name}` : "Differs";
    const rows = all.map((run) => this.cells(run, compared));
    const said = JSON.stringify(rows.map((cells, i) => [all[i].colour, all[i].shown, cells]));
    if (said === this.said) return;
    this.said = said;
    const focused = this.body.contains(document.activeElement) && document.activeElement.ariaLabel;
    this.body.replaceChildren(...all.map((run, i) => this.row(run, rows[i])));
    if (focused) this.body.querySelector(`input[aria-label="${CSS.escape(focused)}"]`)?.focus();
  }

  cells(run, compared) {
    const { lr, batch_size, seed, preset } = settingsOf(run),
      text = (value) => (value === undefined || value === null ? "–" : String(value));
    return [
      run.name,
      ((run.steps.at(-1) ?? -1) + 1).toLocaleString("en"),
      last(run.losses),
      last(run.evalLosses),
      text(preset),
      Number.isFinite(Number(lr)) && lr ? shortNumber(Number(lr)) : "–",
      text(batch_size),
      text(seed),
      run === compared ? "" : differences(compared, run).join("; ") || "nothing",
    ];
  }

  row(run, [name, ...cells]) {
    const current = run === this.runs.current;
    const box = element("input", { type: "checkbox", checked: current || run.shown, disabled: current });
    box.ariaLabel = `Show ${name} in the chart`;
    box.addEventListener("change", () => this.runs.show(run, box.checked));
    const row = element(
      "tr",
      {},
      element("th", { scope: "row" }, box, paint(element("i", { class: "line" }), run), name),
      ...cells.map((text) => element("td", {}, text)),
    );
    row.addEventListener("pointerenter", () => this.runs.point(run));
    row.addEventListener("pointerleave", () => this.runs.point(null));
    return row;
  }
}
