// The roofline (Williams et al. 2009), drawn by uPlot: each kernel's launches at a preset, by how
// many operations they make of a byte and how many they make in a second, under what the machine
// was measured to reach at most (app/bridges/peak.js).

import uPlot from "../../public/vendor/uplot/uPlot.esm.js";
import { element } from "../ui/dom.js";
import { named, shown } from "./rows.js";

const LINE = 15; // pixels between two names
const NEAR = 24; // px
const KINDS = [
  ["matmul", "--train"],
  ["attention", "--validation"],
  ["norm", "--good"],
  ["", "--muted"],
]; // the first that a name holds

export class Roofline {
  // table: a tbody for the rows.
  constructor(parent, readout, table) {
    Object.assign(this, { parent, readout, table, data: null, plot: null });
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(parent);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    new MutationObserver(() => this.draw()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  // {rows (roofline.step_rates' with their rooflines), peaks}; as tests/bench/kernels prints it.
  show(data) {
    this.data = data;
    this.draw();
    this.fillTable();
  }

  size() {
    return { width: Math.max(200, this.parent.clientWidth), height: Math.max(200, this.parent.clientHeight) };
  }

  draw() {
    if (!this.data) return;
    this.points = this.data.rows
      .filter(({ flops, bytes }) => flops && bytes)
      .map((row) => ({ ...row, x: row.flops / row.bytes, y: row.gflop_s, share: row.ms * row.launches }))
      .sort((a, b) => a.x - b.x);
    this.plot?.destroy();
    this.plot = this.points.length ? new uPlot(this.options(), this.columns(), this.parent) : null;
    this.readout.hidden = true;
  }

  // uPlot wants one table: the xs of the points and of the roofs' corners, and a column for each
  // roof and for the points.
  columns() {
    const { gflop_s: peak, bandwidth } = this.data.peaks;
    const [least, most] = this.rangeX();
    const xs = [
      ...new Set([least, most, ...bandwidth.map(({ gb_s }) => peak / gb_s), ...this.points.map(({ x }) => x)]),
    ].sort((a, b) => a - b);
    this.xs = xs;
    return [xs, ...bandwidth.map(({ gb_s }) => xs.map((x) => Math.min(peak, x * gb_s))), xs.map(() => null)];
  }

  rangeX() {
    const xs = this.points.map(({ x }) => x);
    return [Math.min(0.05, ...xs) / 1.3, Math.max(100, ...xs) * 1.3];
  }

  rangeY() {
    const ys = this.points.map(({ y }) => y);
    return [Math.min(...ys) / 1.5, Math.max(this.data.peaks.gflop_s, ...ys) * 1.5];
  }

  options() {
    const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const font = `13px ${colour("--sans")}`;
    const values = (_, splits) => splits.map((value) => (named(value, "1") ? shown(value) : null));
    const axis = {
      stroke: colour("--muted"),
      font,
      labelFont: font,
      labelSize: 20,
      values,
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { stroke: colour("--line"), width: 1 },
    };
    return {
      ...this.size(),
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
      scales: { x: { time: false, distr: 3, range: () => this.rangeX() }, y: { distr: 3, range: () => this.rangeY() } },
      axes: [
        { ...axis, label: "floating-point operations for each byte moved" },
        { ...axis, size: 56, label: "GFLOP/s: billions of operations a second" },
      ],
      series: [
        {},
        ...this.data.peaks.bandwidth.map(() => ({ stroke: colour("--muted"), width: 1, points: { show: false } })),
        { points: { show: false } },
      ],
      hooks: { draw: [(plot) => this.drawPoints(plot, colour)], setCursor: [(plot) => this.read(plot)] },
    };
  }

  // A disc for each distinct launch, its area by its share of the step, and a name on each roof.
  drawPoints(plot, colour) {
    const { ctx } = plot,
      all = this.points.reduce((sum, { share }) => sum + share, 0);
    ctx.save();
    ctx.globalAlpha = 0.75;
    for (const point of this.points) {
      ctx.fillStyle = colour(KINDS.find(([word]) => point.kernel.includes(word))[1]);
      ctx.beginPath();
      ctx.arc(
        plot.valToPos(point.x, "x", true),
        plot.valToPos(point.y, "y", true),
        devicePixelRatio * (3 + 22 * Math.sqrt(point.share / all)),
        0,
        2 * Math.PI,
      );
      ctx.fill();
    }
    ctx.globalAlpha = 1;
    ctx.fillStyle = colour("--muted");
    ctx.font = `${12 * devicePixelRatio}px ${colour("--sans")}`;
    // The slopes lie close together: their names stand where nothing else does, in their order.
    const slopes = [...this.data.peaks.bandwidth].sort((a, b) => b.gb_s - a.gb_s),
      { bbox } = plot;
    const lines = [
      "slopes, from the upper one:",
      ...slopes.map(({ bytes, gb_s }) => `${size(bytes)}, ${Math.round(gb_s)} GB/s`),
    ];
    ctx.textAlign = "right";
    lines.forEach((text, i) => {
      ctx.fillText(
        text,
        bbox.left + bbox.width - 8 * devicePixelRatio,
        bbox.top + bbox.height - (8 + LINE * (lines.length - 1 - i)) * devicePixelRatio,
      );
    });
    ctx.restore();
  }

  read(plot) {
    const { left, top } = plot.cursor;
    let nearest = null,
      least = NEAR;
    if (left >= 0)
      for (const point of this.points) {
        const distance = Math.hypot(plot.valToPos(point.x, "x") - left, plot.valToPos(point.y, "y") - top);
        if (distance < least) [least, nearest] = [distance, point];
      }
    this.readout.hidden = !nearest;
    if (nearest)
      this.readout.textContent = `${nearest.kernel} ${nearest.shape}: ${shown(nearest.y)} GFLOP/s, ${Math.round(nearest.percent)} % of what bounds it (${nearest.bound})`;
  }

  fillTable() {
    const all = this.data.rows.reduce((sum, { ms, launches }) => sum + ms * launches, 0);
    this.table.replaceChildren(
      ...this.data.rows.map((row) => {
        const [name, ...cells] = [
          row.kernel,
          row.shape,
          row.launches,
          shown(row.ms),
          `${((100 * row.ms * row.launches) / all).toFixed(1)}`,
          row.flops ? shown(row.gflop_s) : "–",
          shown(row.gb_s),
          row.bound,
          Math.round(row.percent),
        ];
        return element(
          "tr",
          {},
          element("th", { scope: "row" }, name),
          ...cells.map((text) => element("td", {}, text)),
        );
      }),
    );
  }
}

const size = (bytes) => (bytes >= 2 ** 20 ? `${bytes / 2 ** 20} MiB` : `${bytes / 2 ** 10} KiB`);
