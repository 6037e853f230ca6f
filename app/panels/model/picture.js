// The model as a picture: a box for each part, in the order in which the model's code makes them.
// Parts lie inside the part that holds them; equal ones in a row are one box with "× 3". A bar says
// which share of the model's parameters a part has.
//
//   new Picture(parent, {choose})   choose(part): a part was pressed
//   draw(root, total)               the tree of the answer to "model_parts"
//
// Each box is a button inside a list, so a screen reader has the tree; it says kind, sizes and
// parameters.

import { element } from "../../ui/dom.js";

const CONTAINERS = ["ModuleList", "ModuleDict", "Sequential"];
const count = (number) => number.toLocaleString("en");
const sizesText = (sizes) => sizes.map(count).join(" × ");

export class Picture {
  constructor(parent, { choose }) {
    this.choose = choose;
    this.chosen = null; // the path of a part
    this.list = element("ul", { class: "model-picture", "aria-label": "The parts of the model, from input to output" });
    parent.append(this.list);
  }

  draw(root, total) {
    this.total = total;
    this.buttons = new Map();
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.path : null;
    this.list.replaceChildren(...root.parts.map((part) => this.box(part)));
    this.mark(this.chosen);
    this.buttons.get(focused)?.focus();
  }

  mark(path) {
    this.chosen = path;
    for (const [of, button] of this.buttons ?? []) button.setAttribute("aria-pressed", String(of === path));
  }

  // A list that only holds equal parts is drawn as these: "Block × 3".
  box(part, { of = null } = {}) {
    const [only] = part.parts;
    if (CONTAINERS.includes(part.kind) && part.parts.length === 1 && !part.sizes.length && !of)
      return this.box(only, { of: part });
    const times = part.repeats > 1 ? ` × ${count(part.repeats)}` : "",
      name = of ? of.name : part.name,
      share = this.total ? part.parameters / this.total : 0;
    const numbers = part.shared ? `shared with ${part.shared}` : part.parameters ? count(part.parameters) : "none";
    const trains = part.parameters && !part.shared;
    const each = part.repeats > 1 ? `${count(part.repeats)} × ${count(part.parameters / part.repeats)}` : numbers;
    const bar = element("i", { class: "part-share", "aria-hidden": "true" });
    bar.style.setProperty("--share", `${(100 * share).toFixed(1)}%`);
    const button = element(
      "button",
      {
        type: "button",
        class: "part-name",
        "aria-pressed": "false",
        data: { path: part.path },
      },
      element("b", {}, name),
      pause(),
      element("span", { class: "part-kind" }, part.kind, times ? element("strong", {}, times) : ""),
      pause(),
      element("span", { class: "part-sizes" }, sizesText(part.sizes)),
      part.sizes.length ? pause() : "",
      element("span", { class: "part-count" }, each),
      element("span", { class: "sr-only" }, trains ? ` parameters, ${percent(share)} of the model` : ""),
      bar,
    );
    button.addEventListener("click", () => this.choose(part, name));
    this.buttons.set(part.path, button);
    const inside = part.parts.length
      ? [element("ul", { "aria-label": `Parts of ${name}` }, ...part.parts.map((child) => this.box(child)))]
      : [];
    return element(
      "li",
      { class: `part${part.parts.length ? " holds" : ""}${part.repeats > 1 ? " repeats" : ""}` },
      button,
      ...inside,
    );
  }
}

// Between two columns, for a screen reader.
const pause = () => element("span", { class: "sr-only" }, ", ");

export const percent = (share) =>
  share > 0 && share < 0.001 ? "under 0.1 %" : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
