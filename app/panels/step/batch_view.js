// The first rows of a batch as text: each token is shaded by the model's loss on it, and the token
// that is pointed at, or chosen with the arrow keys, says its loss and the model's own guess.
//
//   new BatchView(parent)
//   show({rows, batch, problem})    of the answer to "step_ahead"; null: nothing

import { element } from "../../ui/dom.js";
import { spoken, visible } from "../../ui/tokens.js";

const RANDOM = 5.545; // nats: ln 256, the loss of random guessing among bytes
const HINT = "Hover over a letter, or use the arrow keys, to see its loss and the model's guess.";

export class BatchView {
  constructor(parent) {
    this.title = element("p", { class: "step-title" });
    this.rows = element("div", {
      class: "step-rows",
      tabIndex: 0,
      role: "group",
      "aria-label": "The batch. The arrow keys move from letter to letter.",
    });
    this.said = element("p", { class: "step-said", role: "status" });
    parent.append(this.title, this.rows, this.said);
    this.tokens = []; // [row][place] = span
    this.at = null;
    this.rows.addEventListener("pointerover", ({ target }) => target.dataset.at && this.choose(placeOf(target)));
    this.rows.addEventListener("click", ({ target }) => target.dataset.at && this.choose(placeOf(target)));
    this.rows.addEventListener("keydown", (event) => this.key(event));
    this.rows.addEventListener("focus", () => this.at ?? this.choose([0, 0]));
  }

  show(facts) {
    this.facts = facts;
    this.at = null;
    this.said.textContent = facts?.rows ? HINT : "";
    this.title.textContent = facts?.rows
      ? `${facts.rows.length} of ${facts.batch} rows of the batch. Darker: a higher loss.`
      : (facts?.problem ?? "");
    this.rows.hidden = !facts?.rows;
    this.tokens = (facts?.rows ?? []).map(({ guesses }, row) => guesses.map((guess, at) => token(guess, row, at)));
    this.rows.replaceChildren(
      ...this.tokens.map((tokens, row) =>
        element("p", {}, element("span", { class: "given" }, visible(facts.rows[row].first)), ...tokens),
      ),
    );
  }

  key(event) {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step || !this.tokens.length) return;
    event.preventDefault();
    const [row, at] = this.at ?? [0, -1];
    const to = Math.max(0, Math.min(this.tokens.length - 1, row + step[0]));
    this.choose([to, Math.max(0, Math.min(this.tokens[to].length - 1, at + step[1]))]);
  }

  choose([row, at]) {
    const span = this.tokens[row]?.[at];
    if (!span) return;
    if (this.at) this.tokens[this.at[0]][this.at[1]].classList.remove("chosen");
    this.at = [row, at];
    span.classList.add("chosen");
    const [text, loss, guess, probability] = this.facts.rows[row].guesses[at];
    const own = loss === null ? "its loss is not finite" : `loss ${loss.toFixed(2)} (${chance(Math.exp(-loss))})`;
    this.said.replaceChildren(
      named(text),
      `: ${own}. The model's guess: `,
      named(guess),
      probability === null ? "." : ` (${chance(probability)}).`,
    );
  }
}

const placeOf = ({ dataset }) => dataset.at.split(" ").map(Number);

function token([text, loss], row, at) {
  const span = element("span", { data: { at: `${row} ${at}` } }, visible(text));
  const share = loss === null ? 1 : Math.min(1, loss / RANDOM);
  span.style.setProperty("--share", `${Math.round(70 * share)}%`);
  return span;
}

const chance = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;

const named = (text) =>
  element(
    "span",
    {},
    element("b", { "aria-hidden": "true" }, visible(text)),
    element("span", { class: "sr-only" }, spoken(text)),
  );
