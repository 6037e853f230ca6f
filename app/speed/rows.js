// What the Speed page knows of a row of public/speed.json: its curve, its name, and the numbers
// that can be drawn.

import { precisionName } from "../worker/devices.js";

// from small to large
export const PRESETS = ["tiny", "small", "medium", "large", "xl", "huge", "massive", "mega", "behemoth"];

const milliseconds = (value) => `${shown(value)} ms`;
// What can be drawn. spread: [least, most] of a row, or null. less: whether less is better.
export const METRICS = {
  median_ms: {
    title: "Milliseconds of a training step",
    axis: "ms a training step",
    short: "ms a step",
    less: true,
    spread: (row) => [row.min_ms, row.max_ms],
    text: milliseconds,
  },
  tokens_per_s: {
    title: "Training tokens each second",
    axis: "training tokens a second",
    short: "tokens/s",
    spread: (row) => perSecond(row),
    text: (value) => `${whole(value)} tokens/s`,
  },
  generation_tokens_per_s: {
    title: "Generated tokens each second",
    axis: "generated tokens a second",
    short: "tokens/s",
    spread: () => null,
    text: (value) => `${whole(value)} tokens/s`,
  },
  first_step_s: {
    title: "Seconds to the first step",
    axis: "seconds to the first step",
    short: "s",
    less: true,
    spread: () => null,
    text: (value) => `${shown(value)} s`,
  },
  peak_bytes: {
    title: "Peak memory, megabytes",
    axis: "MB of memory at the peak",
    short: "MB",
    less: true,
    scale: 1e-6,
    spread: () => null,
    text: (value) => `${whole(value)} MB`,
  },
};

// The tokens of a step, by its median, at its slowest and its fastest.
function perSecond({ tokens_per_s: rate, median_ms: median, min_ms: least, max_ms: most }) {
  return [(rate * median) / most, (rate * median) / least];
}

/** The number of a row, in the metric's unit; null where it was not measured. */
export function number(row, metric) {
  const value = row[metric];
  return value === null || value === undefined ? null : value * (METRICS[metric].scale ?? 1);
}

/** What makes a curve: one implementation in one place on one machine. */
export const curveOf = (row) =>
  [
    machineOf(row),
    row.implementation,
    row.device,
    row.host,
    row.threads,
    precisionName(row.precision),
    row.flags ?? "",
  ].join(" ");

export const machineOf = (row) => row.machine;

const FLAGS = { visitor: "", full: ", all flags", future: ", 256-bit", plain: ", plain SIMD" };
const HOSTS = { webkit: "WebKit" }; // where a capital letter is not enough
const DEVICES = { cpu: "", cuda: " CUDA", webgpu: " WebGPU" };

export function titleOf(row) {
  const place = row.host === "native" ? "" : ` ${HOSTS[row.host] ?? row.host[0].toUpperCase() + row.host.slice(1)}`;
  const threads =
    row.threads && !["webgpu", "cuda"].includes(row.device)
      ? `, ${row.threads} thread${row.threads === 1 ? "" : "s"}`
      : "";
  const precision =
    row.precision === "f32" || row.host.endsWith(row.precision) ? "" : `, ${precisionName(row.precision)}`;
  return `${row.implementation}${DEVICES[row.device] ?? " " + row.device},${place}${threads}${precision}${FLAGS[row.flags] ?? ""}`.replace(
    /,(,|$)/g,
    "$1",
  );
}

// What the words in a title mean: [whether a row has it, the sentence].
const WORDS = [
  [({ precision }) => precision === "f16", "f16: products of 16-bit numbers, summed in 32 bits."],
  [
    ({ precision }) => precisionName(precision) === "f16_matrix",
    "f16_matrix: such products on the GPU's matrix units.",
  ],
  [({ precision }) => precision === "tf32", "tf32: PyTorch's products with 10 bits of fraction."],
  [
    ({ flags }) => flags === "future",
    "256-bit: the engine makes one vector of 256 bits of two of 128, as Chrome does on Intel and AMD with chrome://flags/#enable-future-v8-vm-features on; without this word, the default.",
  ],
  [
    ({ flags }) => flags === "plain",
    "plain SIMD: without fused multiply-adds, as in engines that have no relaxed SIMD (WebKit); without this word, with them.",
  ],
  [
    ({ flags }) => flags === "full",
    "all flags: a browser started with 16-bit products and matrix units on; without these words, the default.",
  ],
  [({ host }) => host === "eager", "Eager: operation by operation."],
  [({ host }) => host.startsWith("graph"), "Graph: the step recorded once, as a CUDA graph."],
];

/** The sentences on the words that these rows' titles hold. */
export const wordsOf = (rows) => WORDS.filter(([has]) => rows.some(has)).map(([, sentence]) => sentence);

/**
 * [{key, title, machine, implementation, rows: {preset: row}}], in the order in which they first
 * appear.
 */
export function curves(rows) {
  const found = new Map();
  for (const row of rows) {
    const key = curveOf(row);
    if (!found.has(key)) found.set(key, { key, title: titleOf(row), machine: machineOf(row), ...row, rows: {} });
    found.get(key).rows[row.preset] = row;
  }
  return [...found.values()];
}

/**
 * Whether an axis of equal factors names this value: 1, 2 or 5 (or only 1) with zeros, not the ends
 * of its range.
 */
export const named = (value, digits = "125") =>
  value !== null && new RegExp(`^[${digits}]e`).test(Number(value.toPrecision(6)).toExponential());

// Three digits that count; 0.0123, 1.23, 12.3, 1,234.
export const shown = (value) => (value >= 1000 ? whole(value) : String(+value.toPrecision(3)));
const whole = (value) => Math.round(value).toLocaleString("en");
