// The texts that a run writes while it trains, token by token, each under its step, and what its
// code displays (app/rich/).

import { rich } from "../rich/rich.js";
import { element } from "../ui/dom.js";

const KEEP = 20_000, // characters kept on the page
  DISPLAYS = 12; // HTML and pictures

export class Samples {
  constructor(pre) {
    this.pre = pre;
    this.follows = true; // the end of the samples, unless the reader has gone back in them
    let top = 0;
    pre.addEventListener(
      "scroll",
      () => {
        if (pre.scrollHeight - pre.scrollTop - pre.clientHeight < 40) this.follows = true;
        else if (pre.scrollTop < top) this.follows = false;
        top = pre.scrollTop;
      },
      { passive: true },
    );
  }

  // All samples as one text, without what was displayed.
  get text() {
    const texts = [...this.pre.childNodes].filter((node) => node.className !== "sample-display");
    return texts.map((node) => node.textContent).join("");
  }

  set text(text) {
    this.pre.textContent = text;
  }

  clear() {
    this.pre.replaceChildren();
  }

  start(step) {
    const { pre } = this;
    this.node = element("span");
    pre.append(element("span", { class: "sample-head" }, `step ${step.toLocaleString("en")}\n`), this.node);
    while (pre.textContent.length > KEEP && pre.childElementCount > 2) pre.firstElementChild.remove();
  }

  // HTML or a picture: a checked record of app/rich/rich.js.
  show(record) {
    const { pre } = this;
    const head = element("span", { class: "sample-head" }, `step ${record.step.toLocaleString("en")}\n`);
    pre.append(element("div", { class: "sample-display" }, head, rich(record)));
    const shown = pre.querySelectorAll(".sample-display");
    if (shown.length > DISPLAYS) shown[0].remove();
    this.scrollSoon();
  }

  add(text) {
    this.node?.append(text);
    this.scrollSoon();
  }

  scrollSoon() {
    if (this.follows) this.scrolling ??= requestAnimationFrame(() => this.scroll());
  }

  // Once a frame: asking for the height after every token would lay the page out for each.
  scroll() {
    this.scrolling = null;
    const { pre } = this;
    pre.scrollTop = pre.scrollHeight;
  }

  end() {
    this.node?.append("\n\n");
    this.node?.normalize(); // one node for the text, not one a token
    this.node = null;
  }
}
