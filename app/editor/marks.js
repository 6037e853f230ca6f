// What is wrong with the code, shown in it: the line where the last run failed, and what Python says while one types (the handler "check" of
// app/session/checking.py, 400 ms after the last key).

import { Decoration, EditorView, StateEffect, StateField, ViewPlugin, lintGutter, setDiagnostics } from "../../public/vendor/editor.js";
import { position } from "./asking.js";

const DELAY = 400; // ms after the last change
const PATIENCE = 10_000; // ms: Python may be in a long step

// ---- the line of an error ----

export const setError = StateEffect.define(); // {from, to, message}, or null to clear

export const errorField = StateField.define({
  create: () => null,
  update(error, transaction) {
    if (error && transaction.docChanged) {
      // Once its line is edited, the error is about code that is no longer there.
      if (transaction.changes.touchesRange(error.from, error.to)) error = null;
      else error = { ...error, from: transaction.changes.mapPos(error.from, 1), to: transaction.changes.mapPos(error.to, -1) };
    }
    for (const effect of transaction.effects) if (effect.is(setError)) error = effect.value;
    return error;
  },
  provide: (field) => EditorView.decorations.compute([field], (state) => {
    const error = state.field(field);
    return error ? Decoration.set([Decoration.line({ class: "cm-error-line" }).range(state.doc.lineAt(error.from).from)]) : Decoration.none;
  }),
});

// The range of a line's code, and what is shown on it.
export function errorAt(state, number, message) {
  if (!(number >= 1 && number <= state.doc.lines)) return null;
  const line = state.doc.line(number);
  const from = line.from + /^\s*/.exec(line.text)[0].length;
  return { from, to: line.to, message };
}

// ---- what Python says while one types ----

function found(state, problems) {
  return problems.map(({ line: number, column, end_column: end, message, severity = "error" }) => {
    const line = state.doc.line(Math.min(Math.max(1, number), state.doc.lines));
    let [from, to] = [position(line, column), position(line, end)];
    if (to <= from) [from, to] = from < line.to ? [from, from + 1] : [Math.max(line.from, from - 1), from];
    return { from, to, severity, message };
  });
}

const checker = (asking, file) => ViewPlugin.fromClass(class {
  constructor(view) {
    this.view = view;
    this.problems = []; // of the text as it was checked last
    this.later(0);
  }

  update(update) {
    if (update.docChanged) this.later(DELAY);
    const error = update.state.field(errorField);
    if (error?.message !== update.startState.field(errorField)?.message) queueMicrotask(() => this.show());
  }

  later(delay) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.check(), delay);
  }

  async check() {
    const { doc } = this.view.state;
    const problems = await asking.ask("check", { source: doc.toString(), file }, PATIENCE);
    if (this.ended) return;
    if (this.view.state.doc !== doc) return; // a later check is on its way
    if (problems === null) {
      if (asking.open.has("check")) this.later(DELAY); // the answer to an earlier text is still to come
      return;
    }
    this.problems = found(this.view.state, problems);
    this.of = doc;
    this.show();
  }

  // Both kinds are one list of diagnostics: CodeMirror holds one.
  show() {
    if (this.ended) return;
    const { state } = this.view;
    const error = state.field(errorField);
    const all = this.of === state.doc ? [...this.problems] : [];
    if (error) all.push({ from: error.from, to: error.to, severity: "error", message: error.message });
    if (all.length || this.shown) this.view.dispatch(setDiagnostics(state, all));
    this.shown = all.length > 0;
  }

  destroy() {
    this.ended = true;
    clearTimeout(this.timer);
  }
});

export const marks = (asking, file) => [errorField, lintGutter({ hoverTime: 200 }), checker(asking, file)];
