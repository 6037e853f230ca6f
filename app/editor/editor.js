// The code editor (CodeMirror 6): one tab a file, each with its own undo history, selection and
// place. It knows which text runs, so it can say what differs (a dot on the tab, the diff) and go
// back to it.
//
//   new Editor(parent, {session})                     session may come later (editor.session =
//                                                     ...); without one, words of the document
//                                                     complete
//   open({name: text}), files, text, shown            the originals; the texts now; train.py's
//                                                     text; the name of the file that is shown
//   replace({name: text})                             other texts for files that are open
//   copy(), toJson(name, most), fromJson(name, json), putBack({name: state})
//                                                     files and their undo history
//   show(name)                                        chooses a tab
//   add(name, text), close(name), others, textOf(name)
//                                                     files of the visitor, beside the page's own
//   runsOthers                                        whether the code that runs, or is to run, is
//                                                     one of them
//   setRunning({name: text} or null)                  the code that runs now
//   changed, changedFiles                             against the running code, or the originals
//                                                     where nothing runs
//   showDiff(on), revert()                            of the shown file; revert is one undo step
//   markError(line, message, file), clearError()
//   edit(file, changes)                               one undo step
//   hold(on)                                          the texts are a link's that has not run:
//                                                     Python gets none of them
//   bar                                               the element of the tabs: the page puts its
//                                                     buttons there
//
// Events: "run" at Ctrl or Cmd+Enter; "text" (detail: the name) when a text may be another;
// "change" when `changed` flips, "diff" when `diffing` was set; "shown" when another file is;
// "close" (detail: the name) before a file of the visitor is closed.
//
// language.js Python; completion.js completion and hover; diagnostics.js errors; marked_lines.js
// marks; tabs.js the tabs; position.js questions; undo_history.js files as JSON.

import {
  Compartment,
  closeBracketsKeymap,
  closeCompletion,
  completionKeymap,
  crosshairCursor,
  defaultKeymap,
  diff,
  dropCursor,
  EditorState,
  EditorView,
  getChunks,
  goToNextChunk,
  goToPreviousChunk,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSelectionMatches,
  historyKeymap,
  isolateHistory,
  keymap,
  lineNumbers,
  lintKeymap,
  Prec,
  rectangularSelection,
  searchKeymap,
  Text,
  tooltips,
  unifiedMergeView,
} from "../../public/vendor/editor.js";
import { element } from "../ui/dom.js";
import { interpreterHelp } from "./completion.js";
import { checkAgain, errorAt, errorField, marks, setError } from "./diagnostics.js";
import { label, plainText, pythonLanguage, tabKeys } from "./language.js";
import { markedLines } from "./marked_lines.js";
import { Asking } from "./position.js";
import { Tabs } from "./tabs.js";
import { fromJson, toJson } from "./undo_history.js";

export { pythonLanguage } from "./language.js";

const MAIN = "train.py";

export class Editor extends EventTarget {
  constructor(parent, { session = null } = {}) {
    super();
    this.asking = new Asking(session);
    this.diffing = false;
    this.diff = new Compartment();
    this.running = null; // {name: Text}
    this.originals = {}; // {name: Text}
    this.others = new Set(); // names of the visitor's files that are open
    this.runsOthers = false;
    this.states = {}; // {name: EditorState}; the shown one's is in the view
    this.scrolls = {}; // {name: effect that scrolls to where one was}
    this.wasChanged = false;
    parent.classList.add("code-editor");
    this.bar = element("div", { class: "editor-bar" });
    const panel = element("div", { class: "editor-file" });
    this.body = element("div", { class: "editor-body" }, panel);
    parent.append(this.bar, this.body);
    this.tabs = new Tabs(this.bar, panel, {
      choose: (name, { keepFocus = false } = {}) => this.show(name, { focus: !keepFocus }),
      close: (name) => this.close(name),
    });
    this.view = new EditorView({ parent: panel, state: this.newState(MAIN, "") });
    this.open({ [MAIN]: "" });
  }

  set session(session) {
    this.asking.session = session;
  }

  hold(on) {
    if (this.asking.held === on) return;
    this.asking.held = on;
    this.view.dispatch({ effects: checkAgain.of(null) });
  }

  newState(name, doc) {
    return EditorState.create({ doc, extensions: this.extensions(name) });
  }

