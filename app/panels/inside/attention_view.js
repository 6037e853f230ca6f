// Attention maps: all heads of all layers as small squares, one of them large, and the prompt
// shaded by what its chosen token looks at. A row of a map is a token that looks, a column one that
// is looked at; only earlier tokens and the token itself can be.

import { element } from "../../ui/dom.js";
import { cutNote, spoken, visible } from "../../ui/tokens.js";

const ONE = 65535; // a weight of 1 in what Python sends
const SHADES = 64;
const LABEL = 9; // px that the label of a token needs
const WIDE = 216; // px of the large map, about

export class AttentionView {
  constructor(parent) {
    this.maps = []; // [layer][head] = Uint16Array of rows 0..T-1 with t + 1 weights
    this.chosen = [0, 0];
    this.pair = null; // [row, column] that is pointed at
    this.grid = element("div", { class: "attention-grid", role: "group", "aria-label": "All heads" });
    this.canvas = element("canvas");
    this.mark = element("i", { class: "attention-mark", hidden: true });
    this.square = element("div", { class: "attention-square", tabIndex: 0, role: "group" }, this.canvas, this.mark);
    this.columns = element("div", { class: "attention-axis columns", "aria-hidden": "true" });
    this.rows = element("div", { class: "attention-axis rows", "aria-hidden": "true" });
    const frame = element("div", { class: "attention-frame" }, this.columns, this.rows, this.square);
    this.title = element("p", { class: "inside-title" });
    this.pairText = element("p", { class: "attention-pair", role: "status" });
    this.habit = element("p", { class: "attention-habit" });
    this.strip = element("p", { class: "attention-strip", "aria-hidden": "true" });
    this.note = element("p", { class: "attention-note" });
    const info = element(
      "div",
      { class: "attention-info" },
      this.title,
      this.pairText,
      this.strip,
      this.grid,
      this.habit,
      this.note,
    );
    this.all = element("div", { class: "attention-all", hidden: true }, frame, info);
    parent.append(this.all);
    this.square.addEventListener("pointermove", (event) => this.pointed(event));
    this.square.addEventListener("pointerleave", () => this.showPair(null));
    this.square.addEventListener("keydown", (event) => this.key(event));
    this.strip.addEventListener(
      "pointerover",
      ({ target }) => target.dataset.at && this.showRow(Number(target.dataset.at)),
    );
    this.strip.addEventListener("click", ({ target }) => target.dataset.at && this.showRow(Number(target.dataset.at)));
  }

