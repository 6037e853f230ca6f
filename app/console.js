// The Python console at the bottom: everything that Python prints, and an entry that runs in the same interpreter as the editor.
//
// Enter runs the entry when it is complete; an open block or bracket gets a new line instead (Python decides, see running.py).
// Shift+Enter always gives a new line; the arrow keys at the first and last line go through what was entered before; Tab completes;
// Ctrl+C stops what runs.

import {
  EditorState, EditorView, Prec, keymap, placeholder, defaultKeymap, historyKeymap, closeBracketsKeymap, completionKeymap, completionStatus,
  insertNewlineAndIndent, indentWithTab,
} from "../public/vendor/editor.js";
import { NOTICE, STDERR } from "./channel.js";
import { pythonLanguage } from "./editor.js";
import { Asking } from "./editor/asking.js";
import { interpreterHelp } from "./editor/completion.js";

const KEEP = 100_000; // characters of output kept on the page

export class Console {
  // run(source) -> promise of the outcome; interrupt() stops what runs. session: whom completions are asked of.
  constructor(output, parent, { run, interrupt, session }) {
    this.output = output;
    this.run = run;
    this.size = 0;
    this.entries = [];
    this.at = 0;
    const newline = (view) => insertNewlineAndIndent(view);
    this.view = new EditorView({
      parent,
      state: EditorState.create({
        extensions: [
          Prec.highest(keymap.of([
            { key: "Enter", run: (view) => completionStatus(view.state) !== "active" && (this.submit(), true) },
            { key: "Shift-Enter", run: newline },
            { key: "ArrowUp", run: () => this.recall(-1) },
            { key: "ArrowDown", run: () => this.recall(1) },
            { key: "Ctrl-c", run: (view) => view.state.selection.main.empty && (interrupt(), true) },
            { key: "Ctrl-l", run: () => (this.clear(), true) },
          ])),
          pythonLanguage(), interpreterHelp(new Asking(session), "train.py", { onTyping: false }), EditorView.lineWrapping,
          keymap.of([...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, ...defaultKeymap, indentWithTab]),
          placeholder("Python: the same variables as the editor's"),
          EditorView.contentAttributes.of({ "aria-label": "Python console entry" }),
        ],
      }),
    });
  }

  // ---- output ----

  // What Python printed is shown once per frame, so that a flood of it costs the page one layout and not hundreds.
  write(kind, text) {
    if (kind === NOTICE) return this.notice(text);
    const name = kind === STDERR ? "error" : "out";
    if (this.pending?.name === name) this.pending.text += text;
    else {
      this.flush();
      this.pending = { name, text };
    }
    if (this.pending.text.length > 2 * KEEP) this.pending.text = this.pending.text.slice(-KEEP);
    if (document.hidden) this.flush();
    else this.frame ??= requestAnimationFrame(() => this.flush());
  }

  flush() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    if (!this.pending) return;
    const { name, text } = this.pending;
    this.pending = this.progress = null;
    this.add(name, text);
  }

  // A line of the page itself. While something loads, one line counts up.
  notice(text) {
    this.flush();
    const loading = text.startsWith("Loading ");
    if (this.progress) this.progress.textContent = text + "\n";
    else this.progress = this.append("notice", (this.column ? "\n" : "") + text + "\n", true);
    if (!loading) this.progress = null;
  }

  error(text) {
    this.flush();
    this.append("error", (this.column ? "\n" : "") + text + "\n", true);
  }

  // After what was printed before it.
  append(kind, text, alone = false) {
    this.flush();
    return this.add(kind, text, alone);
  }

  add(kind, text, alone = false) {
    const bottom = this.output.scrollHeight - this.output.scrollTop - this.output.clientHeight < 40;
    if (text.length > KEEP) text = text.slice(-KEEP);
    let node = this.output.lastElementChild;
    if (alone || node?.className !== kind || node.alone || node.textContent.length > 4000) {
      node = this.output.appendChild(document.createElement("span"));
      node.className = kind;
      node.alone = alone;
    }
    node.append(text);
    this.size += text.length;
    this.column = !text.endsWith("\n");
    this.trim();
    if (bottom) this.output.scrollTop = this.output.scrollHeight;
    return node;
  }

  trim() {
    if (this.size <= KEEP) return;
    const left = this.output.querySelector(".left-out");
    while (this.size > KEEP * 0.8 && this.output.childElementCount > 2) {
      const oldest = this.output.firstElementChild === left ? left.nextElementSibling : this.output.firstElementChild;
      this.size -= oldest.textContent.length;
      oldest.remove();
    }
    if (!left) {
      const note = document.createElement("span");
      note.className = "notice left-out";
      note.textContent = `Earlier output is left out here: the page keeps the last ${KEEP.toLocaleString("en")} characters.\n`;
      this.output.prepend(note);
    }
  }

  clear() {
    this.flush();
    this.output.replaceChildren();
    this.size = 0;
    this.column = false;
  }

  // ---- entry ----

  get text() {
    return this.view.state.doc.toString();
  }

  set text(text) {
    this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text }, selection: { anchor: text.length } });
  }

  async submit() {
    const source = this.text;
    if (!source.trim()) return;
    this.flush();
    const echo = this.append("entry", (this.column ? "\n" : "") + source.trimEnd().replace(/^/gm, "... ").replace("...", ">>>") + "\n", true);
    this.text = "";
    const outcome = await this.run(source);
    if (outcome.status === "incomplete") {
      this.size -= echo.textContent.length;
      echo.remove();
      this.text = source + (this.text ? "\n" + this.text : "");
      insertNewlineAndIndent(this.view);
      return;
    }
    this.flush();
    this.entries.push(source.trimEnd());
    this.at = this.entries.length;
    if (outcome.shown !== null && outcome.shown !== undefined) this.append("result", (this.column ? "\n" : "") + outcome.shown + "\n", true);
    if (outcome.error) this.error(outcome.error);
  }

  // The arrow keys move inside an entry of several lines first.
  recall(step) {
    const { state } = this.view;
    const line = state.doc.lineAt(state.selection.main.head).number;
    if (completionStatus(state) === "active" || !state.selection.main.empty || line !== (step < 0 ? 1 : state.doc.lines)) return false;
    const to = this.at + step;
    if (to < 0 || to > this.entries.length) return true;
    if (this.at === this.entries.length) this.draft = this.text;
    this.at = to;
    this.text = to === this.entries.length ? this.draft : this.entries[to];
    return true;
  }
}
