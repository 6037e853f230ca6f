// @ts-check
// The devices that the page and Python's worker know by name: what a choice is called, and which
// one is taken where nobody chose.

// In shared memory a choice is its place in this list, counted from 1.
export const CHOICES = ["wasm", "webgpu:f32", "webgpu:f16", "webgpu:f16_matrix", "wasm64"];

/**
 * A precision's name; addresses, saved runs and measured rows may have the former name of one.
 *
 * @param {string} name
 */
export const precisionName = (name) => (name === "matrix" ? "f16_matrix" : name);

/**
 * The choice that is in use, by what Python says of its device.
 *
 * @param {{ device: string, precision?: string }} facts
 */
export const choiceOf = ({ device, precision }) =>
  device === "webgpu" ? `webgpu:${precisionName(precision ?? "f32")}` : device;

/**
 * What the page takes when nobody chose; reason: a sentence or "". gpu: null while it opens.
 *
 * @param {import("./protocol.js").GraphicsFacts | null} gpu
 * @returns {{ choice: string, reason: string }}
 */
export function preferred(gpu) {
  const cpu = (/** @type {string} */ reason) => ({ choice: "wasm", reason });
  if (!gpu) return cpu("The GPU is opening.");
  if (gpu.missing) return cpu(`Training uses the CPU: ${gpu.missing}.`);
  if (!gpu.canWait)
    return cpu("Training uses the CPU: Python in this browser cannot wait for the GPU (it has no JSPI).");
  if (gpu.fallback) return cpu(`Training uses the CPU: the only GPU, ${gpu.name}, is a slower software renderer.`);
  return { choice: "webgpu:f32", reason: "" };
}

/**
 * ?device=webgpu|wasm|wasm64 and ?precision=f32|f16|f16_matrix as one of CHOICES, or null.
 *
 * @param {URLSearchParams} parameters
 */
export function requestedChoice(parameters) {
  const device = parameters.get("device");
  const precision = parameters.get("precision") ?? "f32";
  const choice = device === null ? null : choiceOf({ device, precision });
  return choice !== null && CHOICES.includes(choice) ? choice : null;
}
