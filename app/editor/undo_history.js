// A file of the editor as JSON: text, selection and undo history.
//
//   toJson(state, most)            {doc, selection, history}. The history's JSON has at most `most`
//                                  characters: the oldest steps are left out
//   fromJson(json, extensions)     an EditorState. json comes from the browser's storage: a history
//                                  or a selection that does not fit the text is left out.
//                                  RangeError where there is no text

import { EditorState, history, historyField, redo, undo } from "../../public/vendor/editor.js";

const FIELDS = { history: historyField };

export function toJson(state, most) {
  const json = state.toJSON(FIELDS);
  let left = most;
  // what is undone or redone next is at the end of its list
  for (const list of ["undone", "done"]) {
    const steps = json.history[list];
    let first = steps.length;
    while (first > 0 && (left -= JSON.stringify(steps[first - 1]).length) >= 0) first--;
    json.history[list] = steps.slice(first);
  }
  return json;
}

export function fromJson({ doc, selection, history: steps }, extensions) {
  if (typeof doc !== "string") throw new RangeError("a file has no text");
  const start = { doc, selection: { main: 0, ranges: [{ anchor: 0, head: 0 }] } };
  const made = (json) => EditorState.fromJSON(json, { extensions }, FIELDS);
  for (const json of [
    { ...start, selection, history: steps },
    { ...start, history: steps },
  ]) {
    try {
      walk(json);
      return made(json);
    } catch {} // a step or the selection is about another text
  }
  return made(start);
}

// Undoes and redoes all of it: a step that does not fit throws a RangeError.
function walk(json) {
  let state = EditorState.fromJSON(
    json,
    { extensions: [history(), EditorState.allowMultipleSelections.of(true)] },
    FIELDS,
  );
  const dispatch = (transaction) => (state = transaction.state);
  for (const step of [redo, undo, redo]) while (step({ state, dispatch })) {}
}
