// The page's elements: one function makes those of HTML, one those of SVG.

// element("button", {class: "quiet", type: "button", onclick, "aria-label": "Close"}, "×", ...):
// children are nodes or text. A name is a property of the node, but for class, data ({name: value}
// of the dataset), and the attributes role, for and aria-*.
export const element = (tag, properties = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") made.className = value;
    else if (name.startsWith("aria-") || name === "role" || name === "for") made.setAttribute(name, value);
    else if (name === "data") Object.assign(made.dataset, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
};

// svg("line", {x1: 0, ...}, ...): all names are attributes.
export const svg = (tag, attributes, ...children) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
};
