// The Python console at the bottom: everything that Python prints, and an entry that runs in the
// same interpreter as the editor.
//
// Enter runs the entry when it is complete; an open block or bracket gets a new line instead
// (Python decides, see console.py). Shift+Enter always gives a new line; the arrow keys at the
// first and last line go through what was entered before; Tab completes; Ctrl+C stops the entry
// that is executed, or what runs. While a model trains, an entry is answered between two steps
// (entries.js).
//
// The output keeps its end, at most KEEP characters of it, and its first line says how much was
// left out. HTML and pictures (app/rich/) count as many characters as `weight` says.

import {
  closeBracketsKeymap,
  completionKeymap,
  completionStatus,
  defaultKeymap,
  EditorState,
  EditorView,
  historyKeymap,
  indentWithTab,
  insertNewlineAndIndent,
  keymap,
  Prec,
  placeholder,
} from "../../public/vendor/editor.js";
import { interpreterHelp } from "../editor/completion.js";
import { pythonLanguage } from "../editor/editor.js";
import { Asking } from "../editor/position.js";
import { rich, weight } from "../rich/rich.js";
import { element } from "../ui/dom.js";
import { NOTICE, STDERR } from "../worker/channel.js";
import { afterLine, endOf } from "../worker/printed.js";

const KEEP = 100_000; // characters of output kept on the page
const NODES = 2000; // pieces of one kind: output and errors may alternate

export class Console {
  // entries: the Entries, which take an entry to Python. session: whom completions are asked of.
  constructor(output, parent, { entries, session }) {
    this.output = output;
    this.taken = entries;
    this.size = 0;
    this.omitted = { lines: 0, characters: 0, displays: 0 };
    this.pending = []; // {name, text} or {record, text: ""} of what is not shown yet
    this.waiting = 0; // its characters
    this.entries = [];
    this.at = 0;
    const newline = (view) => insertNewlineAndIndent(view);
    this.view = new EditorView({
      parent,
      state: EditorState.create({
        extensions: [
          Prec.highest(
            keymap.of([
              { key: "Enter", run: (view) => completionStatus(view.state) !== "active" && (this.submit(), true) },
              { key: "Shift-Enter", run: newline },
              { key: "ArrowUp", run: () => this.recall(-1) },
              { key: "ArrowDown", run: () => this.recall(1) },
              { key: "Ctrl-c", run: (view) => view.state.selection.main.empty && (entries.stop(), true) },
              { key: "Ctrl-l", run: () => (this.clear(), true) },
            ]),
          ),
          pythonLanguage(),
          interpreterHelp(new Asking(session), "console", { onTyping: false }),
          EditorView.lineWrapping,
          keymap.of([...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, ...defaultKeymap, indentWithTab]),
          placeholder("Python: the editor's variables, and the run's model, data, loss"),
          EditorView.contentAttributes.of({ "aria-label": "Python console entry" }),
        ],
      }),
    });
  }

  // ---- output ----

  // What Python printed is shown once per frame, so that a flood of it costs the page one layout
  // and not hundreds.
  write(kind, text) {
    if (kind === NOTICE) return this.notice(text);
    const name = kind === STDERR ? "error" : "out";
    const last = this.pending.at(-1);
    if (last?.name === name) last.text += text;
    else this.pending.push({ name, text });
    this.waits(text.length);
  }

  // HTML or a picture: a checked record of app/rich/rich.js.
  show(record) {
    this.pending.push({ record, text: "" });
    this.waits(weight(record));
  }

  waits(size) {
    this.waiting += size;
    if (this.waiting > 2 * KEEP || this.pending.length > 2 * NODES) this.shorten();
    if (document.hidden) this.flush();
    else this.frame ??= requestAnimationFrame(() => this.flush());
  }

  // Leaves out the oldest of what is not shown yet.
  shorten() {
    const most = this.pending.length - NODES;
    for (const [i, piece] of this.pending.entries()) {
      if (i >= most && this.waiting <= KEEP) break;
      if (piece.record) {
        this.waiting -= weight(piece.record);
        this.omitted.displays += 1;
        piece.record = null;
        continue;
      }
      const { length } = piece.text;
      piece.text = this.end(piece.text, i < most ? 0 : Math.max(0, length - (this.waiting - KEEP)));
      this.waiting -= length - piece.text.length;
    }
    this.pending = this.pending.filter(({ text, record }) => text || record);
  }

