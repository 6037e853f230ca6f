// The list of this page's training runs: a row a run, in which it is shown in the chart or hidden,
// renamed and removed.

import { paint } from "../chart/runs.js";
import { element } from "../ui/dom.js";
import { lossText } from "../ui/format.js";

// Newest first. It fills its parent and may be on the page more than once.
export class RunsPanel {
  constructor(parent, { runs }) {
    Object.assign(this, { runs, rows: new Map() });
    this.list = element("ul", { class: "runs" });
    this.none = element("p", { class: "runs-none" }, "No runs yet. Runs stay on the chart until you close the page.");
    parent.append(this.list, this.none);
    runs.addEventListener("change", () => this.show());
    this.show();
  }

  show() {
    const { runs, rows, list } = this;
    this.none.hidden = runs.all.length > 0;
    for (const [run, row] of rows) {
      if (runs.all.includes(run)) continue;
      const focused = row.contains(document.activeElement);
      const next = row.nextElementSibling ?? row.previousElementSibling;
      row.remove();
      rows.delete(run);
      if (focused) next?.querySelector("input").focus();
    }
    for (const run of runs.all) {
      if (!rows.has(run)) {
        rows.set(run, this.row(run));
        list.prepend(rows.get(run));
      }
      this.fill(run, rows.get(run));
    }
  }

  row(run) {
    const shown = element("input", { type: "checkbox" });
    shown.addEventListener("change", () => this.runs.show(run, shown.checked));
    const name = element("input", { class: "run-name", maxLength: 60 });
    name.addEventListener("change", () => this.runs.rename(run, name.value));
    name.addEventListener("keydown", ({ key }) => {
      if (key === "Enter") name.blur();
    });
    const remove = element("button", { type: "button" }, "Remove");
    remove.addEventListener("click", () => this.runs.remove(run));
    const row = element(
      "li",
      {},
      shown,
      element("i", { class: "line" }),
      name,
      element("span", { class: "run-facts" }),
      remove,
    );
    row.addEventListener("pointerenter", () => this.runs.point(run));
    row.addEventListener("pointerleave", () => this.runs.point(null));
    return row;
  }

  fill(run, row) {
    const [shown, name] = row.querySelectorAll("input");
    const current = run === this.runs.current;
    shown.checked = current || run.shown;
    shown.disabled = current;
    shown.ariaLabel = `Show ${run.name} in the chart`;
    if (document.activeElement !== name) name.value = run.name;
    name.ariaLabel = `Name of ${run.name}`;
    row.classList.toggle("current", current);
    paint(row, run);
    const text = described(run);
    const facts = row.querySelector(".run-facts");
    facts.title = facts.textContent = text;
    const remove = row.querySelector("button");
    remove.hidden = current;
    remove.ariaLabel = `Remove ${run.name}`;
  }
}

// "small · webgpu f16 · lr 0.001 · 1,240 steps · loss 1.842 · validation 1.970 · 2 edits"
function described({ facts, steps, losses, evalLosses, marks }) {
  const done = (steps.at(-1) ?? -1) + 1;
  const settings = Object.entries(facts.settings ?? {}).filter(
    ([name, value]) => name !== "preset" && !(name === "steps" && value === done),
  );
  return [
    facts.preset,
    facts.device && [facts.device, facts.precision].filter(Boolean).join(" "),
    ...settings.map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`),
    `${done.toLocaleString("en")} steps`,
    steps.length && `loss ${lossText(losses.at(-1))}`,
    evalLosses.length && `validation ${lossText(evalLosses.at(-1))}`,
    marks.length && (marks.length === 1 ? "1 edit" : `${marks.length} edits`),
  ]
    .filter(Boolean)
    .join(" · ");
}
