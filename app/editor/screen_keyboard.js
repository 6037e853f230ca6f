// The keyboard on the screen of a phone or tablet, which takes half of it: the caret of the editor
// and its Run and Apply stay in what is left.
//
// Chromium and Firefox make the page smaller (`interactive-widget=resizes-content`), Safari only
// what is seen of it (visualViewport). Both are the same here: while the editor has the focus and
// less than OPEN of the height is seen, body has data-keyboard, and two lengths for the styles:
// --seen, the height that is seen, and --covered, what the keyboard covers of the page.

import { EditorView } from "../../public/vendor/editor.js";

const OPEN = 0.8;
const MARGIN = 28; // px between the caret and the edges of the editor

export function followScreenKeyboard(editor) {
  const view = window.visualViewport;
  if (!view || !matchMedia("(any-pointer: coarse)").matches) return;
  const tallest = new Map(); // by width: turning the device is no keyboard
  const field = document.getElementById("editor"),
    { style } = document.documentElement;

  const follow = () => {
    const width = Math.round(view.width * view.scale),
      seen = view.height * view.scale;
    tallest.set(width, Math.max(tallest.get(width) ?? 0, seen));
    const open = field.contains(document.activeElement) && seen < OPEN * tallest.get(width);
    style.setProperty("--seen", `${Math.round(seen)}px`);
    style.setProperty("--covered", `${Math.max(0, Math.round(innerHeight - view.height - view.offsetTop))}px`);
    if (open) document.body.dataset.keyboard = "open";
    else delete document.body.dataset.keyboard;
    if (open) showCaret();
  };

  const showCaret = () => {
    const { head } = editor.view.state.selection.main;
    document.getElementById("code").querySelector(".editor-bar")?.scrollIntoView({ block: "start" });
    editor.view.dispatch({ effects: EditorView.scrollIntoView(head, { y: "nearest", yMargin: MARGIN }) });
  };

  for (const name of ["resize", "scroll"]) view.addEventListener(name, () => requestAnimationFrame(follow));
  for (const name of ["focusin", "focusout"]) field.addEventListener(name, () => requestAnimationFrame(follow));
  follow();
}