  flush() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    const { pending } = this;
    if (!pending.length) return;
    this.pending = [];
    this.waiting = 0;
    this.progress = null;
    this.following(() => {
      for (const { name, text, record } of pending) record ? this.place(record) : this.add(name, text);
    });
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
    return this.following(() => this.add(kind, text, alone));
  }

  // Where the end was in view it is in view afterwards.
  following(act) {
    const bottom = this.output.scrollHeight - this.output.scrollTop - this.output.clientHeight < 40;
    const result = act();
    this.trim();
    if (bottom) this.output.scrollTop = this.output.scrollHeight;
    return result;
  }

  add(kind, text, alone = false) {
    text = this.end(text, KEEP);
    let node = this.output.lastElementChild;
    if (alone || node?.className !== kind || node.alone || node.textContent.length > 4000) {
      node = this.output.appendChild(element("span", { class: kind, alone }));
    }
    node.append(text);
    this.size += text.length;
    this.column = !text.endsWith("\n");
    return node;
  }

  place(record) {
    if (this.column) this.add("out", "\n");
    const node = rich(record);
    this.size += node.weight = weight(record);
    this.output.append(node);
  }

  // The end of a text; what goes is counted.
  end(text, most) {
    const kept = endOf(text, most);
    if (kept !== text) this.omit(text.slice(0, text.length - kept.length));
    return kept;
  }

  omit(text) {
    this.omitted.characters += text.length;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) this.omitted.lines += 1;
  }

  trim() {
    let left = this.output.querySelector(".left-out"),
      torn = false; // what went last ended within a line
    const first = () => (left ? left.nextElementSibling : this.output.firstElementChild);
    const cut = (node, text, kept) => {
      this.omit(text.slice(0, text.length - kept.length));
      this.size -= text.length - kept.length;
      if (kept) node.textContent = kept;
      else node.remove();
    };
    for (let node = first(); node && (this.size > KEEP || this.output.childElementCount > NODES); node = first()) {
      if (node.weight) {
        this.size -= node.weight;
        this.omitted.displays += 1;
        node.remove();
        continue;
      }
      const text = node.textContent,
        kept = this.size > KEEP ? endOf(text, Math.max(0, text.length - (this.size - 0.8 * KEEP))) : "";
      cut(node, text, kept);
      torn = !kept && !text.endsWith("\n");
    }
    const rest = torn ? first() : null;
    if (rest && !rest.weight) cut(rest, rest.textContent, afterLine(rest.textContent));
    if (!this.omitted.characters && !this.omitted.displays) return;
    left ??= this.output.insertBefore(element("span", { class: "notice left-out" }), this.output.firstChild);
    left.textContent = this.leftOut();
  }

  // "12,345 earlier lines are left out (1,234,567 characters): the console keeps the last 100,000."
  leftOut() {
    const { lines, characters, displays } = this.omitted;
    const number = (count) => count.toLocaleString("en");
    const what =
      lines === 0
        ? `The beginning of a line is left out (${number(characters)} characters)`
        : `${number(lines)} earlier ${lines === 1 ? "line is" : "lines are"} left out (${number(characters)} characters)`;
    const rich = displays ? `Earlier pictures and tables are left out: ${number(displays)}.\n` : "";
    return `${characters ? `${what}: the console keeps the last ${number(KEEP)} characters.\n` : ""}${rich}`;
  }

  clear() {
    this.flush();
    this.output.replaceChildren();
    this.size = 0;
    this.omitted = { lines: 0, characters: 0, displays: 0 };
    this.column = false;
  }

  // ---- entry ----

  get text() {
    return this.view.state.doc.toString();
  }

  set text(text) {
    this.view.dispatch({
      changes: { from: 0, to: this.view.state.doc.length, insert: text },
      selection: { anchor: text.length },
    });
  }

  async submit() {
    const source = this.text;
    if (!source.trim()) return;
    this.flush();
    const echo = this.append(
      "entry",
      (this.column ? "\n" : "") + source.trimEnd().replace(/^/gm, "... ").replace("...", ">>>") + "\n",
      true,
    );
    this.output.scrollTop = this.output.scrollHeight; // its answer is followed
    this.text = "";
    const entry = source.trimEnd();
    this.entries.push(entry); // the arrow keys bring it back before it is answered, too
    this.at = this.entries.length;
    const outcome = await this.taken.enter(source, (sentence) => this.wait(sentence));
    if (outcome.status === "incomplete") {
      this.size -= echo.textContent.length;
      echo.remove();
      this.entries.splice(this.entries.lastIndexOf(entry), 1);
      this.at = this.entries.length;
      this.text = source + (this.text ? "\n" + this.text : "");
      insertNewlineAndIndent(this.view);
      return;
    }
    this.flush();
    if (outcome.shown !== null && outcome.shown !== undefined)
      this.append("result", (this.column ? "\n" : "") + outcome.shown + "\n", true);
    if (outcome.error) this.error(outcome.error);
  }

  // What the oldest entry without an answer waits for; null: nothing any more.
  wait(sentence) {
    if (this.waitsFor?.isConnected) {
      this.size -= this.waitsFor.textContent.length;
      this.waitsFor.remove();
    }
    this.waitsFor = sentence && this.append("notice", (this.column ? "\n" : "") + sentence + "\n", true);
  }

  // The arrow keys move inside an entry of several lines first.
  recall(step) {
    const { state } = this.view;
    const line = state.doc.lineAt(state.selection.main.head).number;
    if (
      completionStatus(state) === "active" ||
      !state.selection.main.empty ||
      line !== (step < 0 ? 1 : state.doc.lines)
    )
      return false;
    const to = this.at + step;
    if (to < 0 || to > this.entries.length) return true;
    if (this.at === this.entries.length) this.draft = this.text;
    this.at = to;
    this.text = to === this.entries.length ? this.draft : this.entries[to];
    return true;
  }
}
