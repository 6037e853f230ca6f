// The Data panel: what the next run learns from. At the left every source, at the right the chosen
// one: a text that is here (data/chosen.js), a public dataset to load (data/fetching.js), or a text
// to paste.
//
//   new DataPanel(parent, {session, settings, texts, server, catalogue, corpora, show, warn})
//
// texts: OwnTexts. server: HuggingFace. catalogue: public/datasets.json. corpora: [{name, file,
// bytes, edition}] that the site serves. `edition` is a title, where set-up could have the plays in
// another edition alone. show(): brings this panel to the front. warn(sentence or null): tells
// where it is seen that a run cannot work, or that it can again. A text that is chosen here becomes
// the Corpus of the settings, and the other way round. A file dropped anywhere on the page is
// added.

import { element } from "../../ui/dom.js";
import { Chosen } from "./chosen.js";
import { Fetching } from "./fetching.js";
import { Pasting } from "./pasting.js";

const SERVED = {
  // what the site itself serves, and what it is
  shakespeare: ["TinyShakespeare", "A million characters from Shakespeare's plays"],
  stdlib: ["Python's standard library", "Its source code: built in, needs no network"],
};
const MODEL_FILE = /\.(tinygpt|safetensors)$/i; // dropped on the page, it is not a text

export class DataPanel {
  constructor(parent, { session, settings, texts, server, catalogue, corpora, show, warn }) {
    Object.assign(this, { settings, texts, catalogue, show, warn, stopTold: null });
    this.served = ["shakespeare", "stdlib"].map((name) => ({ name, ...corpora.find((one) => one.name === name) }));
    this.titles = Object.fromEntries(
      this.served.map(({ name, edition }) => [name, [edition ?? SERVED[name][0], SERVED[name][1]]]),
    );
    this.panes = new Map(); // key -> Fetching, kept while its dataset is being loaded
    this.server = server;
    this.chosen = new Chosen({
      session,
      settings,
      texts,
      served: this.served,
      titles: this.titles,
      judged: (verdict) => this.judged(verdict),
      remove: (name) => this.remove(name),
    });
    this.pasting = new Pasting({ add: (blob, about) => this.add(blob, about) });
    this.build(parent);
    this.corpus = document.getElementById("setting-corpus");
    for (const type of ["input", "change"])
      document.getElementById("settings").addEventListener(type, () => this.follow());
    settings.tooShort = () => this.chosen.tooShort(this.corpus.value);
    texts.addEventListener("change", () => this.offer());
    this.offer();
    this.open(this.corpus.value);
    this.listenForFiles();
  }

  build(parent) {
    this.list = element("nav", { class: "data-list", "aria-label": "Sources of text" });
    this.list.addEventListener("keydown", (event) => this.key(event));
    this.file = element("input", { type: "file", multiple: true, hidden: true, id: "data-file" });
    this.file.addEventListener("change", () => this.addFiles([...this.file.files]).then(() => (this.file.value = "")));
    this.error = element("p", { class: "data-error", role: "alert", hidden: true });
    this.detail = element("div", { class: "data-detail" });
    const choose = element("button", { type: "button", onclick: () => this.file.click() }, "Choose a file");
    const paste = element(
      "button",
      { type: "button", onclick: () => (this.view("paste", this.pasting.root), this.pasting.text.focus()) },
      "Paste",
    );
    const add = element(
      "div",
      { class: "data-add" },
      choose,
      paste,
      element("span", {}, "or drop one on the page"),
      this.file,
    );
    this.root = element(
      "div",
      { class: "data" },
      element("div", { class: "data-side" }, add, this.list),
      element(
        "div",
        { class: "data-main", role: "region", tabIndex: 0, "aria-label": "The chosen text" },
        this.error,
        this.detail,
      ),
    );
    parent.append(this.root);
  }

  // ---- the list ----

  offer() {
    const own = [...this.texts.texts.keys()].reverse();
    this.settings.offerCorpora([...this.served.filter(({ file }) => file).map(({ name }) => name), ...own]);
    const genres = [...new Set(this.catalogue.map(({ genre }) => genre))];
    const group = (title, rows) => element("section", {}, element("h3", {}, title), ...rows);
    this.list.replaceChildren(
      group(
        "Built in",
        this.served.map(({ name }) => this.row(name, this.titles[name][0], () => this.take(name))),
      ),
      ...(own.length
        ? [
            group(
              "Your texts",
              own.map((name) => this.row(name, name, () => this.take(name))),
            ),
          ]
        : []),
      ...genres.map((genre) =>
        group(
          genre,
          this.catalogue
            .filter((one) => one.genre === genre)
            .map((entry) => this.row(keyOf(entry), entry.title, () => this.fetching(keyOf(entry), entry), entry.about)),
        ),
      ),
      group("Elsewhere", [
        this.row("any", "Any other dataset", () => this.fetching("any", null), "By its name on Hugging Face"),
      ]),
    );
    this.mark();
  }

