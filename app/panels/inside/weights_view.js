// Weights and gradients: a table of all parameters with the course of their norms as small lines,
// and the histograms of the chosen one, its earlier ones behind it as outlines (from when it was
// chosen on). The history grows while the panel is looked at; a new run begins a new one.

import { element, svg } from "../../ui/dom.js";

const MOST = 240; // points of a line: then every second one goes
const OUTLINES = 3; // earlier histograms that are drawn; of few numbers, which jump, one
const FEW = 1000;

export class WeightsView {
  constructor(parent, { ask }) {
    this.askAgain = ask;
    this.rows = new Map(); // name -> {row, cells}
    this.chosen = null;
    this.restart();
    this.body = element("tbody");
    const heads = [
      ["Parameter", 1],
      ["Shape", 1],
      ["Norm", 2],
      ["Gradient norm", 2],
    ].map(([text, colSpan]) =>
      element(
        "th",
        { scope: "col", colSpan, title: colSpan > 1 ? "Now, and as a line over time, each on its own scale" : "" },
        text,
      ),
    );
    this.table = element(
      "table",
      { class: "weights-table", "aria-label": "Norms of the parameters and of their gradients" },
      element("thead", {}, element("tr", {}, ...heads)),
      this.body,
    );
    this.detail = element("div", {
      class: "weights-detail",
      role: "region",
      "aria-label": "Histograms of the chosen parameter",
      tabIndex: 0,
    });
    parent.append(element("div", { class: "weights-scroll", tabIndex: -1 }, this.table), this.detail);
  }

  // A new run: a new history.
  restart() {
    // name -> {steps, norm, gradient_norm, histogram, gradient_histogram}, arrays of one length
    this.history = new Map();
  }

  async ask(session) {
    // Only the chosen parameter is counted: that is most of the work.
    const facts = await session.request("inspect_weights", { histograms: [this.chosen] });
    const names = facts.parameters.map(({ name }) => name);
    if (names.length && !names.includes(this.chosen)) {
      this.chosen = names[0];
      this.askAgain();
    }
    this.remember(facts);
    this.facts = facts;
    if (names.join() !== [...this.rows.keys()].join()) this.buildRows(facts.parameters);
    this.draw();
    return facts;
  }

  remember({ step, parameters }) {
    for (const entry of parameters) {
      let past = this.history.get(entry.name);
      if (past && past.steps.at(-1) > step) past = null; // a run from its start again
      if (!past)
        this.history.set(
          entry.name,
          (past = { steps: [], norm: [], gradient_norm: [], histogram: [], gradient_histogram: [] }),
        );
      if (past.steps.at(-1) === step) for (const list of Object.values(past)) list.pop();
      past.steps.push(step);
      for (const name of ["norm", "gradient_norm", "histogram", "gradient_histogram"]) past[name].push(entry[name]);
      if (past.steps.length > MOST)
        for (const name in past) past[name] = past[name].filter((_, i) => i % 2 === 0 || i === past[name].length - 1);
    }
  }

  buildRows(parameters) {
    this.rows.clear();
    this.body.replaceChildren(
      ...parameters.map(({ name, shape, elements }) => {
        const choose = element("button", { type: "button", class: "quiet-name" }, ...breakable(name));
        choose.addEventListener("click", () => {
          this.chosen = name;
          this.draw();
          this.askAgain();
        });
        const cells = {
          choose,
          norm: element("td", { class: "figure" }),
          line: element("td"),
          gradient: element("td", { class: "figure" }),
          gradientLine: element("td"),
        };
        const size = element(
          "td",
          { class: "shape", title: `${elements.toLocaleString("en")} numbers` },
          shape.join(" × ") || "1",
        );
        const row = element(
          "tr",
          {},
          element("th", { scope: "row" }, choose),
          size,
          cells.norm,
          cells.line,
          cells.gradient,
          cells.gradientLine,
        );
        row.addEventListener("click", () => choose.click());
        choose.addEventListener("click", (event) => event.stopPropagation());
        this.rows.set(name, { row, cells });
        return row;
      }),
    );
  }

  draw() {
    for (const entry of this.facts.parameters) {
      const { row, cells } = this.rows.get(entry.name),
        past = this.history.get(entry.name);
      row.className = entry.name === this.chosen ? "chosen" : "";
      cells.choose.setAttribute("aria-pressed", entry.name === this.chosen);
      cells.norm.textContent = figure(entry.norm);
      cells.gradient.textContent = entry.gradient_norm === null ? "none" : figure(entry.gradient_norm);
      cells.line.replaceChildren(sparkline(past.steps, past.norm, "norm", "weight-line"));
      cells.gradientLine.replaceChildren(sparkline(past.steps, past.gradient_norm, "gradient norm", "gradient-line"));
    }
    this.drawDetail();
  }

  drawDetail() {
    const entry = this.facts.parameters.find(({ name }) => name === this.chosen),
      past = this.history.get(this.chosen);
    if (!entry) return this.detail.replaceChildren();
    const sampled = entry.histogram && entry.histogram.counted < entry.elements;
    return this.detail.replaceChildren(
      element("p", { class: "inside-title" }, entry.name),
      element(
        "p",
        { class: "figures" },
        `${entry.shape.join(" × ")}${entry.shape.length > 1 ? ` = ${entry.elements.toLocaleString("en")}` : ""} numbers; typical size (rms) ${figure(entry.rms)}`,
      ),
      histogram("Weights", past.histogram, past.steps, "weight-bars"),
      histogram(
        "Gradient",
        past.gradient_histogram,
        past.steps,
        "gradient-bars",
        entry.gradient_norm === null ? "none yet" : "not ready yet",
      ),
      element(
        "p",
        { class: "note" },
        [
          past.steps.length > 1 ? "Outlines: earlier steps, the oldest faintest." : "",
          sampled ? `The histogram counts ${entry.histogram.counted.toLocaleString("en")} of them, evenly spaced.` : "",
          entry.gradient_norm === null ? "" : "Gradients are those of the last step, after clipping.",
        ]
          .filter(Boolean)
          .join(" "),
      ),
    );
  }
}

