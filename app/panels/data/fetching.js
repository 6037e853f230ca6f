// A public dataset to load: of the catalogue, or any other by its name. Which part of it, how much,
// progress, and what to do when it fails.
//
//   new Fetching({entry, server, changed, others, done})
//
// entry: of public/datasets.json, or null for a name to be typed. changed(): loading began or
// ended. others(): the other panes, of which one may be loading. done(blob, {name, source, notes}):
// takes the text; throws the sentence why it cannot.

import { Loading } from "../../data/huggingface.js";
import { element } from "../../ui/dom.js";
import { bytes, duration } from "../../ui/format.js";

const LIMITS = [1, 5, 20, 100],
  USUAL = 5; // MB
const SEPARATORS = [
  ["\n\n", "a blank line"],
  ["\n", "a new line"],
  ["", "nothing"],
];
// columns that are usually meant
const LIKELY = ["text", "content", "article", "document", "body", "story", "lyrics", "abstract"];
const REDRAW = 250; // ms between two drawings of progress

const count = (number) => number.toLocaleString("en");

export class Fetching {
  constructor({ entry, server, changed, others, done }) {
    Object.assign(this, { entry, server, changed, others, done, loading: null, drawn: 0 });
    this.build();
    if (entry) for (const name of ["config", "split", "column"]) options(this[name], [entry[name]]);
    else for (const name of ["config", "split", "column"]) options(this[name], []);
    this.buttons();
  }

  build() {
    const { entry } = this;
    const field = (label, input) => element("label", {}, label, input);
    this.id = element("input", {
      type: "text",
      value: entry?.dataset ?? "",
      placeholder: "owner/name",
      spellcheck: false,
      autocapitalize: "none",
      autocomplete: "off",
    });
    for (const name of ["config", "split", "column"]) this[name] = element("select", {});
    this.limit = element(
      "select",
      {},
      ...LIMITS.map((mb) => new Option(`${mb} MB`, String(mb * 1e6), false, mb === USUAL)),
    );
    this.separator = element(
      "select",
      {},
      ...SEPARATORS.map(([value, label]) => new Option(label, value, false, value === (entry?.separator ?? "\n\n"))),
    );
    this.find = element(
      "button",
      {
        type: "button",
        title: "Requests the subsets and columns of the dataset from the server",
        onclick: () => this.look(),
      },
      entry ? "Other subsets" : "Find",
    );
    this.start = element("button", { type: "submit", class: "primary" }, "Load");
    this.end = element("button", { type: "button", onclick: () => this.cancel() }, "Cancel");
    this.goOn = element("button", { type: "button", onclick: () => this.go() }, "Continue");
    this.keep = element("button", { type: "button", onclick: () => this.finish() }, "Keep");
    this.drop = element("button", { type: "button", onclick: () => this.forget() }, "Discard");
    this.bar = element("progress", { max: 1, value: 0, "aria-label": "Loading" });
    this.count = element("p", { class: "data-count" });
    this.status = element("p", { class: "data-status", role: "status" });
    this.error = element("p", { class: "data-error", role: "alert", hidden: true });
    const head = entry
      ? [element("h3", {}, entry.title), element("p", { class: "data-notes" }, ...this.facts(entry))]
      : [
          element("h3", {}, "Any other dataset"),
          element(
            "p",
            { class: "data-notes" },
            "A public dataset of text by its name on Hugging Face, such as roneneldan/TinyStories. Press Find to see its subsets.",
          ),
        ];
    this.fields = element(
      "div",
      { class: "data-fields" },
      ...(entry ? [] : [element("label", { class: "wide" }, "Dataset", this.id)]),
      field("Config", this.config),
      field("Split", this.split),
      field("Column", this.column),
      field("Download limit", this.limit),
      field("Row separator", this.separator),
    );
    this.root = element(
      "form",
      { class: "data-fetch", noValidate: true },
      ...head,
      this.error,
      this.fields,
      this.bar,
      this.count,
      this.status,
      element("div", { class: "data-actions" }, this.find, this.start, this.end, this.goOn, this.keep, this.drop),
    );
    this.root.addEventListener("submit", (event) => (event.preventDefault(), this.submitted()));
    this.id.addEventListener("input", () => {
      for (const name of ["config", "split", "column"]) options(this[name], []);
      this.buttons();
    });
    this.config.addEventListener("change", () => this.chooseConfig(this.config.value));
    this.split.addEventListener("change", () => this.lookForColumns());
  }

