// What the page uses of CodeMirror 6, re-exported: the set-up bundles this file into public/vendor/editor.js.
export { EditorState, EditorSelection, StateEffect, StateField, Compartment, Prec, Text } from "@codemirror/state";
export {
  EditorView, ViewPlugin, Decoration, WidgetType, keymap, lineNumbers, drawSelection, dropCursor, highlightActiveLine, highlightActiveLineGutter,
  highlightSpecialChars, hoverTooltip, showTooltip, placeholder, rectangularSelection, crosshairCursor, tooltips,
} from "@codemirror/view";
export { defaultKeymap, history, historyKeymap, indentWithTab, insertNewlineAndIndent, isolateHistory } from "@codemirror/commands";
export {
  acceptCompletion, autocompletion, closeBrackets, closeBracketsKeymap, completeAnyWord, completionKeymap, completionStatus, startCompletion,
} from "@codemirror/autocomplete";
export { bracketMatching, indentOnInput, indentService, indentUnit, syntaxHighlighting, syntaxTree } from "@codemirror/language";
export { classHighlighter } from "@lezer/highlight";
export { lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
export { diff, getChunks, goToNextChunk, goToPreviousChunk, unifiedMergeView } from "@codemirror/merge";
export { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
export { localCompletionSource, python } from "@codemirror/lang-python";
