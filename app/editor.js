// The code editor (CodeMirror 6): Python, Ctrl or Cmd+Enter to run, and a mark on the line where an error happened.

import {
  EditorState, EditorView, StateEffect, StateField, Decoration, Prec, keymap, lineNumbers, drawSelection, dropCursor, highlightActiveLine,
  highlightActiveLineGutter, highlightSpecialChars, rectangularSelection, crosshairCursor, defaultKeymap, history, historyKeymap, indentWithTab,
  autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, bracketMatching, indentOnInput, indentUnit, syntaxHighlighting,
  classHighlighter, lintGutter, lintKeymap, setDiagnostics, highlightSelectionMatches, searchKeymap, python,
} from "../public/vendor/editor.js";

const markLine = StateEffect.define(); // a line number, or null to clear
const markedLine = StateField.define({
  create: () => Decoration.none,
  update(marks, transaction) {
    marks = marks.map(transaction.changes);
    for (const effect of transaction.effects) {
      if (!effect.is(markLine)) continue;
      marks = effect.value === null ? Decoration.none
        : Decoration.set([Decoration.line({ class: "cm-error-line" }).range(transaction.state.doc.line(effect.value).from)]);
    }
    return marks;
  },
  provide: (field) => EditorView.decorations.from(field),
});

// What the editor and the console's entry have in common.
export const pythonLanguage = () => [
  python(), indentUnit.of("    "), EditorState.tabSize.of(4), syntaxHighlighting(classHighlighter), indentOnInput(), bracketMatching(),
  closeBrackets(), history(), highlightSpecialChars(), drawSelection(),
];

export class Editor {
  constructor(parent, { onRun }) {
    const run = () => (onRun(), true);
    this.view = new EditorView({
      parent,
      state: EditorState.create({
        doc: "",
        extensions: [
          // CodeMirror's own Mod-Enter inserts a line; ours comes first.
          Prec.highest(keymap.of([{ key: "Mod-Enter", run, preventDefault: true }])),
          lineNumbers(), highlightActiveLine(), highlightActiveLineGutter(), dropCursor(), rectangularSelection(), crosshairCursor(),
          EditorState.allowMultipleSelections.of(true), pythonLanguage(), autocompletion(), highlightSelectionMatches(), lintGutter(), markedLine,
          keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap, indentWithTab]),
          EditorView.contentAttributes.of({ "aria-label": "train.py" }),
        ],
      }),
    });
  }

  get text() {
    return this.view.state.doc.toString();
  }

  set text(text) {
    this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text } });
  }

  // Marks the line, shows the message on it and brings it into view.
  markError(number, message) {
    const { doc } = this.view.state;
    if (!(number >= 1 && number <= doc.lines)) return;
    const line = doc.line(number);
    const from = line.from + (line.text.match(/^\s*/)[0].length % (line.length + 1));
    this.view.dispatch(setDiagnostics(this.view.state, [{ from, to: line.to, severity: "error", message }]));
    this.view.dispatch({ effects: [markLine.of(number), EditorView.scrollIntoView(line.from, { y: "center" })] });
  }

  clearError() {
    this.view.dispatch(setDiagnostics(this.view.state, []));
    this.view.dispatch({ effects: markLine.of(null) });
  }

  focus() {
    this.view.focus();
  }
}
