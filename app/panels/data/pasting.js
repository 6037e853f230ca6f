// A text pasted or typed into the Data panel, and its name.

import { element } from "../../ui/dom.js";

export class Pasting {
  // add(blob, {name, source}): takes the text, or throws the sentence why it cannot.
  constructor({ add }) {
    this.add = add;
    this.name = element("input", {
      type: "text",
      maxLength: 40,
      value: "pasted",
      autocomplete: "off",
      spellcheck: false,
    });
    this.text = element("textarea", { rows: 6, spellcheck: false, placeholder: "Paste or type the text here" });
    this.error = element("p", { class: "data-error", role: "alert", hidden: true });
    this.root = element(
      "form",
      { class: "data-paste" },
      element("label", {}, "Text", this.text),
      element("label", {}, "Name", this.name),
      element(
        "div",
        { class: "data-actions" },
        element(
          "button",
          { type: "submit", class: "primary", "aria-label": "Use this text: learn from this in the next run" },
          "Use this text",
        ),
      ),
      this.error,
    );
    this.text.addEventListener("input", () => (this.error.hidden = true));
    this.root.addEventListener("submit", (event) => (event.preventDefault(), this.submit()));
  }

  async submit() {
    const { name, text, error } = this;
    try {
      if (!text.value.trim()) throw new Error("There is no text yet: paste some above.");
      await this.add(new Blob([text.value]), { name: name.value.trim() || "pasted", source: { kind: "paste" } });
      text.value = "";
      error.hidden = true;
    } catch (problem) {
      error.textContent = problem.message;
      error.hidden = false;
    }
  }
}
