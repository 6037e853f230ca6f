// uPlot's options for the chart: scales, axes, cursor. What is drawn is layers.js'.

import uPlot from "../../public/vendor/uplot/uPlot.esm.js";
import { shortNumber } from "../ui/format.js";
import { INCREMENTS, stepMarks, stepText, valueMarks, valueText } from "./axes.js";
import { styles } from "./layers.js";
import { STRIP } from "./pins.js";

const NARROW = 480; // px: below, the axes at the right are left out

export function makePlot(chart, data) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const font = "12px " + getComputedStyle(document.body).fontFamily;
  chart.colours = { muted: colour("--muted"), bad: colour("--bad") };
  const axis = {
    stroke: colour("--muted"),
    font,
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  };
  const grid = { show: false },
    values = (_, marks) => marks.map(shortNumber),
    right = { ...axis, side: 1, size: 52, space: 40, incrs: INCREMENTS, grid, values };
  const wide = chart.field.clientWidth >= NARROW,
    { lr, norm } = chart.visible;
  return new uPlot(
    {
      ...chart.size(),
      scales: {
        x: { time: false, range: () => chart.edges },
        y: { range: (_, low, high) => chart.heights(low, high) },
        lr: { range: (_, low, high) => [0, (high || 1) * 1.3] },
        norm: { range: (_, low, high) => [0, (high || 1) * 1.1] },
      },
      axes: [
        {
          ...axis,
          size: 26 + STRIP,
          gap: 5 + STRIP,
          incrs: INCREMENTS.filter((increment) => increment >= 1), // there is no half a step
          splits: chart.view.logSteps ? () => stepMarks(...chart.edges, !wide) : undefined,
          values: (_, marks) => marks.map((x) => stepText(chart.x.unplace(x))),
        },
        {
          ...axis,
          size: 44,
          space: 28,
          splits: chart.view.logValues ? ({ scales: { y } }) => valueMarks(y.min, y.max) : undefined,
          values: (_, marks) => marks.map((y) => valueText(chart.y.unplace(y))),
        },
        { ...right, scale: "lr", show: lr && wide },
        { ...right, scale: "norm", show: norm && wide, stroke: colour("--keyword") },
      ],
      legend: { show: false },
      padding: [6, wide && (lr || norm) ? 8 : 24, 0, 0],
      cursor: {
        drag: { x: true, y: false, setScale: false },
        points: { show: false },
        bind: chart.zooming.bind,
        move: (_, left, top) => [left < 0 ? left : chart.snapped(left), top],
      },
      hooks: {
        setSelect: [(plot) => chart.zooming.selected(plot)],
        setCursor: [({ cursor: { left } }) => chart.readout.read(left < 0 ? null : Math.round(chart.stepAt(left)))],
        draw: [(plot) => chart.drawn(plot)],
        setSize: [() => chart.plot && chart.drawSoon()],
      },
      series: styles(chart, colour),
    },
    data,
    chart.field,
  );
}
