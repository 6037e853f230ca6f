// Completion and hover, answered by the interpreter that trains
// (py/tinygpt_session/language/completion.py): names, attributes and signatures are those of the
// objects that are really there. Without an answer in time the words of the document are offered.

import {
  acceptCompletion,
  autocompletion,
  completeAnyWord,
  completionStatus,
  EditorView,
  hoverTooltip,
  keymap,
  localCompletionSource,
  Prec,
  StateEffect,
  StateField,
  showTooltip,
  startCompletion,
} from "../../public/vendor/editor.js";
import { element } from "../ui/dom.js";
import { inText } from "./language.js";
import { place } from "./position.js";

const IDENTIFIER = /[\p{L}\p{N}_]*$/u; // CodeMirror tries it on the last 250 characters alone
const WORD = /[\p{L}\p{N}_]/u;
const LONG = 56; // characters of a signature in the list
const AFTER_START = 300; // ms

// The first completion makes Python read what it answers from: better at the start than at the
// first key.
export function prefetchCompletions(session) {
  const first = { source: "import tinygpt\ntinygpt.", line: 2, column: 8, file: "train.py" };
  session.addEventListener("ready", () =>
    setTimeout(() => session.request("complete", first).catch(() => {}), AFTER_START),
  );
}

// After a question a list without an option, never null: where more was typed meanwhile,
// CodeMirror (6.20) asks again about that after a list, and not after null.
function source(asking, file) {
  let late = null; // {doc, pos, answer}: came when the words of the document were offered already
  return async (context) => {
    const { state, pos } = context;
    const word = context.matchBefore(IDENTIFIER) ?? { from: pos, text: "" };
    const afterDot = state.sliceDoc(word.from - 1, word.from) === ".";
    if ((!word.text && !afterDot && !context.explicit) || /^\d/.test(word.text) || inText(state, pos)) return null;
    const isLate = late?.doc === state.doc && late.pos === pos;
    const question = { source: state.doc.toString(), ...place(state, pos), file };
    const answer = isLate ? late.answer : await asking.ask("complete", question);
    late = null;
    const none = { from: word.from, options: [] };
    if (context.aborted) return null;
    if (answer) {
      if (!answer.options.length) return none;
      // A list for the first letter holds for the letters after it: no question per key.
      return { from: word.from, options: answer.options.map(option), validFor: IDENTIFIER };
    }
    // Steps of a large model take longer than one waits for a list. Who then waits at the same
    // place gets it after all; where Python was busy with the question of another place, this one
    // is asked now.
    const { view } = context;
    const open = asking.open.get("complete");
    open?.answer.then((answer) => {
      if (view?.state.doc !== state.doc || view.state.selection.main.head !== pos) return;
      if (open.args === question) {
        if (!answer) return;
        late = { doc: state.doc, pos, answer };
      }
      startCompletion(view);
    });
    if (afterDot) return none;
    return localCompletionSource(context) ?? completeAnyWord(context);
  };
}

function option({ label, type, detail, info, boost = 0 }) {
  const long = detail?.length > LONG;
  return {
    label,
    type: type === "module" ? "namespace" : type,
    boost,
    detail: long ? detail.slice(0, LONG - 1) + "…" : detail,
    info: info || (long ? detail : undefined),
  };
}

// The words on the chosen name stand beside the list, or where there is no room above or below it:
// never over it.
function besideList(view, list, chosen, info, space) {
  const [right, left] = [space.right - list.right, list.left - space.left];
  if (Math.max(right, left) > 260) {
    const width = Math.min(340, Math.max(right, left) - 12);
    return {
      style: `${right > 260 ? "left" : "right"}: 100%; top: ${chosen.top - list.top}px; max-width: ${width}px`,
      class: "cm-beside",
    };
  }
  // the list is over the cursor's line
  const above = list.bottom <= (view.coordsAtPos(view.state.selection.main.head)?.top ?? 0) + 4;
  return {
    style: `${above ? "bottom" : "top"}: 100%; left: 0; max-width: ${Math.max(240, list.right - list.left)}px`,
    class: "cm-beyond",
  };
}

// ---- hover ----

function box({ label, signature, type, value, doc }) {
  const dom = element("div", { class: "cm-describe" }, element("code", {}, label + (signature ?? "")));
  const small = [type, value].filter(Boolean).join(" · ");
  if (small) dom.append(element("span", {}, small));
  if (doc) dom.append(element("p", {}, doc));
  return dom;
}

// UTF-16 units of the identifier that ends there.
function wordLength(text, end) {
  let start = end;
  while (start > 0) {
    const low = (text.charCodeAt(start - 1) & 0xfc00) === 0xdc00 && start > 1; // half of a character
    const from = start - (low ? 2 : 1);
    if (!WORD.test(text.slice(from, start))) break;
    start = from;
  }
  return end - start;
}

async function described(asking, file, state, pos) {
  const line = state.doc.lineAt(pos);
  const at = pos - line.from;
  const before = wordLength(line.text, at);
  const after = /^[\p{L}\p{N}_]*/u.exec(line.text.slice(at))[0].length;
  if (!(before + after) || inText(state, pos)) return null;
  const [from, to] = [pos - before, pos + after];
  if (/^\d/.test(state.sliceDoc(from, to))) return null;
  const answer = await asking.ask("describe", { source: state.doc.toString(), ...place(state, from), file }, 2000);
  return answer && { pos: from, end: to, above: true, create: () => ({ dom: box(answer) }) };
}

// The same for the keyboard: Ctrl/Cmd+I describes what is at the cursor, until the cursor moves or
// Escape.
const atCursor = StateEffect.define();
const cursorTooltip = StateField.define({
  create: () => null,
  update(tooltip, transaction) {
    if (transaction.docChanged || transaction.selection) tooltip = null;
    for (const effect of transaction.effects) if (effect.is(atCursor)) tooltip = effect.value;
    return tooltip;
  },
  provide: (field) => showTooltip.from(field),
});

// onTyping: whether the list opens by itself; else Tab (behind a name or a dot) and Ctrl+Space open
// it.
export function interpreterHelp(asking, file, { onTyping = true } = {}) {
  const describeHere = (view) => {
    const { state } = view;
    described(asking, file, state, state.selection.main.head).then((tooltip) => {
      if (!tooltip || view.state.doc !== state.doc || !view.state.selection.eq(state.selection)) return;
      view.dispatch({ effects: [atCursor.of(tooltip), EditorView.announce.of(tooltip.create().dom.textContent)] });
    });
    return true;
  };
  const complete = (view) => {
    const { state } = view;
    // never an indentation while the list is open
    if (completionStatus(state) === "active") return acceptCompletion(view) || true;
    return /[\p{L}\p{N}_.]$/u.test(state.sliceDoc(0, state.selection.main.head)) && startCompletion(view);
  };
  const close = (view) =>
    view.state.field(cursorTooltip) !== null && (view.dispatch({ effects: atCursor.of(null) }), true);
  return [
    autocompletion({
      override: [source(asking, file)],
      maxRenderedOptions: 60,
      positionInfo: besideList,
      activateOnTyping: onTyping,
      interactionDelay: onTyping ? 75 : 0,
    }),
    hoverTooltip((view, pos) => described(asking, file, view.state, pos), { hoverTime: 350, hideOnChange: true }),
    cursorTooltip,
    Prec.high(
      keymap.of([
        { key: "Mod-i", run: describeHere, preventDefault: true },
        { key: "Escape", run: close },
      ]),
    ),
    onTyping ? [] : Prec.high(keymap.of([{ key: "Tab", run: complete }])),
  ];
}