  facts({ about, dataset, licence, size }) {
    const link = element(
      "a",
      { href: `https://huggingface.co/datasets/${dataset}`, target: "_blank", rel: "noopener noreferrer" },
      dataset,
    );
    return [`${about}. `, link, `, ${size} in all${licence ? `, ${licence}` : ", licence: see that page"}.`];
  }

  get place() {
    return { dataset: this.id.value.trim(), config: this.config.value, split: this.split.value };
  }

  submitted() {
    if (!this.column.value) this.look();
    else if (!this.loading) this.load();
  }

  // ---- which parts there are ----

  async look() {
    const { dataset } = this.place;
    if (!/^[\w.-]+(\/[\w.-]+)?$/.test(dataset)) {
      return this.say(
        dataset
          ? `“${dataset.slice(0, 80)}” is not the name of a dataset: give owner/name, such as roneneldan/TinyStories.`
          : "Give the name of a dataset, owner/name.",
      );
    }
    await this.asking(async (signal) => {
      this.parts = await this.server.splits(dataset, { signal });
      const configs = [...new Set(this.parts.map(({ config }) => config))];
      options(
        this.config,
        configs,
        configs.includes(this.config.value) ? this.config.value : configs.find((name) => name === "default"),
      );
      await this.chooseConfig(this.config.value);
    });
  }

  async chooseConfig(config) {
    const own = (this.parts ?? []).filter((part) => part.config === config).map(({ split }) => split);
    if (!own.length) return;
    options(this.split, own, own.includes(this.split.value) ? this.split.value : own.find((name) => name === "train"));
    await this.lookForColumns();
  }

  lookForColumns() {
    if (!this.parts) return null;
    return this.asking(async (signal) => {
      const { text } = await this.server.columns(this.place, { signal });
      if (!text.length)
        throw new Error(`${this.place.dataset} has no column with text: choose another config or dataset.`);
      options(
        this.column,
        text,
        text.includes(this.column.value) ? this.column.value : LIKELY.find((name) => text.includes(name)),
      );
    });
  }

  async asking(ask) {
    this.say("");
    this.status.textContent = `Contacting ${this.server.name}`;
    this.lookup?.abort();
    const lookup = new AbortController();
    this.lookup = lookup;
    this.buttons();
    try {
      await ask(lookup.signal);
    } catch (error) {
      if (!lookup.signal.aborted) this.say(error.message);
    }
    if (this.lookup !== lookup) return; // a later question took its place
    this.lookup = null;
    this.status.textContent = "";
    this.buttons();
  }

  cancel() {
    if (this.loading) this.loading.cancel();
    else this.lookup?.abort();
  }

  // ---- loading ----

  async load() {
    const busy = this.others().find((pane) => pane.loading?.running);
    if (busy) return this.say(`${busy.place.dataset} is loading: wait until it is done, or cancel it.`);
    const { place, column, separator, limit } = this;
    this.loading = new Loading({
      server: this.server,
      ...place,
      column: column.value,
      separator: separator.value,
      limit: Number(limit.value),
      progress: (_, wait) => this.progress(wait),
    });
    await this.go();
  }

  async go() {
    const { loading } = this;
    [this.began, this.beganAt] = [performance.now(), loading.bytes];
    this.say("");
    const end = loading.run();
    this.changed();
    this.buttons();
    this.progress("");
    try {
      await end;
      await this.finish();
    } catch (error) {
      this.failed(error);
    }
    this.changed();
  }

