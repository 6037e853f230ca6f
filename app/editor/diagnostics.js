// What is wrong with the code, shown in it: the line where the last run failed, and what Python
// says while one types (the handler "check" of py/tinygpt_session/language/diagnostics.py, 400 ms
// after the last key).
//
// A link's text that has not run is not given to Python (Asking.held). The editor's own parser,
// Lezer, then marks the lines that it cannot read. It errs: of 528 files of correct Python, those
// of the standard library and of this project, it marks 21.

import {
  Decoration,
  EditorView,
  lintGutter,
  StateEffect,
  StateField,
  setDiagnostics,
  syntaxTree,
  ViewPlugin,
} from "../../public/vendor/editor.js";
import { position } from "./position.js";

const DELAY = 400; // ms after the last change
const PATIENCE = 10_000; // ms: Python may be in a long step
const MOST = 50; // problems that are said, as in Python's check
const UNREADABLE = "Python may not be able to read this line. It checks the code itself when you press Run.";

// ---- the line of an error ----

export const setError = StateEffect.define(); // {from, to, message}, or null to clear

export const errorField = StateField.define({
  create: () => null,
  update(error, transaction) {
    if (error && transaction.docChanged) {
      // Once its line is edited, the error is about code that is no longer there.
      if (transaction.changes.touchesRange(error.from, error.to)) error = null;
      else
        error = {
          ...error,
          from: transaction.changes.mapPos(error.from, 1),
          to: transaction.changes.mapPos(error.to, -1),
        };
    }
    for (const effect of transaction.effects) if (effect.is(setError)) error = effect.value;
    return error;
  },
  provide: (field) =>
    EditorView.decorations.compute([field], (state) => {
      const error = state.field(field);
      return error
        ? Decoration.set([Decoration.line({ class: "cm-error-line" }).range(state.doc.lineAt(error.from).from)])
        : Decoration.none;
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

export const checkAgain = StateEffect.define(); // by the other reader

// The first error of each line in the syntax tree, which is walked without recursion. Where the
// text is not parsed to its end, its last error is of the end.
function unreadable(state) {
  const { doc } = state,
    tree = syntaxTree(state),
    problems = [];
  let past = -1; // the end of the last line with an error
  tree.iterate({
    enter({ type, from, to }) {
      if (problems.length >= MOST) return false;
      if (!type.isError || from <= past || (to >= tree.length && tree.length < doc.length)) return;
      let line = doc.lineAt(from);
      past = line.to;
      while (!line.text.trim() && line.number > 1) line = doc.line(line.number - 1);
      const end = Math.min(Math.max(to, from + 1), line.to);
      problems.push({
        from: Math.max(line.from, Math.min(from, end - 1)),
        to: end,
        severity: "warning",
        message: UNREADABLE,
      });
    },
  });
  return problems;
}

const checker = (asking, file) =>
  ViewPlugin.fromClass(
    class {
      constructor(view) {
        this.view = view;
        this.problems = []; // of the text as it was checked last
        this.later(0);
      }

      update(update) {
        if (update.docChanged) this.later(DELAY);
        else if (update.transactions.some(({ effects }) => effects.some((effect) => effect.is(checkAgain))))
          this.later(0);
        else if (asking.held && syntaxTree(update.state) !== syntaxTree(update.startState)) this.later(DELAY); // it was parsed further
        const error = update.state.field(errorField);
        if (error?.message !== update.startState.field(errorField)?.message) queueMicrotask(() => this.show());
      }

      later(delay) {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.check(), delay);
      }

      async check() {
        const { doc } = this.view.state;
        if (asking.held) return this.take(unreadable(this.view.state));
        const problems = await asking.ask("check", { source: doc.toString(), file }, PATIENCE);
        if (this.ended) return;
        if (this.view.state.doc !== doc || asking.held) return; // a later check is on its way
        if (problems === null) {
          if (asking.open.has("check")) this.later(DELAY); // the answer to an earlier text is still to come
          return;
        }
        this.take(found(this.view.state, problems));
      }

      take(problems) {
        this.problems = problems;
        this.of = this.view.state.doc;
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
    },
  );

export const marks = (asking, file) => [errorField, lintGutter({ hoverTime: 200 }), checker(asking, file)];
