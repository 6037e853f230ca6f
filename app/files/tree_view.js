// The tree as a list of rows (role "tree"): arrow keys, Home and End move, Right and Left open and
// close a folder, Enter opens a file, F2 renames, Delete deletes.

import { element } from "../ui/dom.js";
import { baseOf, sizeText } from "./paths.js";

export class TreeView {
  // actions: open(path), rename(path), remove(path), select(path or null).
  constructor({ tree, actions }) {
    this.tree = tree;
    this.actions = actions;
    this.closed = new Set(); // folders
    this.selected = null;
    this.shown = null; // the file that the editor shows
    this.marked = null; // the program
    this.list = element("ul", { class: "files-tree", role: "tree", "aria-label": "Your files" });
    this.list.addEventListener("click", ({ target }) => {
      const row = target.closest("li");
      if (row) this.press(row.dataset.path);
    });
    this.list.addEventListener("keydown", (event) => this.key(event));
    this.list.addEventListener("focusin", ({ target }) => this.select(target.closest("li")?.dataset.path ?? null));
  }

  // Rows: {path, name, level, folder, open}.
  get rows() {
    const rows = [],
      seen = new Set();
    for (const path of this.tree.paths) {
      const parts = path.split("/");
      let hidden = false;
      for (let i = 1; i < parts.length && !hidden; i++) {
        const folder = parts.slice(0, i).join("/");
        const open = !this.closed.has(folder);
        if (!seen.has(folder)) rows.push({ path: folder, level: i, folder: true, open });
        seen.add(folder);
        hidden = !open;
      }
      if (!hidden) rows.push({ path, level: parts.length, folder: false });
    }
    return rows;
  }

  draw() {
    const { rows } = this,
      focused = this.list.contains(document.activeElement);
    if (!rows.some(({ path }) => path === this.selected)) this.select(null);
    const first = this.selected ?? rows[0]?.path;
    this.list.replaceChildren(...rows.map((row) => this.row(row, row.path === first)));
    if (focused) this.focus();
  }

  row({ path, level, folder, open }, tabStop) {
    const entry = this.tree.entries.get(path);
    const state = {
      role: "treeitem",
      "aria-level": String(level),
      "aria-selected": String(path === this.selected),
      ...(folder && { "aria-expanded": String(open) }),
      ...(path === this.shown && { "aria-current": "true" }),
    };
    const kept = entry && entry.kept !== true ? ` ${entry.kept}` : "";
    const row = element(
      "li",
      {
        ...state,
        tabIndex: tabStop ? 0 : -1,
        title: path + (entry ? `, ${sizeText(entry.blob.size)}.` : "") + kept,
        data: { path },
      },
      element("i", { "aria-hidden": "true" }, folder ? (open ? "▾" : "▸") : path === this.marked ? "▶" : ""),
      element("span", {}, baseOf(path)),
    );
    row.style.setProperty("--level", level);
    if (path === this.marked) row.append(element("span", { class: "hidden-words" }, ", the program"));
    if (entry) row.append(element("small", {}, entry.kept === true ? sizeText(entry.blob.size) : "not kept"));
    return row;
  }

  press(path) {
    this.select(path);
    this.focus();
    if (this.tree.entries.has(path)) this.actions.open(path);
    else this.toggle(path, this.closed.has(path));
  }

  toggle(path, open) {
    if (open) this.closed.delete(path);
    else this.closed.add(path);
    this.draw();
  }

  key(event) {
    const { rows } = this,
      at = rows.findIndex(({ path }) => path === this.selected);
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const { path, folder, open } = rows[at];
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (to !== undefined) this.go(rows[Math.max(0, Math.min(rows.length - 1, to))].path);
    else if (event.key === "ArrowRight" && folder) open ? this.go(rows[at + 1].path) : this.toggle(path, true);
    else if (event.key === "ArrowLeft" && folder && open) this.toggle(path, false);
    else if (event.key === "ArrowLeft" && path.includes("/")) this.go(path.slice(0, path.lastIndexOf("/")));
    else if (event.key === "Enter" || event.key === " ") this.press(path);
    else if (event.key === "F2") this.actions.rename(path);
    else if (event.key === "Delete") this.actions.remove(path);
    else return;
    event.preventDefault();
  }

  go(path) {
    this.select(path);
    this.focus();
  }

  focus() {
    [...this.list.children].find((row) => row.dataset.path === this.selected)?.focus();
  }

  select(path) {
    if (path === this.selected) return;
    this.selected = path;
    for (const row of this.list.children) {
      const here = row.dataset.path === path;
      row.setAttribute("aria-selected", String(here));
      row.tabIndex = here ? 0 : -1;
    }
    this.actions.select(path);
  }
}
