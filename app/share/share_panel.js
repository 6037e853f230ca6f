// Share, and what a link brings: its code goes into the editor and its settings into the inputs,
// and a bar above the code says so. Nothing of it runs before the user presses Run (or Apply, while
// a run is under way): until then no other button begins or goes on with a run (controls.held).

import { element } from "../ui/dom.js";
import { decoded, encoded, OFTEN_CUT, SHARED } from "./link.js";

export const HELD = "This code came with the link. Nothing has run: read it, then press Run.";
// SECURITY.md has the same sentences; tests/security/test_takeover.py tries each.
const CODE_CAN =
  "Once it runs, code can read your texts in Data, read and change this tab's run and its save, and send what it reads anywhere. It cannot reach other saved runs, this page's program or files on your computer.";
const FAR = 160; // characters in a line beyond which its end is out of sight

export class Sharing {
  // shipped: {name: text}. corpora: names of the texts that every copy of the page has.
  // status(text, kind): the status line. around(fragment, put): calls put(), which puts a link's
  // contents into the page.
  constructor({ editor, settings, controls, training, status, shipped, corpora, around }) {
    Object.assign(this, { editor, settings, controls, training, status, shipped, corpora, around });
    this.text = element("p");
    this.field = element("input", { readOnly: true, hidden: true, ariaLabel: "The link" });
    this.buttons = element("div", { class: "link-buttons" });
    this.bar = element(
      "section",
      { id: "link-bar", hidden: true, "aria-label": "Link" },
      this.text,
      this.field,
      this.buttons,
    );
    this.text.setAttribute("role", "status");
    document.getElementById("editor").before(this.bar);
    const title =
      "Copies a link with this code and these settings. Whoever opens it sees the code; nothing runs until they press Run.";
    editor.bar.append(
      element("button", { id: "share", type: "button", textContent: "Share", title, onclick: () => this.copy() }),
    );
    controls.addEventListener(
      "taken",
      () =>
        this.files && this.show(`${listed(this.files)} came with a link.`, this.ways(["Close", () => this.close()])),
    );
    addEventListener("hashchange", () => this.open(location.hash));
  }

  // ---- a link from here ----

  // The address with what differs from the shipped page.
  async link({ title } = {}) {
    const { files } = this.editor,
      { settings } = this;
    const values = {
      ...settings.values(),
      preset: settings.preset,
      seed: settings.value("seed"),
    };
    if (values.corpus !== undefined && !this.corpora.includes(values.corpus)) delete values.corpus;
    const { run } = this.training.state();
    title ??= /^run \d+/.test(run ?? "run 1") ? "" : run;
    const changed = Object.entries(files).filter(
      ([name, text]) => Object.hasOwn(this.shipped, name) && text !== lines(this.shipped[name]),
    );
    this.contents = {
      files: changed.map(([name]) => name),
      ownText: settings.values().corpus !== undefined && values.corpus === undefined,
    };
    const fragment = await encoded({
      title: String(title).replace(/\p{C}/gu, " ").trim(),
      files: Object.fromEntries(changed),
      settings: Object.fromEntries(Object.entries(values).filter(([name]) => SHARED.includes(name))),
    });
    return location.origin + location.pathname + fragment;
  }

  async copy() {
    if (typeof CompressionStream !== "function")
      return this.status("This browser cannot make links (it has no CompressionStream): use a newer one.", "bad");
    const link = this.link();
    const copied = await copiedText(link).then(
      () => true,
      () => false,
    );
    const { length } = await link,
      { files, ownText } = this.contents;
    const holds = files.length ? `${listed(files)} and the settings` : "the settings; the code is the shipped one";
    const long =
      length > OFTEN_CUT
        ? ` Some programs cut links beyond about ${OFTEN_CUT.toLocaleString("en")} characters: send it as a file or through a page.`
        : "";
    const own = ownText ? " It does not contain your own text." : "";
    const words = `${length.toLocaleString("en")} characters, with ${holds}.${own}${long}`;
    if (copied) return this.status(`Link copied: ${words}`, "good");
    this.show(`The browser did not let the page copy the link; copy it from here. ${words}`, [
      ["Close", () => this.close()],
    ]);
    Object.assign(this.field, { hidden: false, value: await link });
    this.field.select();
  }

