// A text or a panel in place, behind a button.

import { element } from "./dom.js";

// Shown below its button, or above it where there is no room below; the browser closes it on Escape
// and on a click elsewhere. It is placed before it shows ("toggle" comes after a frame may have
// been drawn), laid out for a moment to have a size.
export function popover(button, tag, className) {
  const node = element(tag, { class: className, popover: "auto" });
  button.popoverTargetElement = node;
  node.addEventListener("beforetoggle", ({ newState }) => {
    if (newState !== "open") return;
    Object.assign(node.style, { display: "block", left: "0" }); // where nothing makes it narrower
    const at = button.getBoundingClientRect(),
      { offsetWidth: width, offsetHeight: height } = node;
    const below = at.bottom + 6 + height <= innerHeight || at.top < height + 6;
    Object.assign(node.style, {
      display: "",
      left: `${Math.max(8, Math.min(at.left, innerWidth - width - 8))}px`,
      top: `${below ? at.bottom + 6 : at.top - height - 6}px`,
    });
  });
  return node;
}
