// The command palette (Ctrl+Shift+P): every action of the page by name. Actions are the page's own
// buttons, tabs and links, found when it opens, so that a new one is here without a line of code;
// and a few that have no button.
//
//   new Commands([{title, run}])    open()

import { dialog } from "../ui/dialog.js";
import { element } from "../ui/dom.js";

const ACTIONS = "button, [role=tab], summary, a[href]";
const LEFT_OUT = "dialog, .what-text, .cm-editor, .splitter, #question, .runs-popover, [aria-hidden=true]";

export class Commands {
  constructor(more = []) {
    this.more = more;
    document.addEventListener(
      "keydown",
      (event) => {
        if (!(event.ctrlKey || event.metaKey) || !event.shiftKey || event.key.toLowerCase() !== "p") return;
        event.preventDefault();
        event.stopPropagation();
        this.open();
      },
      true,
    );
  }

  build() {
    this.input = element("input", {
      type: "text",
      placeholder: "What do you want to do?",
      role: "combobox",
      "aria-expanded": "true",
      "aria-controls": "command-list",
      "aria-label": "Command",
      autocomplete: "off",
      spellcheck: false,
    });
    this.list = element("ul", { id: "command-list", role: "listbox", "aria-label": "Commands" });
    this.dialog = dialog("commands", "Commands", this.input, this.list);
    this.input.addEventListener("input", () => this.show());
    this.dialog.addEventListener("keydown", (event) => this.key(event));
    this.list.addEventListener("click", ({ target }) => this.take(target.closest("li")));
  }

  open() {
    if (!this.dialog) this.build();
    if (this.dialog.open) return this.dialog.close();
    this.found = [...this.more, ...actions()];
    this.input.value = "";
    this.dialog.showModal();
    this.show();
    this.input.focus();
  }

  // The commands whose names hold every word that was typed, those first that begin with them.
  show() {
    const typed = this.input.value.trim().toLowerCase(),
      words = typed.split(/\s+/);
    const named = this.found.filter(({ title }) => words.every((word) => title.toLowerCase().includes(word)));
    const first = ({ title, disabled }) => (disabled ? 2 : 0) + (name(title).startsWith(typed) ? 0 : 1);
    this.shown = named.sort((a, b) => first(a) - first(b));
    this.list.replaceChildren(
      ...this.shown.map(({ title, keys = "", disabled = false }, i) => {
        const row = element(
          "li",
          { id: `command-${i}`, role: "option", "aria-disabled": String(disabled) },
          element("span", {}, title),
          element("kbd", {}, disabled ? "not now" : keys),
        );
        row.setAttribute("aria-selected", "false");
        return row;
      }),
    );
    if (!this.shown.length) this.list.append(element("li", { class: "none", role: "option" }, "No such command."));
    this.mark(0);
  }

  mark(at) {
    this.at = Math.max(0, Math.min(at, this.shown.length - 1));
    for (const [i, row] of [...this.list.children].entries()) row.setAttribute("aria-selected", String(i === this.at));
    const row = this.list.children[this.at];
    if (row) this.input.setAttribute("aria-activedescendant", row.id);
    row?.scrollIntoView({ block: "nearest" });
  }

  key(event) {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (by) this.mark(this.at + by);
    else if (event.key === "Enter") this.take(this.list.children[this.at]);
    else return;
    event.preventDefault();
  }

  take(row) {
    const command = this.shown[[...this.list.children].indexOf(row)];
    if (!command || command.disabled) return;
    this.dialog.close();
    command.run();
  }
}

// What can be pressed and is in sight, or would be, were the page longer: "Code: Run".
function actions() {
  const seen = new Set();
  return [...document.querySelectorAll(ACTIONS)]
    .filter((node) => node.checkVisibility?.() !== false && !node.closest(LEFT_OUT))
    .map((node) => {
      const section = node.closest("[aria-label]:is(section, nav, .bar), header")?.getAttribute("aria-label");
      const where = section && section !== labelled(node) ? `${section}: ` : "";
      const keys = { run: "Ctrl+Enter", apply: "Ctrl+Enter", help: "F1" }[node.id];
      const run = () => {
        node.focus();
        node.click();
      };
      return { title: where + labelled(node), keys, disabled: node.disabled === true, run };
    })
    .filter(({ title }) => name(title) && !seen.has(title) && seen.add(title));
}

const labelled = (node) => (node.getAttribute("aria-label") ?? node.textContent).trim().replace(/\s+/g, " ");
const name = (title) => title.replace(/^[^:]*: /, "").toLowerCase();