  extensions(name) {
    const python = name.endsWith(".py");
    const run = () => (this.dispatchEvent(new Event("run")), true);
    return [
      // CodeMirror's own Mod-Enter inserts a line; ours comes first.
      Prec.highest(keymap.of([{ key: "Mod-Enter", run, preventDefault: true }])),
      lineNumbers(),
      highlightActiveLine(),
      highlightActiveLineGutter(),
      dropCursor(),
      rectangularSelection(),
      crosshairCursor(),
      EditorState.allowMultipleSelections.of(true),
      python ? pythonLanguage() : plainText(),
      highlightSelectionMatches(),
      tooltips({ position: "fixed" }),
      python ? [interpreterHelp(this.asking, name), marks(this.asking, name)] : errorField,
      markedLines,
      this.diff.of([]),
      label(name),
      keymap.of([
        ...closeBracketsKeymap,
        ...completionKeymap,
        ...defaultKeymap,
        ...searchKeymap,
        ...historyKeymap,
        ...lintKeymap,
        ...tabKeys,
      ]),
      EditorView.updateListener.of((update) => update.docChanged && this.compare(name)),
    ];
  }

  // ---- files ----

  open(files) {
    const names = Object.keys(files);
    this.originals = Object.fromEntries(names.map((name) => [name, textOf(files[name])]));
    this.states = Object.fromEntries(names.map((name) => [name, this.newState(name, this.originals[name])]));
    this.scrolls = {};
    this.shown = names[0];
    this.tabs.show(names, this.shown);
    this.showState(this.states[this.shown]);
    this.restoreDiff();
    this.compareAll();
  }

  // A completion that is on its way ends before another state is shown: CodeMirror's plugin of the
  // state before (6.20) would ask on, and put its list in the place of the new state's.
  showState(state) {
    closeCompletion(this.view);
    this.view.setState(state);
  }

  state(name) {
    return name === this.shown ? this.view.state : this.states[name];
  }

  dispatch(name, spec) {
    if (name === this.shown) this.view.dispatch(spec);
    else {
      this.states[name] = this.states[name].update(spec).state;
      this.compare(name);
    }
  }

  // The page's own.
  get names() {
    return Object.keys(this.states).filter((name) => !this.others.has(name));
  }

  get files() {
    return Object.fromEntries(this.names.map((name) => [name, this.textOf(name)]));
  }

  textOf(name) {
    return this.state(name)?.doc.toString();
  }

  add(name, text) {
    if (this.states[name]) return;
    this.others.add(name);
    this.originals[name] = textOf(text);
    this.states[name] = this.newState(name, this.originals[name]);
    this.tabs.insert(name);
    this.compare(name);
  }

  close(name) {
    if (!this.others.has(name)) return;
    this.dispatchEvent(new CustomEvent("close", { detail: name }));
    if (name === this.shown) this.show([...this.others].filter((other) => other !== name).at(-1) ?? MAIN);
    this.others.delete(name);
    delete this.states[name];
    delete this.scrolls[name];
    this.tabs.remove(name);
    this.compareAll();
  }

  get text() {
    return this.state(MAIN)?.doc.toString() ?? "";
  }

  set text(text) {
    if (!this.states[MAIN]) this.open({ [MAIN]: text });
    else this.dispatch(MAIN, { changes: { from: 0, to: this.state(MAIN).doc.length, insert: textOf(text) } });
  }

  // Other texts for files that are open; each is one undo step.
  replace(files) {
    for (const [name, text] of Object.entries(files)) {
      const doc = textOf(text),
        state = this.state(name);
      if (!state || state.doc.eq(doc)) continue;
      this.dispatch(name, {
        changes: { from: 0, to: state.doc.length, insert: doc },
        annotations: isolateHistory.of("full"),
      });
    }
  }

  // changes: CodeMirror's [{from, to, insert}].
  edit(file, changes) {
    this.dispatch(file, { changes, annotations: isolateHistory.of("full"), userEvent: "input" });
  }

  // The files as they are, for putBack.
  copy() {
    return Object.fromEntries(this.names.map((name) => [name, this.state(name)]));
  }

  toJson(name, most) {
    return toJson(this.state(name), most);
  }

  fromJson(name, json) {
    return fromJson(json, this.extensions(name));
  }

  putBack(states) {
    for (const [name, state] of Object.entries(states)) {
      this.states[name] = state;
      if (name === this.shown) {
        this.showState(state);
        this.restoreDiff();
      }
      this.compare(name);
    }
  }