  // ---- a link from elsewhere ----

  // Never throws: what is wrong with the link is said.
  async open(fragment) {
    let link;
    try {
      link = await decoded(fragment, {
        names: Object.keys(this.shipped),
        presets: Object.keys(this.settings.defaults.presets),
      });
    } catch (error) {
      return this.show(error.message, [["Close", () => this.close()]], "bad");
    }
    if (!link) return;
    const before = { files: this.editor.files, settings: this.settings.values() };
    this.before = this.differs(before) ? before : null;
    const files = (this.files = Object.entries(link.files)
      .filter(([name, text]) => lines(text) !== lines(this.shipped[name]))
      .map(([name]) => name));
    this.around(fragment, () =>
      this.put(
        { ...this.shipped, ...link.files },
        { ...link.settings, ...(before.settings.threads && { threads: before.settings.threads }) },
        files.length ? HELD : null,
      ),
    );
    const missing =
      link.settings.corpus && this.settings.input("corpus").value !== link.settings.corpus ? link.settings.corpus : "";
    const sentences = [link.title && `“${link.title}”.`];
    if (files.length) {
      this.editor.show(files[0]);
      this.status(HELD);
      const press = this.controls.active ? "press Apply, or stop the run and press Run" : "press Run";
      sentences.push(`${listed(files)} came with the link. It has not run yet: read it, then ${press}. ${CODE_CAN}`);
      const far = files.reduce(
        (sum, name) => sum + link.files[name].split("\n").filter((line) => line.length > FAR).length,
        0,
      );
      if (far)
        sentences.push(
          `${far === 1 ? "1 line is" : `${far} lines are`} longer than ${FAR} characters: scroll to the end.`,
        );
    } else {
      sentences.push("The settings came with the link; the code is the shipped one. Nothing has run.");
    }
    if (missing) sentences.push(`Its text, ${missing}, is not in this browser. Choose another.`);
    this.show(
      sentences.filter(Boolean).join(" "),
      this.ways(
        files.length ? ["Show the difference", () => this.editor.showDiff(true)] : ["Close", () => this.close()],
      ),
    );
  }

  differs({ files, settings }) {
    return (
      Object.keys(settings).length > 0 ||
      Object.entries(this.shipped).some(([name, text]) => files[name] !== lines(text))
    );
  }

  // The ways back from what a link brought, after the first button.
  ways(first) {
    const to = (words, files, settings, done) => [
      words,
      () => {
        this.put(files, settings);
        this.close();
        this.status(done);
      },
    ];
    return [
      first,
      this.before &&
        to(
          "Undo: restore what was here",
          this.before.files,
          this.before.settings,
          "Restored what was here before the link",
        ),
      to("Back to the shipped code", this.shipped, {}, "Restored the shipped code and settings"),
    ];
  }

  // held: why the texts may only be run by Run or Apply; before them, so that Python sees none.
  put(files, settings, held = null) {
    this.controls.hold(held);
    this.editor.showDiff(false);
    this.editor.replace(files);
    this.settings.adopt(settings);
  }

  // ---- the bar ----

  show(text, buttons, kind = "") {
    this.text.textContent = text;
    this.bar.className = kind;
    this.field.hidden = true;
    this.buttons.replaceChildren(
      ...buttons
        .filter(Boolean)
        .map(([words, press]) => element("button", { type: "button", textContent: words, onclick: press })),
    );
    this.bar.hidden = false;
  }

  close() {
    this.bar.hidden = true;
  }
}

const lines = (text) => text.replace(/\r\n?/g, "\n");
const listed = (names) => (names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`);

// The first way keeps the right to copy while the link is being packed, where a browser asks for
// that.
async function copiedText(promise) {
  const blob = promise.then((text) => new Blob([text], { type: "text/plain" }));
  try {
    await navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
  } catch {
    await navigator.clipboard.writeText(await promise);
  }
}
