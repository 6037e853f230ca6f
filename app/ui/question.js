// A question before something is lost or takes long, in a bar of the page: what will happen, the
// button that does it, and one that does not.
//
//   new Question(before)       the bar's place: before this element
//   ask(sentence, yes, no)     promise of whether `yes` was pressed; Escape is `no`; null where the
//                              question was withdrawn, as by the next one
//   withdraw()                 the question has become idle

import { element } from "./dom.js";

export class Question {
  constructor(before) {
    this.text = element("p", { id: "question-text" });
    this.yes = element("button", { type: "button", class: "primary" });
    this.no = element("button", { type: "button" });
    this.bar = element(
      "section",
      { id: "question", hidden: true, role: "alertdialog", "aria-labelledby": "question-text" },
      this.text,
      element("div", { class: "question-buttons" }, this.yes, this.no),
    );
    this.yes.addEventListener("click", () => this.answer(true));
    this.no.addEventListener("click", () => this.answer(false));
    this.bar.addEventListener("keydown", ({ key }) => key === "Escape" && this.answer(false));
    before.before(this.bar);
  }

  ask(sentence, yes, no = "Cancel") {
    this.withdraw();
    this.from = document.activeElement;
    [this.text.textContent, this.yes.textContent, this.no.textContent] = [sentence, yes, no];
    this.bar.hidden = false;
    this.no.focus();
    this.bar.scrollIntoView({ block: "nearest" });
    return new Promise((resolve) => (this.resolve = resolve));
  }

  withdraw() {
    this.answer(null);
  }

  answer(said) {
    const { resolve, bar } = this;
    if (!resolve) return;
    this.resolve = null;
    const focused = bar.contains(document.activeElement);
    bar.hidden = true;
    if (focused && this.from?.isConnected) this.from.focus({ preventScroll: true });
    resolve(said);
  }
}
