// Tokens as the panels show them: a token's text made visible, and the small popover with the
// tokens that were likeliest in a place.

import { element } from "./dom.js";

const NAMES = { "\n": "⏎", "\r": "␍", "\t": "⇥", " ": "␣", "\u00a0": "⍽" };
const SPOKEN = { "\n": "new line", "\r": "carriage return", "\t": "tab", " ": "space", "\u00a0": "hard space" };

// A token's text where white space would not be seen; and as a screen reader should say it.
export const visible = (text) => [...text].map((c) => NAMES[c] ?? c).join("") || "∅";
export const spoken = (text) => SPOKEN[text] ?? (text || "nothing yet");

export const percent = (p) =>
  p == null ? "–" : p >= 0.0995 ? `${(100 * p).toFixed(0)} %` : p >= 0.00095 ? `${(100 * p).toFixed(1)} %` : "< 0.1 %";

// "The first 12 tokens are left out: ..." for a prompt that was cut, or "".
export const cutNote = ({ cut, limit }) =>
  cut ? `The first ${cut} tokens are left out: the last ${limit} are shown.` : "";

// One popover for a panel. It stays while the pointer is on what it belongs to, or on itself;
// Escape closes it. What it says is said to screen readers too.
export class Likeliest {
  constructor(parent) {
    this.box = element("div", { class: "likeliest", role: "status", popover: "manual" });
    parent.append(this.box);
    this.owner = null;
    this.box.addEventListener("pointerenter", () => clearTimeout(this.timer));
    this.box.addEventListener("pointerleave", () => this.leave());
    const close = (event) => event.key === "Escape" && this.owner && (this.hide(), event.stopPropagation());
    parent.addEventListener("keydown", close);
    addEventListener("scroll", (event) => this.owner && event.target !== this.box && this.hide(), {
      capture: true,
      passive: true,
    });
  }

  // owner: the element beside which it opens. top: [[text, probability]]. chosen: the text to mark.
  // title, note: sentences.
  show(owner, { title, top, chosen = null, note = "" }) {
    clearTimeout(this.timer);
    this.owner = owner;
    const most = top.length ? Math.max(...top.map(([, p]) => p ?? 0), 1e-9) : 1;
    const rows = top.map(([text, p]) => {
      const bar = element("i");
      bar.style.inlineSize = `${(100 * (p ?? 0)) / most}%`;
      return element(
        "li",
        { class: text === chosen ? "chosen" : "" },
        element("b", { "aria-hidden": "true" }, visible(text)),
        element("span", { class: "sr-only" }, `${spoken(text)} `),
        element("span", { class: "bar-of", "aria-hidden": "true" }, bar),
        element("span", { class: "share" }, percent(p)),
      );
    });
    this.box.replaceChildren(
      element("p", {}, title),
      element("ol", {}, ...rows),
      ...(note ? [element("p", { class: "note" }, note)] : []),
    );
    if (!this.box.matches(":popover-open")) this.box.showPopover?.();
    const place = owner.getClientRects()[0] ?? owner.getBoundingClientRect(),
      { offsetWidth: width, offsetHeight: height } = this.box;
    const below = place.bottom + 6 + height <= innerHeight || place.top < height + 6;
    this.box.style.left = `${Math.max(4, Math.min(place.left, innerWidth - width - 4))}px`;
    this.box.style.top = `${Math.max(4, below ? Math.min(place.bottom + 6, innerHeight - height - 4) : place.top - height - 6)}px`;
  }

  // The pointer left: closes soon, unless it comes back or goes onto the popover.
  leave() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.hide(), 120);
  }

  hide() {
    clearTimeout(this.timer);
    this.owner = null;
    if (this.box.matches(":popover-open")) this.box.hidePopover();
  }
}
