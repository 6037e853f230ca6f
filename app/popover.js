// A text or a panel in place, behind a button.

// Shown below its button, or above it where there is no room below; the browser closes it on Escape and on a click elsewhere.
export function popover(button, tag, className) {
  const node = document.createElement(tag);
  Object.assign(node, { className, popover: "auto" });
  button.popoverTargetElement = node;
  node.addEventListener("toggle", ({ newState }) => {
    if (newState !== "open") return;
    const at = button.getBoundingClientRect(), { offsetWidth: width, offsetHeight: height } = node;
    const below = at.bottom + 6 + height <= innerHeight || at.top < height + 6;
    node.style.left = `${Math.max(8, Math.min(at.left, innerWidth - width - 8))}px`;
    node.style.top = `${below ? at.bottom + 6 : at.top - height - 6}px`;
  });
  return node;
}
