// Lines that something outside of the editor is about: a part of the model, or the step under way.
//
//   markedLines      the extension of an editor's state
//   markLines(editor, file, first, last, text)
//                    marks lines of an Editor's file and brings them into view; the numbers are of
//                    `text`, if it is given
//   clearMarks(editor)

import { Decoration, EditorView, StateEffect, StateField } from "../../public/vendor/editor.js";

const setMarked = StateEffect.define();

const markedField = StateField.define({
  create: () => null,
  update(marked, transaction) {
    if (marked && transaction.docChanged) {
      const [from, to] = [transaction.changes.mapPos(marked.from, 1), transaction.changes.mapPos(marked.to, -1)];
      marked = from <= to ? { from, to } : null;
    }
    for (const effect of transaction.effects) if (effect.is(setMarked)) marked = effect.value;
    return marked;
  },
  provide: (field) =>
    EditorView.decorations.compute([field], (state) => {
      const marked = state.field(field);
      if (!marked) return Decoration.none;
      const lines = [];
      for (let at = state.doc.lineAt(marked.from); ; at = state.doc.line(at.number + 1)) {
        lines.push(Decoration.line({ class: "cm-marked-line" }).range(at.from));
        if (at.to >= marked.to) break;
      }
      return Decoration.set(lines);
    }),
});

export const markedLines = [markedField];

export function markLines(editor, file, first, last, text) {
  if (!editor.states[file]) return;
  clearMarks(editor, file);
  editor.show(file);
  const { doc } = editor.view.state,
    line = doc.line(lineNow(doc, first, text)),
    end = doc.line(Math.min(doc.lines, line.number + last - first));
  const effects = [setMarked.of({ from: line.from, to: end.to })];
  effects.push(EditorView.scrollIntoView(line.from, { y: first === last ? "nearest" : "start", yMargin: 40 }));
  editor.view.dispatch({ effects });
}

// Of all files but one.
export function clearMarks(editor, except = null) {
  for (const name of Object.keys(editor.states))
    if (name !== except && editor.state(name).field(markedField))
      editor.dispatch(name, { effects: setMarked.of(null) });
}

// Where line `number` of `text` is in the document: the nearest line that reads the same.
function lineNow(doc, number, text) {
  const wanted = text?.split("\n")[number - 1];
  const reads = (n) => n >= 1 && n <= doc.lines && doc.line(n).text === wanted;
  if (wanted !== undefined)
    for (let away = 0; away < doc.lines; away++) {
      if (reads(number + away)) return number + away;
      if (reads(number - away)) return number - away;
    }
  return Math.min(Math.max(1, number), doc.lines);
}
