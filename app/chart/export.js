// The chart as a file: CSV of all runs that are drawn (losses, validation, rates, norms, metrics,
// edits), and the picture as it is on the page, as SVG or PNG.
//
// The SVG is made from what uPlot was given, so its lines stay lines; the PNG is drawn from it at
// twice the size.

import { svg } from "../ui/dom.js";
import { styles } from "./layers.js";
import { references } from "./references.js";

const MARGIN = { left: 52, right: 16, top: 44, bottom: 44 };
const BESIDE = 22; // px between two lines of the legend
const COLUMNS = ["run", "step", "kind", "name", "value"];

// ---- CSV ----

// A cell: quoted where it needs that, and with an apostrophe where a spreadsheet would compute it.
export function cell(value) {
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : "";
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// One row a value: run, step, kind (loss, validation, learning rate, gradient norm, ms, metric,
// edit), name of the metric or the text of the edit, value.
export function csv(runs) {
  const rows = [COLUMNS];
  for (const run of runs) {
    const { name, steps } = run;
    const columns = { loss: run.losses, "learning rate": run.lrs, "gradient norm": run.norms, ms: run.ms };
    for (const [kind, values] of Object.entries(columns))
      for (const [i, value] of values.entries())
        if (value !== null && value !== undefined) rows.push([name, steps[i], kind, "", value]);
    for (const [i, value] of run.evalLosses.entries()) rows.push([name, run.evalSteps[i], "validation", "", value]);
    for (const [metric, { steps: at, values }] of run.metrics)
      for (const [i, value] of values.entries()) rows.push([name, at[i], "metric", metric, value ?? Number.NaN]);
    for (const { step, text } of run.marks) rows.push([name, step, "edit", text, ""]);
  }
  return rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

// ---- SVG ----

const clean = (text) => text.replace(/\p{Cc}/gu, " "); // XML has no control characters

export const xml = (drawing) => new XMLSerializer().serializeToString(drawing);

// The chart as an SVG element of its own: no style sheet of the page is needed.
export function picture(chart) {
  const { plot } = chart,
    style = getComputedStyle(document.documentElement),
    colour = (name) => style.getPropertyValue(name).trim();
  const shown = [chart.runs.current, ...chart.earlier.toReversed()].filter(Boolean);
  const { clientWidth: width, clientHeight: height } = plot.over,
    lines = references(chart);
  const bottom = MARGIN.bottom + BESIDE * (Math.ceil((shown.length + lines.length) / 3) + 1);
  const size = { width: width + MARGIN.left + MARGIN.right, height: height + MARGIN.top + bottom };
  const text = (x, y, content, more = {}) => svg("text", { x, y, fill: colour("--text"), ...more }, clean(content));
  const line = (x1, y1, x2, y2, more) => svg("line", { x1, y1, x2, y2, stroke: colour("--line"), ...more });
  const muted = { fill: colour("--muted"), "text-anchor": "middle" };
  const area = svg("g", { transform: `translate(${MARGIN.left} ${MARGIN.top})` });
  const { min, max } = plot.scales.y,
    up = (value) => height - ((value - min) / (max - min)) * height;
  for (const [axis, along] of [
    [plot.axes[0], (x) => plot.valToPos(x, "x")],
    [plot.axes[1], up],
  ]) {
    const places = axis._splits ?? [],
      names = axis._values ?? [];
    for (const [i, place] of places.entries()) {
      if (place === null) continue;
      const at = along(place);
      if (axis === plot.axes[0])
        area.append(line(at, 0, at, height, {}), text(at, height + 38, String(names[i] ?? ""), muted));
      else
        area.append(
          line(0, at, width, at, {}),
          text(-8, at + 4, String(names[i] ?? ""), { ...muted, "text-anchor": "end" }),
        );
    }
  }
  const clip = svg("clipPath", { id: "plot" }, svg("rect", { x: 0, y: 0, width, height }));
  const inside = svg("g", { "clip-path": "url(#plot)" });
  for (const { value, kind } of lines) {
    const place = chart.y.place(value);
    if (place !== null)
      inside.append(
        line(0, up(place), width, up(place), {
          stroke: colour("--muted"),
          "stroke-dasharray": kind === "guess" ? "4 4" : "1 3",
        }),
      );
  }
  for (const [i, look] of styles(chart, colour).entries())
    if (i && look.show !== false) inside.append(...drawn(plot, i, look, colour("--panel")));
  area.append(clip, inside);
  for (const [i, { step, text: said }] of (chart.runs.current?.marks ?? []).entries()) {
    const x = chart.pixels(step);
    if (x < 0 || x > width) continue;
    area.append(
      line(x, 0, x, height, { stroke: colour("--muted"), "stroke-dasharray": "2 3" }),
      text(x, height + 14, String(i + 1), { "text-anchor": "middle" }),
      svg("title", {}, clean(`${i + 1}: step ${step}: ${said}`)),
    );
  }
  const legend = [
    ...shown.map((run) => [run.name, colour(`--run-${run.colour}`), ""]),
    ...lines.map(({ text: said, kind }) => [said, colour("--muted"), kind === "guess" ? "4 4" : "1 3"]),
  ];
  for (const [i, [name, stroke, dashes]] of legend.entries()) {
    const x = ((i % 3) * width) / 3,
      y = height + 64 + BESIDE * Math.floor(i / 3);
    area.append(
      line(x, y - 4, x + 20, y - 4, { stroke, "stroke-width": dashes ? 1 : 3, "stroke-dasharray": dashes }),
      text(x + 28, y, name.length > 40 ? `${name.slice(0, 39)}…` : name),
    );
  }
  const title = chart.quantity === "loss" ? "Loss by step" : `${chart.quantity} by step`;
  return svg(
    "svg",
    {
      viewBox: `0 0 ${size.width} ${size.height}`,
      ...size,
      "font-family": "system-ui, sans-serif",
      "font-size": 12,
    },
    svg("rect", { ...size, fill: colour("--panel") }),
    text(MARGIN.left, 24, title, { "font-size": 15, "font-weight": 600 }),
    area,
  );
}

// A series as a path, or as dots. look: layers.js.
function drawn(plot, i, { scale = "y", stroke, paths, width = 1, alpha = 1, dash }, panel) {
  const ys = plot.data[i];
  const at = plot.data[0]
    .map((x, j) => [x, ys[j]])
    .filter(([, y]) => y !== null && y !== undefined)
    .map(([x, y]) => [plot.valToPos(x, "x"), plot.valToPos(y, scale)].map((place) => Math.round(place * 10) / 10));
  if (!at.length) return [];
  if (paths) return at.map(([cx, cy]) => svg("circle", { cx, cy, r: 3.5, stroke, fill: panel, "stroke-width": 2 }));
  const d = `M${at.map((place) => place.join(" ")).join("L")}`;
  const more = { "stroke-width": width, "stroke-opacity": alpha, "stroke-linejoin": "round", fill: "none" };
  return [svg("path", { d, stroke, ...more, ...(dash && { "stroke-dasharray": dash.join(" ") }) })];
}

// ---- PNG ----

export async function png(drawing, scale = 2) {
  const image = new Image(),
    [width, height] = ["width", "height"].map((name) => Number(drawing.getAttribute(name)) * scale);
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(xml(drawing))}`;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  canvas.getContext("2d").drawImage(image, 0, 0, width, height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