  row(key, title, press, about = "") {
    return element(
      "button",
      {
        type: "button",
        class: "data-row",
        tabIndex: -1,
        title: about,
        data: { key },
        onclick: () => (this.say(""), press()),
      },
      element("span", {}, title),
      element("small", {}),
    );
  }

  // Shows which row is open, and which text the next run learns from.
  mark() {
    const rows = [...this.list.querySelectorAll(".data-row")];
    for (const row of rows) {
      const { key } = row.dataset;
      row.setAttribute("aria-current", String(key === this.openKey));
      const loading = this.panes.get(key)?.loading?.running;
      row.querySelector("small").textContent = key === this.corpus?.value ? "next run" : loading ? "loading" : "";
    }
    const tab = rows.find((row) => row.dataset.key === this.openKey) ?? rows[0];
    for (const row of rows) row.tabIndex = row === tab ? 0 : -1;
  }

  key(event) {
    const rows = [...this.list.querySelectorAll(".data-row")],
      at = rows.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    rows[Math.max(0, Math.min(to, rows.length - 1))].focus();
  }

  // ---- what is open ----

  view(key, root) {
    this.openKey = key;
    this.detail.replaceChildren(root);
    this.detail.parentElement.scrollTop = 0;
    this.mark();
    const row = this.list.querySelector("[aria-current=true]"),
      { scrollTop: from, clientHeight: high } = this.list;
    if (row && (row.offsetTop < from || row.offsetTop + row.offsetHeight > from + high))
      this.list.scrollTop = row.offsetTop - high / 3;
  }

  open(name) {
    this.chosen.open(name);
    this.view(name, this.chosen.root);
  }

  // The next run learns from it.
  take(name) {
    this.settings.choose("corpus", name);
    this.open(name);
  }

  // An input changed: perhaps the corpus, surely what the facts say.
  follow() {
    if (this.chosen.name !== this.corpus.value) {
      this.chosen.open(this.corpus.value);
      if (this.detail.firstChild === this.chosen.root) this.view(this.corpus.value, this.chosen.root);
      else this.mark();
    } else this.chosen.draw();
  }

  // A run that cannot work is told at once, wherever the user looks.
  judged({ name, stop }) {
    if (name !== this.corpus?.value) return;
    this.settings.showText();
    if (stop === this.stopTold) return;
    this.stopTold = stop;
    this.warn(stop);
  }

  fetching(key, entry) {
    let pane = this.panes.get(key);
    if (!pane) {
      pane = new Fetching({
        entry,
        server: this.server,
        changed: () => this.mark(),
        others: () => [...this.panes.values()].filter((one) => one !== pane),
        done: (blob, about) => this.add(blob, about, { open: this.openKey === key }),
      });
      this.panes.set(key, pane);
    }
    this.view(key, pane.root);
  }

  // ---- the user's own ----

  // Adds a text and lets the next run learn from it; throws the sentence why it is none.
  async add(blob, about, { open = true } = {}) {
    const entry = await this.texts.add(blob, about);
    this.settings.choose("corpus", entry.name);
    if (open) this.open(entry.name);
    return entry;
  }

  async addFiles(files) {
    this.say("");
    const problems = [];
    for (const file of files) {
      try {
        await this.add(file, {
          name: withoutEnding(file.name),
          source: { kind: "file", file: file.name },
        });
      } catch (error) {
        problems.push(error.message);
      }
    }
    this.say(problems.join(" "));
  }

  async remove(name) {
    await this.texts.remove(name);
    this.open(this.corpus.value);
  }

  say(text) {
    this.error.textContent = text;
    this.error.hidden = !text;
  }

  // ---- files dropped on the page ----

  listenForFiles() {
    const texts = (event) => event.dataTransfer?.types.includes("Files");
    const over = (event) => {
      if (!texts(event)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      document.body.dataset.dropping = "";
      clearTimeout(this.left);
      // dragover comes again and again while files are above the page
      this.left = setTimeout(() => delete document.body.dataset.dropping, 300);
    };
    // Before the editor sees it, which would put the file's text into the code.
    addEventListener("dragover", over, true);
    addEventListener(
      "drop",
      (event) => {
        const files = [...(event.dataTransfer?.files ?? [])].filter(({ name }) => !MODEL_FILE.test(name));
        if (!texts(event) || !files.length) return;
        event.preventDefault();
        event.stopPropagation();
        this.show();
        this.addFiles(files);
      },
      true,
    );
  }
}

// "a.b.txt" as "a.b"; a name that only begins with a dot stays.
function withoutEnding(name) {
  const dot = name.lastIndexOf(".");
  return dot > 0 ? name.slice(0, dot) : name;
}

const keyOf = ({ dataset, config, column }) => `${dataset}/${config}/${column}`;
