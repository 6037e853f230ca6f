// What TypeScript's own libraries do not declare: globals that only some engines have, Node's
// modules, and the bundles of the set-up (public/vendor), which are not there before the set-up has
// run.

/** Chromium: reports when the processor is near its limit. */
declare class PressureObserver {
  constructor(report: (records: { state: "nominal" | "fair" | "serious" | "critical" }[]) => void);
  observe(source: "cpu", options?: { sampleInterval?: number }): Promise<void>;
  disconnect(): void;
}

interface Navigator {
  /** Chromium: GiB of memory, rounded. */
  readonly deviceMemory?: number;
  /** Chromium: the engine's names. */
  readonly userAgentData?: { brands: { brand: string; version: string }[]; mobile: boolean; platform: string };
}

declare namespace WebAssembly {
  /** JSPI: there where Python can wait for a promise. */
  const Suspending: (new (f: Function) => Function) | undefined;
}

declare module "node:os" {
  export function availableParallelism(): number;
}

declare module "node:worker_threads" {
  export const parentPort: any;
  export class Worker {
    constructor(address: URL | string, options?: object);
    on(event: string, listener: (value: any) => void): void;
    postMessage(value: unknown): void;
    terminate(): Promise<number>;
  }
}

declare module "*/vendor/pyodide/pyodide.mjs" {
  export { loadPyodide } from "pyodide";
}

declare module "*/vendor/uplot/uPlot.esm.js" {
  export { default } from "uplot";
}
