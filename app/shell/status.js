// What the page says in one place: the status line below the editor, and the banner at the top.

import { sentence } from "../ui/format.js";

const line = document.getElementById("status");
const top = document.getElementById("banner");
const sentences = new Map(); // of the banner

// kind: "", "good" or "bad".
export function status(text, kind = "") {
  line.textContent = text;
  line.className = kind;
  line.title = text;
}

// A way to speak on the status line for a while: `say(text, kind)`, and `end()`, after which the
// line says again what it said before, where nobody else has spoken since. `text`: what it says, or
// null.
export function passing() {
  let before = null;
  return {
    text: null,
    say(text, kind = "") {
      if (line.textContent !== this.text) before = [line.textContent, line.className];
      this.text = text;
      if (line.textContent !== text) status(text, kind);
    },
    end() {
      if (this.text !== null && line.textContent === this.text) status(...before);
      this.text = null;
    },
  };
}

// Sentences on a Stop begin so.
export const stopped = (text) => text.startsWith("Stopped");

// What keeps the page from working fully. subject: what the sentence is about; another sentence
// about it replaces this one, and an empty one removes it.
export function banner(subject, text) {
  sentences.set(subject, text);
  top.textContent = [...sentences.values()].filter(Boolean).join(" ");
  top.hidden = !top.textContent;
}

// While the GPU's programs are compiled the status line counts them. Then it says again what it
// said before.
export function countCompilations({ session }) {
  const saying = passing();
  session.addEventListener("compiling", ({ detail: { compiled, total } }) => {
    if (session.state !== "running") return;
    if (compiled < total) saying.say(`Compiling the GPU's programs: ${compiled} of ${total}`);
    else saying.end();
  });
}

// Python came to an end and another one starts: the banner says so until the next run.
export function tellDeaths({ session, controls, training }) {
  session.addEventListener("died", ({ detail: { message } }) => {
    training.ended();
    banner("death", `${sentence(message)} It was restarted: its variables are lost, and the editor keeps its text.`);
  });
  controls.addEventListener("phase", ({ detail: { phase } }) => {
    if (phase === "running") banner("death", "");
  });
}

const RESTING = { running: "Running train.py", paused: "Paused", stopped: "Stopped. Press Resume to continue." };
let warned = null;

// Whether the line says that the run trains, and nothing that somebody may still be reading.
export const calm = () => line.textContent === RESTING.running;

// A function for sentences on the next run, which are said while none runs. Without a sentence the
// last one is taken back.
export function warnings({ controls }) {
  return (sentence) => {
    if (!controls.active && sentence) status(sentence, "bad");
    else if (!controls.active && line.textContent === warned) status(RESTING[controls.phase] ?? "Ready");
    warned = sentence;
  };
}

// An error on the status line is about the code or the inputs as they were: it ends when the code
// is the running one again, and, while nothing runs, when an input changes.
export function endErrors({ editor, controls }) {
  const end = () => {
    if (line.className === "bad" && line.textContent !== warned) status(RESTING[controls.phase] ?? "Ready");
  };
  editor.addEventListener("change", () => {
    if (!editor.changed && !controls.held) end();
  });
  // before those who hear of the input and may have an error to say
  document.addEventListener(
    "change",
    ({ target }) => target.id?.startsWith("setting-") && !controls.active && !controls.held && end(),
    true,
  );
}
