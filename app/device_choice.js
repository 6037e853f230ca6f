// Which device trains, and how precisely: the two inputs under the settings, and the sentence beside them.
//
// The worker opens the GPU while Python starts and tells what came of it (`offer`). Until the user chooses, the GPU is taken where there
// is a real one that Python can wait for; otherwise the CPU, and the sentence says why. A choice takes hold at once, or in the middle of a
// run at its next step; what the inputs show afterwards is what Python says (`show`).

import { sentence } from "./words.js";

// In shared memory a choice is its place in this list, counted from 1.
export const CHOICES = ["wasm", "webgpu:f32", "webgpu:f16", "webgpu:matrix", "wasm64"];

// The choice that is in use, by what Python says of its device.
export const choiceOf = ({ device, precision }) => (device === "webgpu" ? `webgpu:${precision ?? "f32"}` : device);

const PRECISIONS = {
  f32: ["f32", "Computes in 32-bit floats throughout."],
  f16: ["f16", "Matrix products of 16-bit floats, added up in 32 bits; weights stay 32-bit. Losses change by less than 1 %."],
  matrix: ["tensor cores", "As f16, on the GPU's matrix units: for large models. Losses change by less than 1 %."],
};

const WIDE = "64-bit memory: up to 17 GB, for models that 4.3 GB cannot hold; a step takes a little longer. It is chosen by itself where a run needs it.";
const NO_WAITING = "Python in this browser cannot wait for the GPU (it has no JSPI): numbers come through await x.item_async().";

// What the page takes when nobody chose: {choice, reason: sentence or ""}. gpu: {missing, fallback, name, canWait} or null while it opens.
export function preferred(gpu) {
  const cpu = (reason) => ({ choice: "wasm", reason });
  if (!gpu) return cpu("The GPU is being opened.");
  if (gpu.missing) return cpu(`Training uses the CPU: ${gpu.missing}.`);
  if (!gpu.canWait) return cpu("Training uses the CPU: Python in this browser cannot wait for the GPU (it has no JSPI).");
  if (gpu.fallback) return cpu(`Training uses the CPU: the only graphics adapter here, ${gpu.name}, is software, which is slower.`);
  return { choice: "webgpu:f32", reason: "" };
}

// ?device=webgpu|wasm|wasm64 and ?precision=f32|f16|matrix as one of CHOICES, or null.
export function askedFor(parameters) {
  const device = parameters.get("device");
  const choice = device === "webgpu" ? `webgpu:${parameters.get("precision") ?? "f32"}` : device;
  return CHOICES.includes(choice) ? choice : null;
}

export class DeviceChoice {
  // choose(choice): called when the user has chosen.
  constructor({ choose }) {
    this.part = (id) => document.getElementById(id);
    this.device = this.part("setting-device");
    this.precision = this.part("setting-precision");
    this.gpu = null;
    this.noWide = "it is being looked for"; // why there is no 64-bit memory; null: there is
    this.current = { device: "wasm", precision: "f32" };
    this.problem = "";
    this.touched = false; // whether the choice is the user's
    for (const input of [this.device, this.precision]) {
      input.addEventListener("change", () => {
        this.touched = true;
        choose(choiceOf({ device: this.device.value, precision: this.precision.value || "f32" }));
      });
    }
    this.render();
  }

  offer(gpu) {
    this.gpu = gpu;
    this.render();
  }

  // Whether the CPU can have 64-bit memory: null, or why not.
  offerWide(missing) {
    this.noWide = missing;
    this.render();
  }

  // What Python says it uses now: {device, precision}; problem: why it is not what was chosen.
  show({ device, precision, problem = "" }) {
    if (!problem && device === this.current.device && precision === this.current.precision && this.device.value === device) return;
    this.current = { device, precision: precision ?? "f32" };
    this.problem = problem;
    this.render();
  }

  render() {
    const { gpu, current } = this;
    const there = Boolean(gpu && !gpu.missing);
    fill(this.device, [["wasm", "CPU", false], ["wasm64", "CPU, 64-bit memory", Boolean(this.noWide)], ["webgpu", "GPU (WebGPU)", !there]]);
    this.device.value = current.device;
    this.device.title = `${there ? sentence(gpu.name) + " " : ""}${this.noWide ? `64-bit memory: ${sentence(this.noWide)}` : WIDE}`;
    const rungs = ["f32", "f16", "matrix"].filter((name) => name === "f32" || (there && gpu.rungs.includes(name)));
    fill(this.precision, rungs.map((name) => [name, PRECISIONS[name][0], false]));
    for (const option of this.precision.options) option.title = PRECISIONS[option.value][1];
    this.precision.value = current.precision;
    this.precision.title = rungs.map((name) => `${PRECISIONS[name][0]}: ${PRECISIONS[name][1]}`).join("\n");
    const onGpu = current.device === "webgpu";
    this.part("choice-precision").hidden = !onGpu;
    this.part("choice-threads").hidden = onGpu;
    const computes = there && !gpu.canWait ? NO_WAITING : PRECISIONS[current.precision]?.[1];
    const note = this.problem || (onGpu ? computes : this.touched && there ? "" : preferred(gpu).reason);
    this.part("device-note").textContent = note ?? "";
    this.part("device-note").title = note ?? "";
  }
}

function fill(select, options) {
  select.replaceChildren(...options.map(([value, label, disabled]) => {
    const option = new Option(label, value);
    option.disabled = disabled;
    return option;
  }));
}
