// The panels at the lower right: one tab each, of which one is shown.

import { moveByKeys } from "./tab_keys.js";

export class PanelTabs {
  constructor(list, parent) {
    Object.assign(this, { list, parent, panels: new Map(), current: null });
    list.setAttribute("role", "tablist");
    moveByKeys(list);
  }

  // make(element): the panel, which fills the element.
  add(name, title, make) {
    const tab = this.list.appendChild(document.createElement("button"));
    Object.assign(tab, { type: "button", id: "tab-" + name, textContent: title, className: "tab" });
    const element = document.getElementById(name) ?? this.parent.appendChild(Object.assign(document.createElement("div"), { id: name }));
    for (const [key, value] of Object.entries({ role: "tab", "aria-controls": name })) tab.setAttribute(key, value);
    element.setAttribute("role", "tabpanel");
    element.setAttribute("aria-labelledby", tab.id);
    element.classList.add("panel");
    this.panels.set(name, { tab, element });
    tab.addEventListener("click", () => this.show(name));
    this.draw();
    return make(element);
  }

  show(name) {
    this.current = name;
    this.draw();
  }

  draw() {
    this.current ??= this.panels.keys().next().value;
    for (const [name, { tab, element }] of this.panels) {
      tab.setAttribute("aria-selected", String(name === this.current));
      tab.tabIndex = name === this.current ? 0 : -1;
      element.hidden = name !== this.current;
    }
  }
}
