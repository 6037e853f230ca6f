// The pins of the chart: a numbered button under the step where an edit took hold. On hover and
// focus a card has the changed line of code. Pins that would overlap are one, "3–5". They are in
// a strip between the plot and the numbers of its axis, so none covers a curve.

import { element } from "../ui/dom.js";
import { paint } from "./runs.js";

export const STRIP = 20; // px, the height
const WIDTH = 20; // px of a pin, and of each further one that it stands for
const WIDER = 38;

export class Pins {
  constructor(parent) {
    this.layer = parent.appendChild(element("div", { class: "pins" }));
    this.card = parent.appendChild(element("div", { class: "pin-card", hidden: true }));
    this.known = new Map();
  }

  // over: the plot, below which the strip is; place(step): pixels from its left edge.
  show(over, runs, current, place) {
    const width = over.clientWidth,
      top = over.offsetTop + over.clientHeight;
    this.layer.style.cssText = `left: ${over.offsetLeft}px; top: ${top}px; width: ${width}px; height: ${STRIP}px`;
    const all = runs
      .flatMap((run) => run.marks.map((mark, i) => ({ mark, run, number: i + 1, x: place(mark.step) })))
      .filter(({ x }) => x >= -1 && x <= width + 1)
      .sort((a, b) => a.x - b.x);
    const groups = [];
    for (const one of all) {
      const last = groups.at(-1);
      if (last && one.x - last.at(-1).x < (last.length > 1 ? WIDER : WIDTH)) last.push(one);
      else groups.push([one]);
    }
    const keyOf = (group) => group.map(({ run, number }) => `${runs.indexOf(run)}.${number}`).join(" ");
    const present = new Set(groups.map(keyOf));
    for (const [key, pin] of this.known) {
      if (present.has(key)) continue;
      if (this.shown === pin) this.hide(pin);
      pin.remove();
      this.known.delete(key);
    }
    for (const [i, group] of groups.entries()) {
      const key = keyOf(group);
      if (!this.known.has(key)) this.known.set(key, this.pin());
      const pin = this.known.get(key);
      this.fill(pin, group, current);
      // the Tab key follows the steps
      if (pin !== this.layer.children[i]) this.layer.insertBefore(pin, this.layer.children[i] ?? null);
    }
  }

  pin() {
    const pin = element("button", { type: "button" });
    for (const event of ["pointerenter", "focus"]) pin.addEventListener(event, () => this.tell(pin));
    for (const event of ["pointerleave", "blur"]) pin.addEventListener(event, () => this.hide(pin));
    pin.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.card.hidden) return;
      event.stopPropagation();
      this.hide(pin);
    });
    return pin;
  }

  fill(pin, group, current) {
    const [first, last] = [group[0], group.at(-1)];
    const own = group.every(({ run }) => run === first.run);
    const text = group.length === 1 ? String(first.number) : own ? `${first.number}–${last.number}` : "…";
    if (pin.textContent !== text) pin.textContent = text;
    const bad = group.some(({ mark }) => mark.bad),
      earlier = group.every(({ run }) => run !== current);
    pin.className = ["pin", bad && "bad", earlier && "earlier"].filter(Boolean).join(" ");
    pin.group = group;
    pin.ariaLabel = group
      .map(({ mark, run }) => `${run === current ? "" : `${run.name}, `}step ${mark.step}: ${mark.text}`)
      .join("; ");
    pin.style.left = `${(first.x + last.x) / 2}px`;
    paint(pin, first.run);
    if (this.shown === pin) this.tell(pin);
  }

  // Above the strip, as wide as its lines are and the plot allows.
  tell(pin) {
    this.shown = pin;
    const { card, layer } = this;
    card.replaceChildren(
      ...pin.group.map(({ mark, run, number }) =>
        element(
          "div",
          { class: mark.bad ? "bad" : "" },
          element("span", {}, `${number} `, paint(element("i", { class: "line" }), run), `step ${mark.step}`),
          element("code", {}, mark.text),
        ),
      ),
    );
    card.hidden = false;
    const width = Math.min(card.offsetWidth, layer.clientWidth);
    const left = Math.min(Math.max(0, pin.offsetLeft - width / 2), layer.clientWidth - width);
    card.style.left = `${layer.offsetLeft + left}px`;
    card.style.top = `${Math.max(0, layer.offsetTop - card.offsetHeight - 4)}px`;
  }

  hide(pin) {
    if (this.shown !== pin) return;
    this.shown = null;
    this.card.hidden = true;
  }
}
