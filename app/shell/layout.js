// Where the page's parts meet: three splitters, dragged or moved with the arrow keys, and the
// console, which is folded to its line until somebody uses it. Sizes are kept in this browser.
//
// The sizes are three lengths for the styles (layout.css): --left and --top in percent of `main`,
// --console in px. Below 900 px the parts stack and there is nothing to split.

import { element } from "../ui/dom.js";
import { keep, kept } from "../ui/kept.js";
import { parse } from "../worker/bounded_json.js";

const KEPT = "layout"; // kept: {left, top, console}
const PADDING = 8; // px of `main` (page.css)
const STEP = 2; // a press of an arrow key: percent, or so many times 8 px

// name: {what the splitter is between, its direction, the least and the most, in %, and in px for
// the console}
const SPLITTERS = {
  left: { label: "Width of the code", vertical: true, least: 25, most: 75 },
  top: { label: "Height of the chart", least: 25, most: 80 },
  console: { label: "Height of the console", least: 72, most: 480, upwards: true },
};

export class Layout {
  // main: the grid.
  constructor(main) {
    this.main = main;
    this.section = document.getElementById("console");
    this.sizes = read();
    for (const [name, facts] of Object.entries(SPLITTERS)) this.splitter(name, facts);
    this.button = element("button", {
      id: "fold",
      type: "button",
      class: "quiet",
      onclick: () => this.fold(this.unfolded),
    });
    this.last = element("button", {
      id: "console-last",
      type: "button",
      class: "quiet",
      onclick: () => this.fold(false),
    });
    this.last.title = "What was printed last. A click shows all of it.";
    document.getElementById("console-entry").append(this.last, this.button);
    document.getElementById("console-input").addEventListener("focusin", () => this.fold(false));
    this.output = document.getElementById("console-output");
    new MutationObserver(() => this.see()).observe(this.output, { childList: true, subtree: true });
    this.fold(this.sizes.console === undefined);
    this.apply();
  }

  get unfolded() {
    return !this.section.classList.contains("folded");
  }

  fold(folded) {
    const hidden = !this.unfolded;
    this.section.classList.toggle("folded", folded);
    this.main.classList.toggle("console-folded", folded);
    if (hidden && !folded) this.output.scrollTop = this.output.scrollHeight; // while hidden it could not
    Object.assign(this.button, {
      textContent: folded ? "▴" : "▾",
      title: folded ? "Show the console's output" : "Fold the console to a line",
    });
    this.button.setAttribute("aria-expanded", String(!folded));
    this.button.setAttribute("aria-label", this.button.title);
  }

  // The folded console shows the last line that was printed. What is more than lines of text (an
  // error, the answer to an entry, a picture) unfolds it.
  see() {
    if (this.unfolded) return;
    const last = this.output.lastElementChild;
    if (last && !["out", "notice"].includes(last.classList[0])) return this.fold(false);
    const line = last?.textContent.trimEnd().split("\n").at(-1).trim() ?? "";
    if (this.last.textContent !== line) this.last.textContent = line;
  }

  // All sizes as they were at first.
  reset() {
    this.sizes = {};
    this.apply();
  }

  apply() {
    for (const [name, { unit = name === "console" ? "px" : "%" }] of Object.entries(SPLITTERS)) {
      const size = this.sizes[name];
      if (size === undefined) this.main.style.removeProperty(`--${name}`);
      else this.main.style.setProperty(`--${name}`, `${size}${unit}`);
    }
    keep(KEPT, JSON.stringify(this.sizes));
  }

  splitter(name, { label, vertical = false, least, most, upwards = false }) {
    const node = element("div", {
      id: `split-${name}`,
      class: "splitter",
      role: "separator",
      tabIndex: 0,
      title: label,
    });
    node.setAttribute("aria-label", label);
    node.setAttribute("aria-orientation", vertical ? "vertical" : "horizontal");
    node.setAttribute("aria-valuemin", least);
    node.setAttribute("aria-valuemax", most);
    const told = () => node.setAttribute("aria-valuenow", Math.round(this.measured(name)));
    const set = (size) => {
      if (upwards) this.fold(false);
      this.sizes[name] = Math.round(10 * Math.min(most, Math.max(least, size))) / 10;
      this.apply();
      told();
    };
    node.addEventListener("focus", told);
    node.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault();
      node.setPointerCapture(event.pointerId);
      node.focus({ preventScroll: true });
    });
    node.addEventListener("pointermove", ({ pointerId, clientX, clientY }) => {
      if (!node.hasPointerCapture(pointerId)) return;
      const box = this.box();
      if (upwards) set(box.bottom - clientY);
      else set(vertical ? (100 * (clientX - box.left)) / box.width : (100 * (clientY - box.top)) / box.height);
    });
    node.addEventListener("dblclick", () => {
      delete this.sizes[name];
      this.apply();
    });
    const keys = vertical ? { ArrowLeft: -1, ArrowRight: 1 } : { ArrowUp: -1, ArrowDown: 1 };
    node.addEventListener("keydown", (event) => {
      const by = keys[event.key] && (upwards ? -8 : 1) * STEP * keys[event.key];
      const to = by ? this.measured(name) + by : { Home: least, End: most }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      set(to);
    });
    told();
    this.main.append(node);
  }

  // Of what lies within the padding of `main`, of which the sizes are percentages.
  box() {
    const { left, top, bottom, width, height } = this.main.getBoundingClientRect();
    return {
      left: left + PADDING,
      top: top + PADDING,
      bottom: bottom - PADDING,
      width: width - 2 * PADDING,
      height: height - 2 * PADDING,
    };
  }

  // What the size is now, chosen or not.
  measured(name) {
    const box = this.box();
    const of = (id) => document.getElementById(id).getBoundingClientRect();
    if (name === "left") return (100 * of("code").width) / box.width;
    return name === "top" ? (100 * of("progress").height) / box.height : of("console").height;
  }
}

// What this browser has kept, where it is what it should be.
function read() {
  try {
    const sizes = Object.entries(parse(kept(KEPT) ?? "{}"));
    const sound = ([name, size]) =>
      Number.isFinite(size) && size >= SPLITTERS[name]?.least && size <= SPLITTERS[name].most;
    return Object.fromEntries(sizes.filter(sound));
  } catch {
    return {};
  }
}
