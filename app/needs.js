// What the run that the inputs describe will hold in memory, beside the device: "Needs 268.7 MB of 4.29 GB". Python counts it before the run
// (app/session/planning.py), and a run that cannot fit is refused with the sentence that says what to change.
//
// Python is asked a moment after the last change, one question at a time; while a model trains it answers between two steps. It
// remembers what it has counted for as long as the model's code stays the same.

import { bytes } from "./words.js";

const PATIENCE = 400; // ms after the last change of an input
const AT_START = 1500; // ms: what the visitor asks for first comes first
const NAMES = { parameters: "parameters", gradients: "gradients", moments: "the optimizer's moments", activations: "activations", tokens: "the text" };

export class Needs {
  // settings(): the inputs' values. phase events of `controls` and "device" events of `session` may change the answer.
  constructor({ session, settings, controls }) {
    Object.assign(this, { session, settings, asking: null, device: "" });
    this.element = document.getElementById("memory-needs");
    for (const id of ["settings", "settings-more"]) document.getElementById(id).addEventListener("change", () => this.soon());
    controls.addEventListener("phase", () => this.soon());
    session.addEventListener("device", ({ detail: { device } }) => this.on(device));
    session.ready.then(() => this.soon(AT_START), () => {});
  }

  // Another device answers otherwise.
  on(device) {
    if (device === this.device) return;
    this.device = device;
    this.soon();
  }

  soon(patience = PATIENCE) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.show(), patience);
  }

  // The answer for the inputs as they are: {device, needs, holds, parts, refused}; null where it cannot be known.
  async answer() {
    const question = { settings: this.settings(), machine: navigator.deviceMemory ?? null };
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
    this.element.textContent = answer ? sentence(answer) : "";
    this.element.title = answer ? (answer.refused ?? told(answer)) : "";
    this.element.classList.toggle("bad", Boolean(answer?.refused));
  }

  // Why the run of these inputs cannot be made, or null.
  async refused() {
    const answer = await this.answer();
    return answer?.refused ?? null;
  }
}

function sentence({ needs, holds, device }) {
  const machine = navigator.deviceMemory, most = holds === null ? (device === "webgpu" ? " on the GPU" : "") : ` of ${bytes(holds)}`;
  const unsure = device !== "webgpu" && machine && needs > machine * 2 ** 30 ? `; this machine has ${machine} GB or more` : "";
  return `Needs ${bytes(needs)}${most}${unsure}`;
}

function told({ parts, device }) {
  const list = Object.entries(parts).filter(([, nbytes]) => nbytes).map(([name, nbytes]) => `${NAMES[name]} ${bytes(nbytes)}`);
  const most = "The first step, which is recorded, holds the most.";
  return `Counted before the run: ${list.join(", ")}. ${most}${device === "webgpu" ? " A browser does not tell how much memory a GPU has." : ""}`;
}
