// What the run that the inputs describe will hold in memory, beside the device: "Memory: 268.7 MB
// of 4.29 GB available". Python counts it before the run (py/tinygpt_session/features/memory.py),
// and a run that cannot fit is refused with the sentence that says what to change.
//
// A program of plain PyTorch code is not described by the inputs: nothing is said of it before it
// runs, and nothing is refused. Its message "memory" says what it holds.
//
// Python is asked a moment after the last change, one question at a time; while a model trains it
// answers between two steps. It remembers what it has counted for as long as the model's code stays
// the same.

import { bytes } from "../ui/format.js";
import { tabBudget } from "./device_class.js";

const PATIENCE = 400; // ms after the last change of an input
const AT_START = 1500; // ms: what the user requests first comes first
const PLAIN = /^[ \t]*(?:import|from)[ \t]+torch\b/m; // code of one's own for PyTorch
const NAMES = {
  parameters: "parameters",
  gradients: "gradients",
  moments: "optimizer state",
  activations: "activations",
  tokens: "the text",
};

export class MemoryEstimate {
  // "device" events of `session` may change the answer. So may what a run leaves behind: the page
  // calls soon().
  constructor({ session, settings, editor }) {
    Object.assign(this, { session, settings, editor, asking: null, device: "", program: null });
    this.element = document.getElementById("memory-needs");
    for (const id of ["settings", "settings-more"])
      document.getElementById(id).addEventListener("change", () => this.changed());
    settings.addEventListener("own", () => this.changed());
    settings.addEventListener("adopted", () => this.soon());
    for (const event of ["text", "change"])
      editor.addEventListener(event, () => this.plain !== this.wasPlain && this.changed());
    session.addEventListener("device", ({ detail: { device } }) => this.on(device));
    session.addEventListener("training", ({ detail }) => {
      for (const message of detail) {
        if (message.type === "start") this.program = null;
        if (message.type === "memory") this.put((this.program = message));
      }
    });
    session.ready.then(
      () => this.soon(AT_START),
      () => {},
    );
  }

  // The code in the editor is for PyTorch.
  get plain() {
    const source = this.editor.textOf("train.py") ?? "";
    return PLAIN.test(source) && !source.includes("loop.run(");
  }

  // The inputs describe a run again.
  changed() {
    if (!this.plain) this.program = null;
    this.soon();
  }

  // Another device answers otherwise.
  on(device) {
    if (device === this.device) return;
    this.device = device;
    this.soon();
  }

  soon(patience = PATIENCE) {
    this.wasPlain = this.plain;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.show(), patience);
  }

  // The answer for the inputs as they are: {device, needs, holds, parts, refused}; null where it
  // cannot be known.
  // probe: a GPU's memory is tried, which takes a moment.
  async answer({ probe = false } = {}) {
    if (this.program || this.plain) return this.program;
    const question = {
      settings: this.settings.values(),
      shape: this.settings.own,
      machine: navigator.deviceMemory ?? null,
      budget: tabBudget(),
      probe,
    };
    return this.session.request("plan", question).catch(() => null); // Python was restarted, or an input makes no sense
  }

  async show() {
    if (this.asking) return void (this.again = true);
    this.asking = this.answer();
    const answer = await this.asking;
    this.asking = null;
    if (this.again) {
      this.again = false;
      return this.show();
    }
    this.put(answer);
  }

  put(answer) {
    this.element.textContent = answer ? sentence(answer) : "";
    this.element.title = answer ? (answer.refused ?? breakdown(answer)) : "";
    this.element.classList.toggle("bad", Boolean(answer?.refused));
  }

  // Why the run of these inputs cannot be made, or null.
  async refused() {
    const answer = await this.answer({ probe: true });
    return answer?.refused ?? null;
  }
}

function sentence({ needs, holds, device }) {
  const machine = navigator.deviceMemory,
    most = holds === null ? (device === "webgpu" ? " on the GPU" : "") : ` of ${bytes(holds)} available`;
  const unsure =
    device !== "webgpu" && machine && needs > machine * 2 ** 30 ? `; this machine has ${machine} GB or more` : "";
  return `Memory: ${bytes(needs)}${most}${unsure}`;
}

function breakdown({ type, parts, device }) {
  const list = Object.entries(parts)
    .filter(([, nbytes]) => nbytes)
    .map(([name, nbytes]) => `${NAMES[name]} ${bytes(nbytes)}`)
    .join(", ");
  if (type === "memory") return `What the program held at most so far: ${list}, and the rest.`;
  const most = "The first step needs the most, because it is recorded.";
  const tab = tabBudget() === null ? "" : " A phone or tablet ends a tab that takes more than is available here.";
  return `Estimated before the run: ${list}. ${most}${tab}${device === "webgpu" ? " The browser does not report how much memory a GPU has." : ""}`;
}
