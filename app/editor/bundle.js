// What the page uses of CodeMirror 6, re-exported: the set-up bundles this file into
// public/vendor/editor.js.

export {
  acceptCompletion,
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  closeCompletion,
  completeAnyWord,
  completionKeymap,
  completionStatus,
  startCompletion,
} from "@codemirror/autocomplete";
export {
  defaultKeymap,
  history,
  historyField,
  historyKeymap,
  indentWithTab,
  insertNewlineAndIndent,
  isolateHistory,
  redo,
  undo,
} from "@codemirror/commands";
export { localCompletionSource, python } from "@codemirror/lang-python";
export {
  bracketMatching,
  indentOnInput,
  indentService,
  indentUnit,
  syntaxHighlighting,
  syntaxTree,
} from "@codemirror/language";
export { lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
export { diff, getChunks, goToNextChunk, goToPreviousChunk, unifiedMergeView } from "@codemirror/merge";
export { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
export { Compartment, EditorSelection, EditorState, Prec, StateEffect, StateField, Text } from "@codemirror/state";
export {
  crosshairCursor,
  Decoration,
  drawSelection,
  dropCursor,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  hoverTooltip,
  keymap,
  lineNumbers,
  placeholder,
  rectangularSelection,
  showTooltip,
  tooltips,
  ViewPlugin,
  WidgetType,
} from "@codemirror/view";
export { classHighlighter } from "@lezer/highlight";
