// The flags of the chart: a line at the step where an edit took hold, the changed line of code
// beside it, cut where there is no room and whole on hover and focus. Those of earlier runs are
// short. They lie over uPlot's plot as buttons, so the keyboard reaches them.

import { element } from "../ui/dom.js";

const LANE = 26; // px, the height of a row of texts; half of the plot may be taken by them
const WIDEST = 220; // px of text
const ENOUGH = 90; // with less the other side is tried
const NARROWEST = 40; // less shows only the flag

export class Flags {
  constructor(parent) {
    this.layer = parent.appendChild(element("div", { class: "flags" }));
  }

  // over: the element that the layer covers; place(step): pixels from its left edge.
  show(over, runs, current, place) {
    const width = over.clientWidth;
    Object.assign(this.layer.style, {
      left: `${over.offsetLeft}px`,
      top: `${over.offsetTop}px`,
      width: `${width}px`,
      height: `${over.clientHeight}px`,
    });
    const all = runs.flatMap((run) => run.marks.map((mark) => ({ mark, run, x: place(mark.step) })));
    const inside = all.filter(({ x }) => x >= -1 && x <= width + 1).sort((a, b) => b.x - a.x);
    const known = new Map([...this.layer.children].map((flag) => [flag.mark, flag]));
    for (const { mark } of inside) if (!known.has(mark)) known.set(mark, this.add(mark));
    const present = new Set(inside.map(({ mark }) => mark));
    for (const [mark, flag] of known) if (!present.has(mark)) flag.remove();
    // where each lane is taken from: the latest flags choose first
    const free = Array(Math.max(1, Math.min(3, Math.floor(over.clientHeight / 2 / LANE)))).fill(width);
    for (const { mark, run, x } of inside) {
      const flag = known.get(mark),
        button = flag.firstChild,
        mine = run === current;
      // To the right of its line where a lane has room up to the next flag, else to the left where
      // one is free, else without text.
      const lane = free.indexOf(Math.max(...free)),
        right = Math.min(free[lane] - x - 4, WIDEST);
      const left = right < ENOUGH && x > width / 2 ? Math.min(x, WIDEST) : 0;
      const room = mine && x <= free[lane] ? left || right : 0,
        text = room >= NARROWEST;
      flag.className = ["flag", mark.bad && "bad", !mine && "earlier", text && left && "left", !text && "short"]
        .filter(Boolean)
        .join(" ");
      flag.style.cssText = `left: ${x}px; --lane: ${lane}; --room: ${Math.floor(room)}px`;
      button.ariaLabel = `${mine ? "" : run.name + ", "}step ${mark.step}: ${mark.text}`;
      if (text) free[lane] = left ? x - button.offsetWidth - 4 : x;
    }
  }

  add(mark) {
    return this.layer.appendChild(
      element("div", { mark }, element("button", { type: "button" }, element("code", {}, mark.text))),
    );
  }
}