  show(name, { focus = false } = {}) {
    if (name !== this.shown && this.states[name]) {
      closeCompletion(this.view); // showState
      this.states[this.shown] = this.view.state;
      this.scrolls[this.shown] = this.view.scrollSnapshot();
      this.shown = name;
      this.tabs.select(name);
      this.showState(this.states[name]);
      this.restoreDiff(this.scrolls[name]);
      this.dispatchEvent(new Event("shown"));
    }
    if (focus) this.focus();
  }

  // ---- what differs ----

  setRunning(files) {
    this.running = files && Object.fromEntries(Object.entries(files).map(([name, text]) => [name, textOf(text)]));
    if (this.diffing) this.restoreDiff();
    this.compareAll();
  }

  // What a file is compared with.
  base(name) {
    return this.running?.[name] ?? this.originals[name];
  }

  // Of the files that run, or are to run.
  get changedFiles() {
    const names = this.runsOthers ? [...this.others] : this.names;
    return names.filter((name) => !this.state(name).doc.eq(this.base(name)));
  }

  get changed() {
    return this.changedFiles.length > 0;
  }

  compare(name) {
    this.dispatchEvent(new CustomEvent("text", { detail: name }));
    this.tabs.mark(name, !this.state(name).doc.eq(this.base(name)));
    const { changed } = this;
    if (changed === this.wasChanged) return;
    this.wasChanged = changed;
    this.dispatchEvent(new Event("change"));
  }

  compareAll() {
    for (const name of Object.keys(this.states)) this.compare(name);
  }

  showDiff(on) {
    this.diffing = Boolean(on);
    this.dispatchEvent(new Event("diff"));
    this.restoreDiff();
    if (!on) return;
    const chunks = getChunks(this.view.state)?.chunks ?? [];
    const count = chunks.length === 1 ? "1 change" : `${chunks.length || "no"} changes`;
    const effects = [EditorView.announce.of(`${this.shown}: ${count} compared with the running code`)];
    if (chunks.length)
      effects.push(EditorView.scrollIntoView(Math.min(chunks[0].fromB, this.view.state.doc.length), { y: "center" }));
    this.view.dispatch({ effects });
  }

  // Every state has its own configuration: the shown one is brought to what is wanted.
  restoreDiff(scroll) {
    const wanted = !this.diffing
      ? []
      : [
          unifiedMergeView({ original: this.base(this.shown), mergeControls: control }),
          keymap.of([{ key: "F7", run: goToNextChunk, shift: goToPreviousChunk }]),
        ];
    if (!scroll && !this.diffing && !getChunks(this.view.state)) return;
    this.view.dispatch({ effects: [this.diff.reconfigure(wanted), ...(scroll ? [scroll] : [])] });
  }

  // The shown file as it runs. Only what differs is replaced, so cursor and place stay.
  revert() {
    const { doc } = this.view.state;
    const base = this.base(this.shown).toString();
    const changes = diff(doc.toString(), base).map(({ fromA, toA, fromB, toB }) => ({
      from: fromA,
      to: toA,
      insert: textOf(base.slice(fromB, toB)),
    }));
    if (changes.length) this.view.dispatch({ changes, annotations: isolateHistory.of("full"), userEvent: "revert" });
  }

  // ---- errors ----

  // Marks the line, shows the message on it and brings it into view.
  markError(number, message, file = MAIN) {
    if (!this.states[file]) return;
    const error = errorAt(this.state(file), number, message);
    if (!error) return;
    this.show(file);
    this.view.dispatch({ effects: [setError.of(error), EditorView.scrollIntoView(error.from, { y: "center" })] });
  }

  clearError() {
    for (const name of Object.keys(this.states)) {
      if (this.state(name).field(errorField)) this.dispatch(name, { effects: setError.of(null) });
    }
  }

  focus() {
    this.view.focus();
  }
}

const textOf = (text) => Text.of(text.split(/\r\n?|\n/));

// Beside a change in the diff: one button that puts the running code back there. (To accept a
// change is to leave it.)
function control(type, action) {
  if (type === "accept") return element("span");
  const button = element(
    "button",
    { type: "button", class: "revert-change", title: "Put the running code back here" },
    "Revert",
  );
  button.addEventListener("click", action);
  return button;
}
