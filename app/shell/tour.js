// A short tour of the page: one card after another beside the part it explains. Nothing is blocked
// meanwhile; Escape or "Skip" ends it. It starts when somebody asks for it, never by itself.

import { element } from "../ui/dom.js";

// [the part, or several of which the first in sight is shown; a title; a text]
const STOPS = [
  [
    "#editor",
    "This is the whole training loop",
    "Python, running in this tab. It makes a small GPT, reads a batch of text, measures how wrong the model's guesses are (the loss) and improves its weights, step after step. Nothing is sent to a server.",
  ],
  [
    "#settings",
    "What a run starts with",
    "A size of model (preset), how many steps, the learning rate, the text to learn from. Only the settings you change override train.py.",
  ],
  [
    "#run",
    "Run it",
    "Run starts from new weights. Pause, Step and Resume act between two steps; Stop ends Python at once. The trained model is kept until you press Reset.",
  ],
  [
    "#apply, #run", // on a phone the first is hidden without an edit
    "Edit it while it trains",
    "Change a line and press Apply: the next step runs your code with the same weights. A numbered pin under the chart marks the place. If your code fails, the run continues with the previous code.",
  ],
  [
    "#chart, #welcome", // before a run the first is hidden
    "See it learn",
    "The line is the loss on the text it trains on, the dots on text it never trains on. The dashed line is random guessing; lower is better. Earlier runs stay on the chart, each in its colour.",
  ],
  [
    "#numbers",
    "Each number explains itself",
    "Click an underlined word to see what it means. Bits per byte is how many yes-or-no questions it would still take to name the next letter.",
  ],
  [
    "#panel-tabs",
    "Read samples, generate text, look inside",
    "Samples appear while it trains. Generate continues your prompt and shows the alternatives for each letter. Look inside shows what each attention head attends to and what each layer would predict.",
  ],
  [
    "#console",
    "The same Python",
    "While a model trains, an entry is answered between two steps. The names model, optimizer, data, run and loss are those of the run: try model, or tinygpt.profile().",
  ],
];
const GAP = 10; // px between the card and what it explains

export class Tour {
  constructor() {
    this.at = -1;
    addEventListener("resize", () => this.place());
    addEventListener("scroll", () => this.place(), true);
  }

  start() {
    this.from = document.activeElement;
    if (!this.card) this.build();
    this.go(0);
  }

  build() {
    this.title = element("h2", { id: "tour-title" });
    this.text = element("p");
    this.count = element("span", { class: "tour-count" });
    this.back = element("button", { type: "button", textContent: "Back", onclick: () => this.go(this.at - 1) });
    this.next = element("button", { type: "button", class: "primary", onclick: () => this.go(this.at + 1) });
    this.leave = element("button", { type: "button", class: "quiet", textContent: "Skip", onclick: () => this.end() });
    const row = element("div", { class: "tour-row" }, this.count, this.leave, this.back, this.next);
    this.card = element(
      "section",
      { id: "tour-card", tabIndex: -1, "aria-labelledby": "tour-title" },
      this.title,
      this.text,
      row,
    );
    this.card.addEventListener("keydown", (event) => event.key === "Escape" && this.end());
    document.body.append(this.card);
  }

  go(at) {
    this.shown?.classList.remove("toured");
    if (at >= STOPS.length) return this.end();
    this.at = at;
    const [selector, title, text] = STOPS[at];
    const parts = selector.split(", ").map((one) => document.querySelector(one));
    this.shown = parts.find((part) => part.getClientRects().length) ?? parts[0];
    this.shown.classList.add("toured");
    this.shown.scrollIntoView({ block: "nearest" });
    this.title.textContent = title;
    this.text.textContent = text;
    this.count.textContent = `${at + 1} of ${STOPS.length}`;
    this.back.disabled = at === 0;
    this.next.textContent = at === STOPS.length - 1 ? "Done" : "Next";
    this.card.hidden = false;
    this.place();
    this.card.focus();
  }

  end() {
    this.shown?.classList.remove("toured");
    this.at = -1;
    this.card.hidden = true;
    if (this.from?.isConnected) this.from.focus({ preventScroll: true });
  }

  // Beside the part, where there is room: right, left, below, above; else at the window's lower
  // edge. Of a row of buttons all stay in sight.
  place() {
    if (this.at < 0) return;
    const part = (this.shown.closest(".bar") ?? this.shown).getBoundingClientRect(),
      card = this.card.getBoundingClientRect();
    const clamp = (value, most) => Math.max(GAP, Math.min(value, most));
    const y = clamp(part.top, innerHeight - card.height - GAP),
      x = clamp(part.left, innerWidth - card.width - GAP);
    const places = [
      [part.right + GAP, y],
      [part.left - card.width - GAP, y],
      [x, part.bottom + GAP],
      [x, part.top - card.height - GAP],
      [x, innerHeight - card.height - GAP],
    ];
    const fits = ([left, top]) =>
      left >= 0 && top >= 0 && left + card.width <= innerWidth && top + card.height <= innerHeight;
    const [left, top] = places.find(fits) ?? places.at(-1);
    Object.assign(this.card.style, { left: `${left}px`, top: `${top}px` });
  }
}
