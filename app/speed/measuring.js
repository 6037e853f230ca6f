// *Measure on this machine*: the bench's measurement in this tab, in a session of its own
// (app/worker/session.js). The devices take turns of a few steps, as in `make bench`; rows have the
// form of public/speed.json.

import { measurePeaks } from "../bridges/peak.js";
import { pairs } from "../ui/format.js";
import { Session } from "../worker/session.js";

const TURNS = 5,
  STEPS = 3; // as in tests/bench
const STOPPED = "The measurement was stopped.";
export const MACHINE = "This machine";

export class Measuring {
  // defaults: py/defaults.json. say(sentence): progress.
  constructor({ defaults, say }) {
    Object.assign(this, { defaults, say, session: null, facts: null });
  }

  async open() {
    if (!this.session) {
      this.say("Starting Python in this tab");
      this.session = new Session({ choice: "wasm" });
    }
    return this.session.ready;
  }

  /**
   * The devices of this tab: {choice, device, threads}; the GPU where it is a real one that Python
   * can wait for.
   */
  async devices() {
    const { device } = await this.open();
    if (device.missing) throw new Error(device.missing);
    const gpu = await this.session?.graphics;
    if (!this.session) throw new Error(STOPPED);
    const gpuMissing = gpu.missing ?? (gpu.fallback ? "this browser has one in software only" : null);
    this.facts = { unshared: device.unshared, gpu: gpuMissing };
    return [
      ...[...new Set([device.threads, 1])].map((threads) => ({
        choice: "wasm",
        device: "wasm",
        threads,
        build: device.build,
      })),
      ...(gpu.missing || gpu.fallback || !gpu.canWait
        ? []
        : [{ choice: "webgpu:f32", device: "webgpu", threads: null, build: gpu.name }]),
    ];
  }

  /** Measures `presets` in order; row(row) gets each result as soon as its preset is done. */
  async steps(presets, row) {
    const devices = await this.devices();
    for (const preset of presets) {
      const ms = devices.map(() => []),
        cold = [],
        about = [];
      for (const [i, device] of devices.entries()) {
        this.say(`${preset}: a new model on ${named(device)}`);
        cold[i] = await this.ask("cold", { preset }, device);
      }
      for (let turn = 0; turn < TURNS; turn++) {
        for (const [i, device] of devices.entries()) {
          this.say(
            `${preset}: ${named(device)}, ${turn ? `steps ${turn * STEPS + 1} to ${(turn + 1) * STEPS} of ${TURNS * STEPS}` : "warming up"}`,
          );
          about[i] = await this.ask("steps", { preset, steps: STEPS }, device);
          ms[i].push(...about[i].ms);
        }
      }
      await this.ask("forget");
      devices.forEach((device, i) => row(this.row(preset, device, ms[i], { ...about[i], ...cold[i] })));
    }
  }

  row(preset, { device, build }, ms, about) {
    const { model, train } = this.defaults.presets[preset],
      sorted = [...ms].sort((a, b) => a - b),
      median = sorted[ms.length >> 1];
    return {
      preset,
      implementation: "TinyGPT",
      device,
      host: "this tab",
      threads: device === "wasm" ? about.threads : null,
      precision: "f32",
      flags: pairs(build) ? "future" : device === "wasm" && !/relaxed/.test(build) ? "plain" : null,
      build: about.build,
      machine: MACHINE,
      steps: ms.length,
      median_ms: median,
      min_ms: sorted[0],
      max_ms: sorted.at(-1),
      tokens_per_s: (train.batch_size * model.context * 1000) / median,
      first_step_s: about.first_step_s,
      peak_bytes: null,
      generation_tokens_per_s: about.generation_tokens_per_s,
      first_token_ms: about.first_token_ms,
      losses: about.losses,
    };
  }

  /**
   * The rooflines of a preset's step on the processor: {rows, peaks, threads, build, preset,
   * step_ms}, as tests/bench/kernels has them.
   */
  async kernels(preset) {
    const [{ threads }] = await this.devices();
    this.say(`Measuring the peak of ${threads === 1 ? "one thread" : `${threads} threads`}`);
    const peaks = await measurePeaks({ threads });
    this.say(`Timing each kernel of a step of ${preset}`);
    const measured = await this.ask("kernels", { preset, threads });
    return { ...measured, peaks, rows: await this.ask("roofline", { rows: measured.rows, peaks }) };
  }

  // An answer of py/tinygpt_session/features/speed_measurement.py, with a device of `devices` in
  // force.
  async ask(what, args = {}, { choice, threads } = {}) {
    if (!this.session) throw new Error(STOPPED);
    return this.session.request(`measure ${what}`, { ...(choice && { device: choice, threads }), ...args });
  }

  // What runs ends at once: Python goes, and comes again when something is measured next.
  stop() {
    this.session?.end(STOPPED);
    this.session = null;
  }
}

const named = ({ device, threads }) =>
  device === "webgpu" ? "the GPU" : threads === 1 ? "1 thread" : `${threads} threads`;
