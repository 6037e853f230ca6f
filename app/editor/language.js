// Python in an editor: colours, indentation, brackets, and the Tab key. The code editor and the
// console's entry share it.

import {
  acceptCompletion,
  bracketMatching,
  classHighlighter,
  closeBrackets,
  drawSelection,
  EditorState,
  EditorView,
  highlightSpecialChars,
  history,
  indentOnInput,
  indentService,
  indentUnit,
  indentWithTab,
  python,
  syntaxHighlighting,
  syntaxTree,
} from "../../public/vendor/editor.js";

const ENDS = new Set(["ReturnStatement", "PassStatement", "BreakStatement", "ContinueStatement", "RaiseStatement"]);
// Characters that turn the direction of text, besides the ones that are shown anyway: code would
// read other than it runs.
const DIRECTION = /[\u202a-\u202c\u2068]/g;
const BLOCK = /^(Script|Body|\w+Statement|\w+Definition)$/;

// After a statement that ends its block, a new line belongs to the block around it. (What follows
// ":" is indented by the language itself.)
const dedentAfterEnd = indentService.of((context, position) => {
  // only for a new line, never for lines that are there
  if (context.options.simulateBreak !== position) return undefined;
  const { state } = context;
  const tree = syntaxTree(state);
  const line = state.doc.lineAt(position);
  let end = position; // of the code before the cursor
  const last = tree.resolveInner(position, -1);
  if (last.name === "Comment") end = last.from;
  end = line.from + state.sliceDoc(line.from, end).trimEnd().length;
  if (state.sliceDoc(position, line.to).trim()) return undefined; // in the middle of a line
  let node = tree.resolveInner(end, -1);
  while (node && !ENDS.has(node.name)) {
    if (node.to > end && !BLOCK.test(node.name)) return undefined; // in the middle of a bracket or a string
    node = node.parent;
  }
  if (!node || node.to > end) return undefined;
  const first = state.doc.lineAt(node.from);
  const indent = /^\s*/.exec(first.text)[0].length;
  // `if done: return` stands on the line of its own block; only a statement that begins its line
  // leaves one.
  return node.from === first.from + indent ? Math.max(0, indent - context.unit) : indent;
});

export const pythonLanguage = () => [
  python(),
  indentUnit.of("    "),
  EditorState.tabSize.of(4),
  syntaxHighlighting(classHighlighter),
  indentOnInput(),
  dedentAfterEnd,
  bracketMatching(),
  closeBrackets(),
  history(),
  highlightSpecialChars({ addSpecialChars: DIRECTION }),
  drawSelection(),
];

// A file that is no Python: a text, with the same keys.
export const plainText = () => [
  EditorState.tabSize.of(4),
  history(),
  highlightSpecialChars({ addSpecialChars: DIRECTION }),
  drawSelection(),
];

// Tab takes the chosen completion, else indents; Shift+Tab dedents. CodeMirror itself gives Tab
// back to the page after Escape.
export const tabKeys = [{ key: "Tab", run: acceptCompletion }, indentWithTab];

export const label = (name) =>
  EditorView.contentAttributes.of({
    "aria-label": `${name}, ${name.endsWith(".py") ? "Python code" : "text"}. Tab indents. To leave the editor, press Escape, then Tab.`,
    tabindex: "0",
  });

// Whether a position is in a comment or in the text of a string.
export function inText(state, position) {
  return /^(String|FormatString|Comment)$/.test(syntaxTree(state).resolveInner(position, -1).name);
}
