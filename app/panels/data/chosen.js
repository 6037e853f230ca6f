// A text that is here: how long it is, how it is split, whether it is enough for the model of the
// next run, and how it begins.
//
//   new Chosen({session, settings, texts, served, titles, judged, remove})
//   open(name)   shows that text; draw() the same again, after an input changed

import { judge } from "../../data/corpus_check.js";
import { describeSource } from "../../data/own_texts.js";
import { characters } from "../../data/text_file.js";
import { element } from "../../ui/dom.js";
import { bytes, sentence, withoutEnd } from "../../ui/format.js";

const EXCERPT = 1200; // bytes

const count = (number) => number.toLocaleString("en");

export class Chosen {
  constructor({ session, settings, texts, served, titles, judged, remove }) {
    Object.assign(this, { session, settings, texts, served, titles, judged, name: null });
    this.tokenizer = { kind: "bytes", vocab_size: 256 };
    this.fetched = new Map(); // name -> promise of what the site serves: {blob, characters, bytes}
    this.facts = element("dl", { class: "data-facts" });
    this.warning = element("p", { class: "data-warning", role: "status", hidden: true });
    this.notes = element("p", { class: "data-notes" });
    this.title = element("h3", {});
    this.removal = element("button", { type: "button", onclick: () => remove(this.name) }, "Remove");
    this.excerpt = element("pre", { class: "data-excerpt", tabIndex: 0, "aria-label": "How the text begins" });
    this.root = element(
      "div",
      { class: "data-chosen" },
      element("div", { class: "data-head" }, this.title, this.removal),
      this.warning,
      this.facts,
      this.notes,
      this.excerpt,
    );
    // What the site serves is fetched when somebody looks.
    new ResizeObserver(() => this.seen && this.name && !this.text?.blob && this.open(this.name)).observe(this.root);
    session.addEventListener("training", ({ detail }) =>
      detail.forEach((message) => message.type === "start" && this.started(message)),
    );
    session.addEventListener(
      "state",
      ({ detail: { state } }) => state === "booting" && this.tokens({ kind: "bytes", vocab_size: 256 }),
    );
  }

  get seen() {
    return this.root.getClientRects().length > 0;
  }

  async open(name) {
    this.name = name;
    const served = this.served.find((one) => one.name === name);
    this.text = this.texts.get(name) ?? (served?.file ? { bytes: served.bytes, characters: null, blob: null } : null);
    this.excerpt.textContent = "";
    this.draw();
    if (!this.text?.blob && !this.seen) return;
    try {
      const text = this.texts.get(name) ?? (await this.load(name));
      if (this.name !== name) return;
      this.text = text;
      this.draw();
      if (text.characters === null) text.characters = characters(new Uint8Array(await text.blob.arrayBuffer()));
      const begins = await text.blob.slice(0, EXCERPT).text();
      if (this.name !== name) return;
      this.excerpt.textContent = withoutEnd(begins, "\ufffd") + (text.bytes > EXCERPT ? " …" : "");
      this.draw();
    } catch (error) {
      if (this.name !== name) return;
      this.excerpt.textContent = "";
      this.warning.hidden = false;
      this.warning.className = "data-warning bad";
      this.warning.textContent = error.message;
    }
  }

  // A text of the site.
  load(name) {
    if (!this.fetched.has(name)) {
      const file = this.served.find((one) => one.name === name)?.file;
      this.fetched.set(name, file ? fetched(file) : Promise.reject(new Error(missing(name))));
      this.fetched.get(name).catch(() => this.fetched.delete(name));
    }
    return this.fetched.get(name);
  }

  draw() {
    const { name, text } = this,
      own = this.texts.get(name);
    this.title.textContent = this.titles[name]?.[0] ?? name ?? "";
    this.removal.hidden = !own;
    if (!text) {
      this.facts.replaceChildren();
      this.notes.textContent = "";
      this.warning.hidden = true;
      return;
    }
    const chars = this.tokenizer.kind === "chars";
    const tokens = chars ? text.characters : text.bytes;
    const notes = [
      this.titles[name] && `${this.titles[name][1]}.`,
      own && describeSource(own.source) && sentence(describeSource(own.source)),
      ...(own?.notes ?? []),
      own && own.kept !== true && own.kept,
    ];
    this.notes.textContent = notes.filter(Boolean).join(" ");
    const rows = [
      ["Characters", text.characters === null ? "–" : count(text.characters)],
      ["Size", text.bytes < 1000 ? `${text.bytes} bytes` : bytes(text.bytes), `${count(text.bytes)} bytes`],
    ];
    if (tokens !== null) {
      const { model, steps, batch } = this.settings.next(),
        verdict = this.verdict(tokens);
      rows.push(
        [
          "Tokens",
          count(tokens),
          chars
            ? "The current run's tokenizer: one token a character"
            : "The byte tokenizer: one token a byte of UTF-8",
        ],
        ["Train", count(verdict.train), "The first 90 % of the tokens"],
        ["Validation", count(verdict.validation), "The last 10 %, never trained on"],
        [
          "Epochs",
          `about ${amount(verdict.passes)}`,
          `How often the next run reads each training token, on average: ${count(steps)} steps × batch ${count(batch)} × context ${count(model.context)} tokens`,
        ],
      );
      this.warning.textContent = verdict.stop ?? verdict.warning ?? "";
      this.warning.className = verdict.stop ? "data-warning bad" : "data-warning";
      this.warning.hidden = !this.warning.textContent;
      this.judged({ name, ...verdict });
    }
    this.facts.replaceChildren(
      ...rows.map(([term, value, title = ""]) =>
        element("div", { title }, element("dt", {}, term), element("dd", {}, value)),
      ),
    );
  }

  verdict(tokens) {
    const { model, ...run } = this.settings.next();
    return judge({ tokens, model: { ...model, vocab_size: this.tokenizer.vocab_size }, ...run });
  }

  // Why no run can begin with the text of this name, or null: also where it is not known.
  tooShort(name) {
    const text = this.texts.get(name) ?? this.served.find((one) => one.name === name);
    const tokens = this.tokenizer.kind === "chars" ? text?.characters : text?.bytes;
    return tokens == null ? null : this.verdict(tokens).stop;
  }

  // ---- the tokenizer of what runs ----

  started({ vocab_size }) {
    if (vocab_size === 256) this.tokens({ kind: "bytes", vocab_size });
    else
      this.session.request("tokenizer").then(
        (found) => this.tokens(found),
        () => {},
      );
  }

  tokens(found) {
    if (found.kind === this.tokenizer.kind && found.vocab_size === this.tokenizer.vocab_size) return;
    this.tokenizer = found;
    this.draw();
  }
}

const amount = (times) =>
  times < 0.995 ? times.toPrecision(2) : times < 9.95 ? times.toFixed(1) : count(Math.round(times));

async function fetched(file) {
  const answer = await fetch("public/corpora/" + file);
  if (!answer.ok) throw new Error(`The text could not be fetched (${answer.status}): reload the page.`);
  const blob = await answer.blob();
  return { blob, bytes: blob.size, characters: characters(new Uint8Array(await blob.arrayBuffer())) };
}

const missing = (name) => `This site does not have the text ${name}: a run uses Python's standard library instead.`;
