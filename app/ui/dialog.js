// A dialog over the page: Escape, the × or a click beside it closes it, and the focus goes back.
// Nothing important is only here.

import { element } from "./dom.js";

export function dialog(id, title, ...children) {
  const close = element("button", { type: "button", class: "quiet", "aria-label": "Close", title: "Close" }, "×");
  const node = element(
    "dialog",
    { id, "aria-labelledby": `${id}-title` },
    element("div", { class: "dialog-head" }, element("h2", { id: `${id}-title` }, title), close),
    ...children,
  );
  close.addEventListener("click", () => node.close());
  node.addEventListener("pointerdown", ({ target }) => target === node && node.close());
  document.body.append(node);
  return node;
}
