// The chart as a file, behind a button: CSV, PNG or SVG (export.js).

import { element } from "../ui/dom.js";
import { popover } from "../ui/popover.js";
import { saveFile } from "../ui/save_file.js";
import { csv, picture, png, xml } from "./export.js";

const KINDS = [
  ["CSV: the numbers of all runs drawn", "csv", "text/csv", (chart) => csv(drawnRuns(chart))],
  ["PNG: the picture", "png", "image/png", (chart) => png(picture(chart))],
  ["SVG: the picture as vector graphics", "svg", "image/svg+xml", (chart) => xml(picture(chart))],
];

const drawnRuns = ({ runs, earlier }) => [runs.current, ...earlier.toReversed()].filter(Boolean);

export function exportMenu(parent, chart) {
  const button = element("button", { type: "button", title: "The chart as CSV, PNG or SVG" }, "Export");
  const panel = Object.assign(popover(button, "div", "chart-popover files"), { role: "group", ariaLabel: "Export" });
  parent.append(button, panel);
  for (const [label, end, type, make] of KINDS) {
    const one = element("button", { type: "button" }, label);
    one.addEventListener("click", async () => {
      panel.hidePopover();
      button.focus();
      if (!chart.plot) return;
      const [first] = drawnRuns(chart),
        name = `tinygpt ${first.name} ${chart.quantity}`.replace(/[^\p{L}\p{N}_-]+/gu, "-");
      saveFile(new Blob([await make(chart)], { type }), `${name}.${end}`);
    });
    panel.append(one);
  }
}
