// The curves over the presets (uPlot): one line for each implementation in its place, a bar from
// the fastest to the slowest step at every point, both axes evenly spaced for equal factors. A
// legend by machine turns curves on and off; the nearest point is read out beside the pointer.

import uPlot from "../../public/vendor/uplot/uPlot.esm.js";
import { element } from "../ui/dom.js";
import { METRICS, named, number, PRESETS, shown } from "./rows.js";

const COLOURS = { TinyGPT: "--train", PyTorch: "--validation", "jax-js": "--good", "TensorFlow.js": "--keyword" };
const CAP = 3; // px, half the width of a bar's ends
const NARROW = 520; // px: names under the axis stand at an angle
const NEAR = 32; // px from the pointer to a point that is read out

// Dashes tell places of one implementation apart.
function dashOf({ device, host, threads, flags, precision }) {
  if (device === "webgpu") return flags === "full" ? [2, 3] : precision === "f32" ? [10, 3] : [6, 3, 2, 3];
  if (device === "cuda") return host.startsWith("graph") ? [10, 3] : [];
  const wide = flags === "future";
  if (host === "node") return wide ? [5, 4, 1, 4] : [5, 4];
  if (host === "firefox") return flags === "plain" ? [7, 2, 1, 2] : [7, 2];
  if (host === "webkit") return [1, 3];
  if (device === "native") return [2, 2];
  return threads === 1 ? (wide ? [8, 3, 2, 3, 2, 3] : [8, 3, 2, 3]) : wide ? [14, 3] : [];
}

