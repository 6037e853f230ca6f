// @ts-check
// What the page needs of a browser, in the order of "This browser". docs/browsers.md has the same
// rows (python3 -m tests.engines). short: what the button says where this alone is missing.

/** @type {{ name: string, short?: string }[]} */
export const FEATURES = [
  { name: "Threads", short: "No threads" },
  { name: "GPU (WebGPU)", short: "No GPU" },
  { name: "Waiting in Python (JSPI)", short: "No JSPI" },
  { name: "SIMD", short: "No SIMD" },
  { name: "Relaxed SIMD", short: "No relaxed SIMD" },
  { name: "Wide vectors" },
  { name: "Storage", short: "No storage" },
  { name: "Without a network", short: "Not offline" },
  { name: "Processor load" },
  { name: "Links" },
  { name: "Phone or tablet" },
];
