// What the chart draws, from back to front: a layer is one column of numbers over the places of its
// steps, and how uPlot draws it. `columns` has the numbers, `styles` the look; both list the same
// layers in the same order.

import { merged, thinned } from "./downsample.js";
import { smoothed } from "./smoothing.js";

const PALE = 0.3; // the raw points behind a smooth line

// A number that is not finite has no place; the readout names it.
const drawn = (value, place) => (Number.isFinite(value) ? place(value) : null);

// uPlot's data. uPlot wants one x for all series: the places of all points that are kept, and null
// where a series has none. At most two points for each column of pixels are kept.
export function columns(chart) {
  const { edges, x, y, quantity, view, visible } = chart,
    [low, high] = edges,
    pixels = Math.max(100, chart.field.clientWidth);
  const edge = (share) => x.unplace(low + share * (high - low));
  const thin = (steps, values, parts, place) => {
    const kept = thinned(steps, values, parts, edge);
    return [kept.map((i) => x.place(steps[i])), kept.map((i) => drawn(values[i], place))];
  };
  const none = [[], []];
  const ofRun = (run, parts) => {
    const { steps, values } = run.column(quantity);
    return [
      thin(steps, values, parts, y.place),
      view.smoothing ? thin(steps, smoothed(values, view.smoothing), parts, y.place) : none,
      quantity === "loss" ? [run.evalSteps.map(x.place), run.evalLosses.map((v) => drawn(v, y.place))] : none,
    ];
  };
  const same = (value) => value,
    { current } = chart.runs;
  return merged([
    ...chart.earlier.flatMap((run) => ofRun(run, pixels >> 1)),
    current && visible.lr ? thin(current.steps, current.lrs, pixels, same) : none,
    current && visible.norm ? thin(current.steps, current.norms, pixels, same) : none,
    ...(current ? ofRun(current, pixels) : [none, none, none]),
  ]);
}

// uPlot's series. colour(name): of a variable of the style sheet.
export function styles(chart, colour) {
  const { runs, visible, view, quantity } = chart;
  const line = { spanGaps: true, points: { show: false } };
  const ofRun = (run, front) => {
    const stroke = colour(`--run-${run?.colour ?? 1}`),
      width = (front ? 1.5 : 1.25) + (runs.pointed === run ? 1 : 0),
      show = visible.loss || quantity !== "loss",
      panel = colour("--panel");
    const dots = front
      ? { show: true, size: 9, width: 1.5, stroke: panel, fill: stroke }
      : { show: true, size: 7, width: 1.5, stroke, fill: panel };
    return [
      { ...line, stroke, show, width: view.smoothing ? 1 : width, alpha: view.smoothing ? PALE : 1 },
      { ...line, stroke, show, width: width + 0.25 },
      { stroke, paths: () => null, points: dots, show: visible.validation },
    ];
  };
  const muted = colour("--muted"),
    dotted = { scale: "lr", stroke: muted, alpha: 0.7, width: 1.25, dash: [1, 3], show: visible.lr };
  return [
    {},
    ...chart.earlier.flatMap((run) => ofRun(run, false)),
    { ...line, ...dotted },
    { ...line, scale: "norm", stroke: colour("--keyword"), alpha: 0.45, width: 1, show: visible.norm },
    ...ofRun(runs.current, true),
  ];
}