  async ask(session, prompt) {
    const maps = [];
    const facts = await session.request("inspect_attention", { prompt }, ({ layer, heads }) => {
      maps[layer] = heads.map((text) => new Uint16Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer));
    });
    const same = this.facts && this.facts.tokens.join("\0") === facts.tokens.join("\0");
    Object.assign(this, { maps, facts, T: facts.tokens.length });
    if (!same) [this.pair, this.row] = [null, this.T - 1];
    if (!maps[this.chosen[0]]?.[this.chosen[1]]) this.chosen = [0, 0];
    this.draw();
    return facts;
  }

  weight(layer, head, t, s) {
    return s > t ? 0 : this.maps[layer][head][(t * (t + 1)) / 2 + s] / ONE;
  }

  // ---- drawing ----

  restyle() {
    if (this.maps.length) this.draw();
  }

  draw() {
    this.shades = shades();
    const shape = this.maps.map((heads) => heads.length).join();
    if (shape !== this.shape) this.buildGrid(shape);
    this.buttons.forEach((row, layer) =>
      row.forEach((button, head) => {
        this.paint(button.firstChild, layer, head);
        const habit = this.habitOf(layer, head);
        button.title = habit;
        button.setAttribute("aria-label", `Layer ${layer + 1}, head ${head + 1}: ${habit}`);
      }),
    );
    this.all.hidden = false;
    this.choose(...this.chosen);
    this.note.textContent = [
      cutNote(this.facts),
      "A row is a token that attends, a column one that it attends to. Darker means more attention (square-root scale).",
    ]
      .filter(Boolean)
      .join(" ");
  }

  buildGrid(shape) {
    this.shape = shape;
    this.buttons = this.maps.map((heads, layer) =>
      heads.map((_, head) => {
        const button = element("button", { type: "button", class: "attention-small" }, element("canvas"));
        button.addEventListener("click", () => this.choose(layer, head));
        return button;
      }),
    );
    this.grid.replaceChildren(
      ...this.buttons.map((row, layer) =>
        element("div", { class: "attention-row" }, element("span", {}, `Layer ${layer + 1}`), ...row),
      ),
    );
  }

  // One pixel a weight; CSS makes them squares.
  paint(canvas, layer, head) {
    const { T } = this;
    canvas.width = canvas.height = T;
    const image = new ImageData(T, T),
      pixels = new Uint32Array(image.data.buffer),
      map = this.maps[layer][head];
    for (let t = 0, at = 0; t < T; t++)
      for (let s = 0; s <= t; s++) pixels[t * T + s] = this.shades[Math.round(Math.sqrt(map[at++] / ONE) * SHADES)];
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  choose(layer, head) {
    this.chosen = [layer, head];
    this.buttons.forEach((row, l) =>
      row.forEach((button, h) => button.setAttribute("aria-pressed", l === layer && h === head)),
    );
    this.paint(this.canvas, layer, head);
    this.cell = Math.max(3, Math.floor(WIDE / this.T));
    this.canvas.style.width = this.canvas.style.height = `${this.cell * this.T}px`;
    this.drawAxes();
    this.title.textContent = `Layer ${layer + 1}, head ${head + 1}`;
    this.square.setAttribute(
      "aria-label",
      `Attention of layer ${layer + 1}, head ${head + 1}. The arrow keys move between pairs of tokens.`,
    );
    this.habit.textContent = this.habitOf(layer, head) + ".";
    this.showPair(this.pair);
  }

  // The tokens beside the large map; where its cells are small, each second one or fewer.
  drawAxes() {
    const each = Math.ceil(LABEL / this.cell),
      size = `${this.cell}px`;
    const labels = (horizontal) =>
      this.facts.tokens.flatMap((text, i) => {
        if (i % each) return [];
        const label = element("span", { data: { at: i } }, [...visible(text)][0] ?? "");
        const place = `${i * this.cell + 1}px`; // the square has a border
        Object.assign(
          label.style,
          horizontal ? { left: place, width: size } : { top: place, height: size, lineHeight: size, width: "12px" },
        );
        return [label];
      });
    this.columns.replaceChildren(...labels(true));
    this.rows.replaceChildren(...labels(false));
  }

  // A sentence for a map: where its tokens look on average, the first token left out, which has no
  // choice.
  habitOf(layer, head) {
    if (this.T < 2) return "One token, which can only attend to itself";
    const mean = (weight, from) => {
      let sum = 0;
      for (let t = from; t < this.T; t++) sum += weight(t);
      return sum / (this.T - from);
    };
    const shares = [
      [mean((t) => this.weight(layer, head, t, t), 1), "itself"],
      [mean((t) => this.weight(layer, head, t, t - 1), 1), "previous token"],
      ...(this.T > 2 ? [[mean((t) => this.weight(layer, head, t, 0), 2), "first"]] : []),
    ];
    return (
      "Average attention: " +
      shares
        .sort(([a], [b]) => b - a)
        .map(([share, where]) => `${where} ${(100 * share).toFixed(0)} %`)
        .join(", ")
    );
  }

  // ---- pointing ----

  pointed(event) {
    const box = this.canvas.getBoundingClientRect();
    const at = (position) => Math.max(0, Math.min(this.T - 1, Math.floor(position / this.cell)));
    const [t, s] = [at(event.clientY - box.top), at(event.clientX - box.left)];
    this.showPair(s <= t ? [t, s] : null);
  }

  key(event) {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step || !this.T) return;
    event.preventDefault();
    const [t, s] = this.pair ?? [this.row - step[0], this.row - step[1]];
    const row = Math.max(0, Math.min(this.T - 1, t + step[0]));
    this.showPair([row, Math.max(0, Math.min(row, s + step[1]))]);
  }

  showPair(pair) {
    this.pair = pair;
    this.mark.hidden = !pair;
    const { tokens } = this.facts;
    if (pair) {
      const [t, s] = pair,
        weight = this.weight(...this.chosen, t, s);
      Object.assign(this.mark.style, {
        left: `${s * this.cell}px`,
        top: `${t * this.cell}px`,
        width: `${this.cell}px`,
        height: `${this.cell}px`,
      });
      this.pairText.replaceChildren(named(tokens[t], t), " attends to ", named(tokens[s], s), `: ${weight.toFixed(3)}`);
    } else this.pairText.replaceChildren("Hover over a square to see which token attends to which.");
    for (const [axis, at] of [
      [this.rows, pair?.[0]],
      [this.columns, pair?.[1]],
    ])
      for (const label of axis.children) label.classList.toggle("chosen", Number(label.dataset.at) === at);
    this.showRow(pair ? pair[0] : this.row, pair?.[1]);
  }

  // The prompt, each token shaded by how much the token `t` looks at it.
  showRow(t, column) {
    this.row = t;
    const { tokens } = this.facts;
    this.strip.replaceChildren(
      ...tokens.map((text, s) => {
        const weight = this.weight(...this.chosen, t, s);
        const span = element(
          "span",
          {
            data: { at: s },
            class: s === t ? "looks" : s === column ? "column" : "",
            title: `${visible(tokens[t])} attends to ${visible(text)}: ${weight.toFixed(3)}`,
          },
          visible(text),
        );
        span.style.setProperty("--share", `${Math.round(70 * Math.sqrt(weight))}%`);
        return span;
      }),
    );
  }
}

const named = (text, at) =>
  element(
    "span",
    {},
    element("b", { "aria-hidden": "true" }, visible(text)),
    element("span", { class: "sr-only" }, spoken(text)),
    ` (${at + 1})`,
  );

// SHADES + 1 pixels (as Uint32 of ImageData) from the panel's colour to the training line's.
function shades() {
  const style = getComputedStyle(document.documentElement),
    canvas = new OffscreenCanvas(1, SHADES + 1),
    context = canvas.getContext("2d");
  const gradient = context.createLinearGradient(0, 0.5, 0, SHADES + 0.5);
  gradient.addColorStop(0, style.getPropertyValue("--hover").trim());
  gradient.addColorStop(1, style.getPropertyValue("--train").trim());
  context.fillStyle = gradient;
  context.fillRect(0, 0, 1, SHADES + 1);
  return new Uint32Array(context.getImageData(0, 0, 1, SHADES + 1).data.buffer);
}