export class Curves {
  // readout: an element for the point under the pointer.
  constructor(parent, legend, readout) {
    Object.assign(this, { parent, legend, readout, metric: "median_ms", curves: [], hidden: new Set(), plot: null });
    new ResizeObserver(
      () => this.plot && (this.narrow === this.size().width < NARROW ? this.plot.setSize(this.size()) : this.draw()),
    ).observe(parent);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    new MutationObserver(() => this.draw()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  // curves: rows.js's; hidden: keys of curves that are off at first.
  show(curves, hidden = this.hidden) {
    this.curves = curves;
    this.hidden = new Set(hidden);
    this.draw();
  }

  choose(metric) {
    this.metric = metric;
    this.draw();
  }

  size() {
    return { width: Math.max(200, this.parent.clientWidth), height: Math.max(200, this.parent.clientHeight) };
  }

  draw() {
    const { metric } = this;
    const drawn = this.curves.filter(({ rows }) => Object.values(rows).some((row) => number(row, metric) !== null));
    this.visible = drawn.filter(({ key }) => !this.hidden.has(key));
    this.presets = PRESETS.filter((preset) => drawn.some(({ rows }) => rows[preset]));
    this.plot?.destroy();
    this.plot = new uPlot(this.options(), this.data(), this.parent);
    this.parent.setAttribute(
      "aria-label",
      `${METRICS[metric].title} by preset, ${this.visible.length} curves; the table below has the numbers`,
    );
    this.drawLegend(drawn);
    this.readout.hidden = true;
  }

  data() {
    return [
      this.presets.map((_, i) => i),
      ...this.visible.map(({ rows }) =>
        this.presets.map((preset) => rows[preset] && number(rows[preset], this.metric)),
      ),
    ];
  }

  options() {
    const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const font = `13px ${colour("--sans")}`,
      last = this.presets.length - 1;
    const narrow = (this.narrow = this.size().width < NARROW);
    const { visible } = this; // uPlot draws a little later: of the curves that it was made with
    const axis = {
      stroke: colour("--muted"),
      font,
      labelFont: font,
      labelSize: 20,
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { stroke: colour("--line"), width: 1 },
    };
    return {
      ...this.size(),
      ...(narrow && { padding: [null, 40, null, null] }),
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
      scales: { x: { time: false, range: () => [-0.3, last + 0.3] }, y: { distr: 3, range: () => this.range() } },
      axes: [
        {
          ...axis,
          size: narrow ? 64 : 32,
          ...(narrow && { rotate: -45 }),
          label: "preset, from the smallest model to the largest",
          splits: () => this.presets.map((_, i) => i),
          values: () => this.presets,
        },
        {
          ...axis,
          size: 56,
          label: METRICS[this.metric].axis,
          values: (_, splits) => splits.map((value) => (named(value) ? shown(value) : null)),
        },
      ],
      series: [
        {},
        ...visible.map((curve) => {
          const stroke = curve.mine ? colour("--text") : colour(COLOURS[curve.implementation] ?? "--muted");
          return {
            stroke,
            width: curve.mine ? 3 : curve.threads === 1 ? 1 : 2,
            dash: dashOf(curve),
            spanGaps: true,
            points: { show: true, size: 6, fill: stroke },
          };
        }),
      ],
      hooks: { draw: [(plot) => this.drawSpreads(plot, visible)], setCursor: [(plot) => this.read(plot)] },
    };
  }

  // [least, most] of what is visible, with its spread.
  range() {
    const values = this.visible.flatMap(({ rows }) =>
      Object.values(rows).flatMap((row) => [number(row, this.metric), ...(this.spread(row) ?? [])]),
    );
    const given = values.filter((value) => value > 0);
    return given.length ? [Math.min(...given) / 1.25, Math.max(...given) * 1.25] : [1, 10];
  }

  spread(row) {
    return number(row, this.metric) === null ? null : METRICS[this.metric].spread(row);
  }

  drawSpreads(plot, visible) {
    const { ctx } = plot,
      cap = CAP * devicePixelRatio;
    ctx.save();
    visible.forEach(({ rows }, index) => {
      ctx.strokeStyle = plot.series[index + 1].stroke();
      ctx.lineWidth = devicePixelRatio;
      ctx.beginPath();
      this.presets.forEach((preset, i) => {
        const spread = rows[preset] && this.spread(rows[preset]);
        if (!spread) return;
        const x = plot.valToPos(i, "x", true),
          [low, high] = spread.map((value) => plot.valToPos(value, "y", true));
        for (const [fromX, fromY, toX, toY] of [
          [x, low, x, high],
          [x - cap, low, x + cap, low],
          [x - cap, high, x + cap, high],
        ]) {
          ctx.moveTo(fromX, fromY);
          ctx.lineTo(toX, toY);
        }
      });
      ctx.stroke();
    });
    ctx.restore();
  }

  // The point nearest to the pointer, in words.
  read(plot) {
    const { left, top } = plot.cursor;
    let nearest = null,
      least = NEAR;
    if (left >= 0)
      this.visible.forEach((curve) =>
        this.presets.forEach((preset, i) => {
          const row = curve.rows[preset],
            value = row && number(row, this.metric);
          if (!value) return;
          const distance = Math.hypot(plot.valToPos(i, "x") - left, plot.valToPos(value, "y") - top);
          if (distance < least) [least, nearest] = [distance, { curve, row, value }];
        }),
      );
    this.readout.hidden = !nearest;
    if (!nearest) return;
    const { text } = METRICS[this.metric],
      spread = this.spread(nearest.row);
    this.readout.textContent = `${nearest.curve.title}, ${nearest.row.preset}: ${text(nearest.value)}${spread ? ` (${shown(spread[0])} to ${shown(spread[1])})` : ""}`;
  }

  drawLegend(drawn) {
    this.legend.replaceChildren(
      ...[...new Set(drawn.map(({ machine }) => machine))].map((machine) => {
        const entries = drawn.filter((curve) => curve.machine === machine).map((curve) => this.entry(curve));
        return element("fieldset", {}, element("legend", {}, machine), ...entries);
      }),
    );
  }

  entry(curve) {
    const on = !this.hidden.has(curve.key);
    const button = element("button", { type: "button", ariaPressed: String(on) });
    const stroke = curve.mine ? "var(--text)" : `var(${COLOURS[curve.implementation] ?? "--muted"})`;
    button.innerHTML = `<svg width="30" height="10" aria-hidden="true"><line x1="0" y1="5" x2="30" y2="5"/></svg>`;
    Object.assign(button.querySelector("line").style, {
      stroke,
      strokeWidth: curve.mine ? 3 : curve.threads === 1 ? 1 : 2,
      strokeDasharray: dashOf(curve).join(" "),
    });
    button.append(curve.title);
    button.addEventListener("click", () => {
      if (on) this.hidden.add(curve.key);
      else this.hidden.delete(curve.key);
      this.draw();
      this.focusEntry(curve.title);
    });
    return button;
  }

  // Drawing anew replaces the buttons: the one that was pressed keeps the focus.
  focusEntry(title) {
    [...this.legend.querySelectorAll("button")].find((button) => button.textContent === title)?.focus();
  }
}
