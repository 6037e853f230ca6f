// The panels at the lower right: one tab each, of which one is shown.

import { element } from "../ui/dom.js";
import { moveByKeys } from "../ui/tab_keys.js";

export class PanelTabs {
  constructor(list, parent) {
    Object.assign(this, { list, parent, panels: new Map(), current: null });
    list.setAttribute("role", "tablist");
    moveByKeys(list);
  }

  // make(element): the panel, which fills the element.
  add(name, title, make) {
    const tab = element(
      "button",
      { type: "button", id: "tab-" + name, class: "tab", role: "tab", "aria-controls": name },
      title,
    );
    this.list.append(tab);
    const panel = document.getElementById(name) ?? this.parent.appendChild(element("div", { id: name }));
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    panel.classList.add("panel");
    this.panels.set(name, { tab, panel });
    tab.addEventListener("click", () => this.show(name));
    this.draw();
    return make(panel);
  }

  show(name) {
    this.current = name;
    this.draw();
  }

  // Shows the panel, and brings it into sight where the page is longer than the window.
  reveal(name) {
    this.show(name);
    afterLayout(() => {
      const { top, bottom } = this.parent.getBoundingClientRect();
      const dock = document.getElementById("dock"),
        covered = getComputedStyle(dock).position === "fixed" ? dock.offsetHeight : 0; // on a phone
      if (top < 0 || bottom > innerHeight - covered) this.list.scrollIntoView({ block: "start" });
    });
  }

  draw() {
    this.current ??= this.panels.keys().next().value;
    for (const [name, { tab, panel }] of this.panels) {
      tab.setAttribute("aria-selected", String(name === this.current));
      tab.tabIndex = name === this.current ? 0 : -1;
      panel.hidden = name !== this.current;
    }
  }
}

// When what has changed meanwhile has been drawn.
const afterLayout = (act) => requestAnimationFrame(() => requestAnimationFrame(act));
