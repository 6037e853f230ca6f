// The logit lens as a table: a column a token of the prompt, a row a layer; in each cell the token
// that this layer would say next, the darker the surer it is. Pointing at a cell, or going there
// with the arrow keys, shows its five likeliest.

import { element } from "../../ui/dom.js";
import { cutNote, percent, spoken, visible } from "../../ui/tokens.js";

const TOP = 5;

export class LensView {
  constructor(parent, { likeliest }) {
    this.likeliest = likeliest;
    this.at = [0, 0]; // the cell that Tab goes to: row from the top, position
    this.note = element("p", { class: "lens-note" });
    this.table = element("table", {
      class: "lens-table",
      role: "grid",
      "aria-label": "What each layer would predict after each token of the prompt",
    });
    this.scroll = element("div", { class: "lens-scroll" }, this.table);
    this.more = element("p", { class: "lens-more", hidden: true });
    parent.append(this.note, this.more, this.scroll);
    this.scroll.addEventListener("scroll", () => this.countMore(), { passive: true });
    new ResizeObserver(() => this.countMore()).observe(this.scroll);
    this.table.addEventListener("pointerover", ({ target }) => this.explain(target.closest("td")));
    this.table.addEventListener("pointerleave", () => this.likeliest.leave());
    this.table.addEventListener("focusin", ({ target }) => this.explain(target.closest("td")));
    this.table.addEventListener("focusout", () => this.likeliest.hide());
    this.table.addEventListener("keydown", (event) => this.key(event));
  }

  async ask(session, prompt) {
    const facts = await session.request("inspect_lens", { prompt, top: TOP });
    this.facts = facts;
    this.draw();
    return facts;
  }

  draw() {
    const { tokens, layers, rows } = this.facts,
      focused = this.table.contains(document.activeElement);
    this.likeliest.hide();
    this.cells = [];
    const last = layers.length - 1;
    const body = layers
      .map((_, i) => last - i)
      .map((layer, i) => {
        this.cells[i] = rows[layer].map((place, position) => {
          const [text, p] = place[0],
            hit = text === tokens[position + 1];
          const cell = element(
            "td",
            { tabIndex: -1, class: hit ? "hit" : "", data: { layer, position } },
            visible(text),
          );
          cell.setAttribute("aria-label", `${spoken(text)} ${percent(p)}${hit ? ", correct" : ""}`);
          cell.style.setProperty("--share", `${Math.round(80 * (p ?? 0))}%`);
          return cell;
        });
        return element(
          "tr",
          {},
          element(
            "th",
            { scope: "row" },
            layer === last && layers.length > 1 ? `${layers[layer]} (output)` : layers[layer],
          ),
          ...this.cells[i],
        );
      });
    this.table.replaceChildren(
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          element("th", { scope: "row" }, "after"),
          ...tokens.map((text) => {
            const head = element("th", { scope: "col", title: spoken(text) }, visible(text));
            head.setAttribute("aria-label", spoken(text));
            return head;
          }),
        ),
      ),
      element("tbody", {}, ...body),
    );
    this.at = [Math.min(this.at[0], last), Math.min(this.at[1], tokens.length - 1)];
    this.cells[this.at[0]][this.at[1]].tabIndex = 0;
    if (focused) this.cells[this.at[0]][this.at[1]].focus({ preventScroll: true });
    const hits = rows[last].filter((place, position) => place[0][0] === tokens[position + 1]).length;
    this.note.textContent = [
      cutNote(this.facts),
      `Each row shows a layer's best guess of the next token. Darker is more confident; underlined is correct. The top row is the output: ${hits} of ${Math.max(0, tokens.length - 1)} correct.`,
    ]
      .filter(Boolean)
      .join(" ");
    this.countMore();
  }

  // Says how many columns are beyond the right edge.
  countMore() {
    const end = this.scroll.scrollLeft + this.scroll.clientWidth;
    const heads = [...this.table.querySelectorAll("thead th[scope=col]")];
    const beyond = heads.filter((head) => head.offsetLeft + head.offsetWidth > end + 1).length;
    this.scroll.classList.toggle("more", beyond > 0);
    this.more.hidden = beyond === 0;
    this.more.textContent = `${beyond === 1 ? "1 more column" : `${beyond} more columns`} to the right: scroll, or use the arrow keys.`;
  }

  key(event) {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    const ends = { Home: 0, End: this.facts?.tokens.length - 1 }[event.key];
    if (!this.facts || (!step && ends === undefined)) return;
    event.preventDefault();
    const [row, position] = this.at,
      bounded = (x, n) => Math.max(0, Math.min(x, n - 1));
    this.cells[row][position].tabIndex = -1;
    this.at = [
      bounded(row + (step?.[0] ?? 0), this.cells.length),
      bounded(ends ?? position + step[1], this.facts.tokens.length),
    ];
    const cell = this.cells[this.at[0]][this.at[1]];
    cell.tabIndex = 0;
    cell.focus();
  }

  explain(cell) {
    if (!cell) return;
    const { layer, position } = cell.dataset,
      { rows, layers, tokens } = this.facts;
    this.likeliest.show(cell, {
      title: `${layers[layer]}, after “${spoken(tokens[position])}” (${Number(position) + 1})`,
      top: rows[layer][position],
      chosen: tokens[Number(position) + 1] ?? null,
      note: position < tokens.length - 1 ? `The prompt continues with ${visible(tokens[Number(position) + 1])}` : "",
    });
  }
}
