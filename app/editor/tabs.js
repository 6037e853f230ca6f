// The files as a tablist: arrow keys, Home and End move between them; a dot says that a file
// differs from the code that runs.

import { element } from "../ui/dom.js";
import { moveByKeys } from "../ui/tab_keys.js";

export class Tabs {
  // panel: the element that the tabs control. choose(name) is called for a tab that the user takes.
  constructor(parent, panel, choose) {
    this.panel = panel;
    this.choose = choose;
    this.tabs = new Map();
    this.list = parent.appendChild(element("div", { class: "tabs", role: "tablist", "aria-label": "Files" }));
    moveByKeys(this.list, (tab) => this.choose(tab.dataset.file, { keepFocus: true }));
    panel.setAttribute("role", "tabpanel");
    panel.id ||= "editor-file";
  }

  // names: in order; the first of them is chosen where `shown` is none of them.
  show(names, shown) {
    this.list.replaceChildren();
    this.tabs = new Map(names.map((name) => [name, this.add(name)]));
    this.select(shown);
  }

  add(name) {
    const id = "tab-" + name.replace(/\W/g, "-");
    const tab = element(
      "button",
      { type: "button", id, data: { file: name }, role: "tab", "aria-controls": this.panel.id },
      name,
      element("i"),
      element("span", { class: "hidden-words" }),
    );
    tab.addEventListener("click", () => this.choose(name));
    return this.list.appendChild(tab);
  }

  select(name) {
    for (const [other, tab] of this.tabs) {
      tab.setAttribute("aria-selected", String(other === name));
      tab.tabIndex = other === name ? 0 : -1;
      if (other === name) this.panel.setAttribute("aria-labelledby", tab.id);
    }
  }

  mark(name, changed) {
    const tab = this.tabs.get(name);
    if (!tab || tab.classList.contains("changed") === changed) return;
    tab.classList.toggle("changed", changed);
    tab.title = changed ? `${name}: edited, differs from the running code` : "";
    tab.querySelector(".hidden-words").textContent = changed ? ", edited" : "";
  }
}
