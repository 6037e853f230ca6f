// Help (F1, or ? in the header): the keys of the page, the tour, all commands, and whether the end
// of a run is notified.

import { dialog } from "../ui/dialog.js";
import { element } from "../ui/dom.js";

const MAC = navigator.platform.startsWith("Mac");
const CTRL = MAC ? "⌘" : "Ctrl+";

const KEYS = [
  [`${CTRL}Enter`, "runs the code; in a run, applies the edit"],
  ["Esc, then Tab", "leaves the editor or the console's entry: Tab alone writes spaces there"],
  [`${CTRL}Shift+P`, "all commands (Firefox keeps this key for a private window: use the button above)"],
  ["F1", "this help"],
  ["← → on a tab", "the next panel or file"],
  ["← → on the chart", "reads the values step by step; + and − zoom, 0 shows the whole run"],
  ["Arrows on a splitter", "resize the parts beside it; a double click puts them back"],
  ["Enter, Shift+Enter", "in the console: runs the entry; a new line"],
  ["↑ ↓, Tab, Ctrl+C", "in the console: earlier entries; completes; stops"],
];

export class Help {
  // button: what opens it. tour, commands: a Tour, the Commands. notice: the EndNotice.
  constructor(button, { tour, commands, notice }) {
    Object.assign(this, { tour, commands, notice });
    button.addEventListener("click", () => this.open());
    document.addEventListener(
      "keydown",
      (event) => {
        if (event.key !== "F1" || event.ctrlKey || event.altKey || event.shiftKey || event.metaKey) return;
        event.preventDefault();
        this.open();
      },
      true,
    );
  }

  build() {
    const close = (then) => () => {
      this.dialog.close();
      then();
    };
    const button = (id, text, then, kind = "") =>
      element("button", { id, type: "button", class: kind, onclick: close(then) }, text);
    const learn = element("a", { href: "app/learn.html", target: "_blank", rel: "noopener" }, "What the numbers mean");
    this.dialog = dialog(
      "help-dialog",
      "Help",
      element("p", {}, "Train a small GPT in this tab. The code in the editor is the training loop, and it is yours."),
      element(
        "p",
        { class: "dialog-buttons" },
        button("tour", "Take the tour", () => this.tour.start(), "primary"),
        button("all-commands", "All commands", () => this.commands.open()),
        learn,
      ),
      element(
        "table",
        { class: "keys" },
        element(
          "tbody",
          {},
          ...KEYS.map(([keys, what]) =>
            element("tr", {}, element("th", { scope: "row" }, element("kbd", {}, keys)), element("td", {}, what)),
          ),
        ),
      ),
      this.notice.choice(),
    );
  }

  open() {
    if (!this.dialog) this.build();
    if (this.dialog.open) this.dialog.close();
    else this.dialog.showModal();
  }
}