  failed(error) {
    const { loading } = this;
    this.drawn = 0;
    this.progress("");
    this.status.textContent = "";
    if (error.columns?.length)
      options(
        this.column,
        error.columns,
        LIKELY.find((name) => error.columns.includes(name)),
      );
    if (error.splits) {
      this.parts = error.splits;
      const configs = [...new Set(this.parts.map(({ config }) => config))];
      options(this.config, configs, configs.includes(this.config.value) ? this.config.value : undefined);
      this.chooseConfig(this.config.value);
    }
    if (error.kind === "cancelled")
      this.say(
        loading?.bytes
          ? `Cancelled after ${count(loading.rows)} rows: keep them, continue, or discard them.`
          : "Cancelled before any text arrived.",
      );
    else this.say(error.message);
    if (!loading?.bytes) this.loading = null;
    this.buttons();
  }

  async finish() {
    const { loading } = this,
      { place, column } = loading;
    const [, between] = SEPARATORS.find(([value]) => value === loading.separator);
    const notes = [`${count(loading.rows)} of ${count(loading.total)} rows, with ${between} between them.`];
    if (loading.empty) notes.push(`${count(loading.empty)} rows had no text.`);
    if (loading.cut) notes.push(`${count(loading.cut)} long cells were shortened by the server.`);
    if (loading.shortened) notes.push(`${count(loading.shortened)} cells were cut off after 10 million characters.`);
    if (loading.atLastPage) notes.push(loading.lastPage);
    if (loading.partial) notes.push("The server has only the first part of this dataset.");
    try {
      await this.done(loading.blob(), {
        name: this.entry?.title ?? place.dataset.split("/").at(-1),
        source: { kind: "dataset", ...place, column },
        notes,
      });
      this.forget();
    } catch (error) {
      this.failed(error);
    }
  }

  forget() {
    this.loading = null;
    this.say("");
    this.drawn = 0;
    this.progress("");
    this.buttons();
    this.changed();
  }

  // ---- what is seen ----

  progress(wait) {
    const { loading } = this;
    if (!loading) return void (this.bar.hidden = this.count.hidden = true);
    this.bar.hidden = this.count.hidden = false;
    if (wait || this.waited) this.status.textContent = wait;
    this.waited = wait;
    clearTimeout(this.soon);
    const rest = REDRAW - (performance.now() - this.drawn);
    if (rest > 0 && !wait && !loading.complete)
      return void (this.soon = setTimeout(() => this.progress(this.waited), rest));
    this.drawn = performance.now();
    const { rows, total, bytes: came, limit } = loading;
    this.bar.value = Math.max(came / limit, total ? rows / total : 0);
    const speed = (came - this.beganAt) / (performance.now() - this.began); // bytes/ms
    const per = rows ? came / rows : 0,
      ahead = Math.min(limit - came, total === null ? limit : (total - rows) * per);
    const left =
      loading.running && speed > 0 && performance.now() - this.began > 1000
        ? `about ${duration(ahead / speed / 1000)} left`
        : "";
    this.count.textContent = [
      total === null ? "Waiting for the first rows" : `${count(rows)} of ${count(total)} rows`,
      `${bytes(came)} of at most ${bytes(limit)}`,
      left,
    ]
      .filter(Boolean)
      .join(" · ");
  }

  say(text) {
    this.error.textContent = text;
    this.error.hidden = !text;
  }

  buttons() {
    const { loading } = this,
      running = Boolean(loading?.running),
      rest = Boolean(loading && !running);
    const show = (button, on) => {
      if (!on && document.activeElement === button) this.focusNext = true;
      button.hidden = !on;
    };
    this.focusNext = false;
    show(this.start, !loading);
    show(this.find, !loading);
    show(this.end, running || Boolean(this.lookup));
    show(this.goOn, rest && !loading.complete);
    show(this.keep, rest);
    show(this.drop, rest);
    this.keep.textContent = rest ? `Keep ${bytes(loading.bytes)}` : "";
    this.start.disabled = !this.column.value;
    this.fields.hidden = Boolean(loading); // they say what was asked for; what matters now is how far it is
    if (this.focusNext)
      // a hidden button cannot keep it
      [this.end, this.goOn, this.keep, this.start].find((button) => !button.hidden && !button.disabled)?.focus();
    if (!loading) this.bar.hidden = this.count.hidden = true;
  }
}

function options(select, names, chosen = names[0]) {
  select.replaceChildren(...names.map((name) => new Option(name, name)));
  if (chosen !== undefined) select.value = chosen;
}
