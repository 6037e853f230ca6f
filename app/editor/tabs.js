// The files as a tablist: arrow keys, Home and End move between them; a dot says that a file
// differs from the code that runs.

import { element } from "../ui/dom.js";
import { moveByKeys } from "../ui/tab_keys.js";

export class Tabs {
  // panel: the element that the tabs control. choose(name) is called for a tab that the user takes,
  // close(name) for one that they close.
  constructor(parent, panel, { choose, close }) {
    this.panel = panel;
    this.choose = choose;
    this.close = close;
    this.tabs = new Map();
    this.last = 0; // number of a file of the visitor
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

  // A file of the visitor: it can be closed.
  insert(name) {
    const tab = this.add(name, `tab-other-${++this.last}`, name.slice(name.lastIndexOf("/") + 1));
    tab.append(element("span", { class: "close-file", title: `Close ${name} (Delete)`, "aria-hidden": "true" }, "×"));
    tab.title = tab.dataset.title = name;
    tab.addEventListener("click", (event) => event.target.closest(".close-file") && this.close(name));
    tab.addEventListener("auxclick", ({ button }) => button === 1 && this.close(name));
    tab.addEventListener("keydown", ({ key }) => key === "Delete" && this.close(name));
    tab.tabIndex = -1;
    tab.setAttribute("aria-selected", "false");
    this.tabs.set(name, tab);
  }

  remove(name) {
    this.tabs.get(name)?.remove();
    this.tabs.delete(name);
  }

  add(name, id = "tab-" + name.replace(/\W/g, "-"), title = name) {
    const tab = element(
      "button",
      { type: "button", id, data: { file: name }, role: "tab", "aria-controls": this.panel.id },
      title,
      element("i"),
      element("span", { class: "hidden-words" }),
    );
    tab.addEventListener("click", ({ target }) => target.closest(".close-file") ?? this.choose(name));
    return this.list.appendChild(tab);
  }

  select(name) {
    for (const [other, tab] of this.tabs) {
      tab.setAttribute("aria-selected", String(other === name));
      tab.tabIndex = other === name ? 0 : -1;
      if (other !== name) continue;
      this.panel.setAttribute("aria-labelledby", tab.id);
      const { offsetLeft: left, offsetWidth: width } = tab,
        { list } = this;
      const begin = left - list.offsetLeft; // the page does not move, only the list
      list.scrollLeft = Math.max(begin + width - list.clientWidth, Math.min(list.scrollLeft, begin));
    }
  }

  mark(name, changed) {
    const tab = this.tabs.get(name);
    if (!tab || tab.classList.contains("changed") === changed) return;
    tab.classList.toggle("changed", changed);
    tab.title = changed ? `${name}: edited, differs from the running code` : (tab.dataset.title ?? "");
    tab.querySelector(".hidden-words").textContent = changed ? ", edited" : "";
  }
}
