// Sentences at the inputs that they are about: what is wrong with a value, or when it applies.
//
//   note(input, text, {bad})   the sentence of this input from now on, in a line under its row
//                              (its nearest parent with data-notes) or under its label; null: none.
//                              bad: the value is wrong, and the input says so too (aria-invalid)

import { element } from "./dom.js";

export function note(input, text, { bad = false } = {}) {
  const id = `${input.id}-note`;
  if (bad && text) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
  let said = document.getElementById(id);
  if (!text) {
    input.removeAttribute("aria-describedby");
    said?.remove();
    return;
  }
  if (!said) lineOf(input).append((said = element("span", { id })));
  said.className = bad ? "bad" : "";
  if (said.textContent !== text) said.textContent = text;
  input.setAttribute("aria-describedby", id);
}

function lineOf(input) {
  const label = input.closest("label"),
    row = label.closest("[data-notes]");
  const before = row ? row.lastElementChild : label.nextElementSibling;
  if (before?.classList.contains("field-notes")) return before;
  const line = element("p", { class: "field-notes", role: "status" });
  if (row) row.append(line);
  else label.after(line);
  return line;
}