// A long name may break after each of its dots.
const breakable = (name) => name.split(/(?<=\.)/).flatMap((piece, i) => (i ? [element("wbr"), piece] : [piece]));

const figure = (x) =>
  x === null
    ? "not finite"
    : x !== 0 && (Math.abs(x) < 1e-3 || Math.abs(x) >= 1e5)
      ? x.toExponential(1).replace("e+", "e")
      : x.toPrecision(3);

// A line through the known values; its own scale from lowest to highest.
function sparkline(steps, values, what, kind) {
  const known = values.map((value, i) => [steps[i], value]).filter(([, value]) => value !== null);
  if (!known.length) return document.createTextNode("");
  const [low, high] = [Math.min(...known.map(([, v]) => v)), Math.max(...known.map(([, v]) => v))];
  const from = known[0][0],
    to = known.at(-1)[0],
    W = 56,
    H = 18;
  const x = (step) => (to > from ? 1 + ((W - 2) * (step - from)) / (to - from) : W / 2),
    y = (v) => (high > low ? H - 2 - ((H - 4) * (v - low)) / (high - low) : H / 2);
  const label =
    known.length === 1
      ? `${what} ${figure(known[0][1])} at step ${to}`
      : `${what} from step ${from} to ${to}: ${figure(known[0][1])} to ${figure(known.at(-1)[1])}, between ${figure(low)} and ${figure(high)}`;
  const drawn = svg("svg", {
    class: `sparkline ${kind}`,
    width: W,
    height: H,
    viewBox: `0 0 ${W} ${H}`,
    role: "img",
    "aria-label": label,
  });
  const title = svg("title", {});
  title.textContent = label;
  drawn.append(
    title,
    svg("polyline", { points: known.map(([step, v]) => `${x(step).toFixed(1)},${y(v).toFixed(1)}`).join(" ") }),
    svg("circle", { cx: x(to), cy: y(known.at(-1)[1]), r: 1.8 }),
  );
  return drawn;
}

// The newest as bars, a few earlier ones as outlines, on one scale: height is the share of the
// numbers per unit of value.
function histogram(what, past, steps, kind, without = "not ready yet") {
  const figureBox = element("figure", { class: `histogram ${kind}` });
  const now = past.at(-1);
  if (!now) {
    figureBox.append(element("figcaption", {}, `${what}: ${without}`));
    return figureBox;
  }
  const earlier = [];
  const known = past
    .map((h, i) => [h, steps[i]])
    .slice(0, -1)
    .filter(([h]) => h);
  const outlines = Math.min(now.counted < FEW ? 1 : OUTLINES, known.length);
  for (let i = 0; i < outlines; i++) earlier.push(known[Math.floor((i * known.length) / outlines)]);
  const all = [...earlier.map(([h]) => h), now];
  const low = Math.min(...all.map((h) => h.low)),
    high = Math.max(...all.map((h) => h.high)),
    W = 260,
    H = 64;
  const density = (h) => h.counts.map((n) => n / h.counted / Math.max((h.high - h.low) / h.counts.length, 1e-30));
  const most = Math.max(...all.flatMap(density), 1e-30);
  const x = (value) => (high > low ? (W * (value - low)) / (high - low) : W / 2),
    y = (d) => H - (H - 2) * (d / most);
  const steps_ = (h) => {
    const width = (h.high - h.low) / h.counts.length,
      points = [`${x(h.low).toFixed(1)},${H}`];
    density(h).forEach((d, i) =>
      points.push(
        `${x(h.low + i * width).toFixed(1)},${y(d).toFixed(1)}`,
        `${x(h.low + (i + 1) * width).toFixed(1)},${y(d).toFixed(1)}`,
      ),
    );
    return [...points, `${x(h.high).toFixed(1)},${H}`].join(" ");
  };
  const fullest = now.counts.indexOf(Math.max(...now.counts)),
    width = (now.high - now.low) / now.counts.length;
  const label = `${what}: ${now.counted.toLocaleString("en")} numbers from ${figure(now.low)} to ${figure(now.high)}; most of them, ${now.counts[fullest].toLocaleString("en")}, are between ${figure(now.low + fullest * width)} and ${figure(now.low + (fullest + 1) * width)}`;
  const drawn = svg("svg", { viewBox: `0 0 ${W} ${H}`, preserveAspectRatio: "none", role: "img", "aria-label": label });
  drawn.append(svg("polygon", { class: "now", points: steps_(now) }));
  earlier.forEach(([h], i) =>
    drawn.append(
      svg("polyline", { class: "earlier", points: steps_(h), opacity: (0.3 + (0.5 * i) / outlines).toFixed(2) }),
    ),
  );
  if (low < 0 && high > 0) drawn.append(svg("line", { class: "zero", x1: x(0), x2: x(0), y1: 0, y2: H }));
  figureBox.append(
    element("figcaption", {}, what),
    drawn,
    element(
      "div",
      { class: "histogram-axis", "aria-hidden": "true" },
      element("span", {}, figure(low)),
      low < 0 && high > 0 ? element("span", { class: "at-zero" }, "0") : "",
      element("span", {}, figure(high)),
    ),
  );
  const zero = figureBox.querySelector(".at-zero");
  if (zero) zero.style.insetInlineStart = `${(100 * x(0)) / W}%`;
  return figureBox;
}
