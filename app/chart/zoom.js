// Which steps the chart shows: a drag zooms, Shift and a drag or a wheel that goes sideways moves
// along, Ctrl and the wheel (two fingers on a pad) zooms at the pointer; a double click, 0 or
// Escape shows the whole run. Plus and minus zoom about the step that is read.
//
// All in places of the x axis (axes.js), so a logarithmic axis is zoomed evenly too.

const KEYS = { "+": 0.5, "=": 0.5, "-": 2, _: 2 };
const SMALLEST = 2; // steps in view

export class Zoom {
  constructor(chart) {
    Object.assign(this, { chart, frame: 0 });
  }

  // What uPlot's own listeners are replaced by.
  get bind() {
    return {
      dblclick: () => () => this.chart.zoomTo(null),
      mousedown: (_, __, handler) => (event) => (event.shiftKey ? this.drag(event) : handler(event)),
    };
  }

  // uPlot has a selection: [left, width] in pixels.
  selected(plot) {
    const { left, width } = plot.select;
    if (!width) return;
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    if (width >= 4) this.show(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
  }

  listen(over) {
    over.addEventListener("wheel", (event) => this.wheel(event, over), { passive: false });
    over.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key in KEYS) {
        const { step } = this.chart.readout;
        this.by(KEYS[event.key], step === null ? undefined : this.chart.x.place(step));
      } else if (event.key === "0" || (event.key === "Escape" && this.chart.zoom)) this.chart.zoomTo(null);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  // About a place, or the middle of the view, which stays where it is.
  by(factor, about = (this.chart.edges[0] + this.chart.edges[1]) / 2) {
    const [low, high] = this.chart.edges;
    this.show(about - (about - low) * factor, about + (high - about) * factor);
  }

  // share: of what is in view, to the right.
  along(share) {
    const [low, high] = this.chart.edges,
      end = this.chart.end();
    const by = Math.min(Math.max(share * (high - low), -low), Math.max(0, end - high));
    if (this.chart.zoom && by) this.show(low + by, high + by);
  }

  // So that a step is in view.
  reach(step) {
    const at = this.chart.x.place(step),
      [low, high] = this.chart.edges;
    if (at < low || at > high) this.along((at < low ? at - low : at - high) / (high - low));
  }

  show(low, high) {
    const { chart } = this,
      end = chart.end();
    if (low <= 0 && high >= end) return chart.zoomTo(null);
    const steps = [Math.max(0, low), Math.min(high, end)].map(chart.x.unplace);
    if (steps[1] - steps[0] >= SMALLEST) chart.zoomTo(steps);
  }

  wheel(event, over) {
    const { deltaX, deltaY, shiftKey } = event;
    if (event.ctrlKey) {
      const at = this.chart.plot.posToVal(event.clientX - over.getBoundingClientRect().left, "x");
      this.later(() => this.by(Math.exp(Math.max(-60, Math.min(60, deltaY)) / 150), at));
    } else {
      const sideways = shiftKey && !deltaX ? deltaY : Math.abs(deltaX) > Math.abs(deltaY) ? deltaX : 0;
      if (!sideways || !this.chart.zoom) return; // the page scrolls
      this.later(() => this.along(sideways / over.clientWidth));
    }
    event.preventDefault();
  }

  drag(event) {
    let from = event.clientX;
    const move = ({ clientX }) => {
      const by = from - clientX;
      this.later(() => {
        from -= by;
        this.along(by / this.chart.plot.over.clientWidth);
      });
    };
    addEventListener("mousemove", move);
    addEventListener("mouseup", () => removeEventListener("mousemove", move), { once: true });
  }

  // Once a frame, whatever the number of events.
  later(change) {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(change);
  }
}
