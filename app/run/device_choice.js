// Which device trains, and how precisely: the two inputs under the settings, and the sentence
// beside them.
//
// The worker opens the GPU while Python starts and tells what came of it (`offer`). Until the user
// chooses, the GPU is taken where there is a real one that Python can wait for; otherwise the CPU,
// and the sentence says why. A choice takes hold at once, or in the middle of a run at its next
// step; what the inputs show afterwards is what Python says (`show`).

import { sentence } from "../ui/format.js";
import { choiceOf, preferred } from "../worker/devices.js";

const PRECISIONS = {
  f32: ["f32", "Computes in 32-bit floats throughout."],
  f16: [
    "f16",
    "Matrix products read 16-bit floats and accumulate in 32 bits; weights stay 32-bit. Losses change by less than 1 %.",
  ],
  f16_matrix: ["tensor cores", "As f16, on the GPU's matrix units: for large models. Losses change by less than 1 %."],
};

const WIDE =
  "64-bit memory: up to 17 GB, for models too large for 4.3 GB; a step takes a little longer. The page chooses it where a run needs it.";
const NO_WAITING =
  "Python in this browser cannot wait for the GPU (it has no JSPI). Read numbers with await x.item_async().";

export class DeviceChoice {
  // choose(choice): called when the user has chosen.
  constructor({ choose }) {
    this.part = (id) => document.getElementById(id);
    this.device = this.part("setting-device");
    this.precision = this.part("setting-precision");
    this.gpu = null;
    this.noWide = "still checking"; // why there is no 64-bit memory; null: there is
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
    if (
      !problem &&
      device === this.current.device &&
      precision === this.current.precision &&
      this.device.value === device
    )
      return;
    this.current = { device, precision: precision ?? "f32" };
    this.problem = problem;
    this.render();
  }

  render() {
    const { gpu, current } = this;
    const there = Boolean(gpu && !gpu.missing);
    fill(this.device, [
      ["wasm", "CPU", false],
      ["wasm64", "CPU, 64-bit memory", Boolean(this.noWide)],
      ["webgpu", "GPU (WebGPU)", !there],
    ]);
    this.device.value = current.device;
    this.device.title = `${there ? sentence(gpu.name) + " " : ""}${this.noWide ? `64-bit memory: ${sentence(this.noWide)}` : WIDE}`;
    const precisions = Object.keys(PRECISIONS).filter(
      (name) => name === "f32" || (there && gpu.capabilities.includes(name)),
    );
    fill(
      this.precision,
      precisions.map((name) => [name, PRECISIONS[name][0], false]),
    );
    for (const option of this.precision.options) option.title = PRECISIONS[option.value][1];
    this.precision.value = current.precision;
    this.precision.title = precisions.map((name) => `${PRECISIONS[name][0]}: ${PRECISIONS[name][1]}`).join("\n");
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
  select.replaceChildren(
    ...options.map(([value, label, disabled]) => {
      const option = new Option(label, value);
      option.disabled = disabled;
      return option;
    }),
  );
}
