// What a training run shows: numbers, chart and samples, from the messages of tinygpt.loop.
//
// start {preset, parameters, steps, batch_tokens, device, build, threads, precision, vocab_size, step}
// step {step, loss, lr, ms, grad_norm?, planned_bytes?}   eval {step, val_loss}   sample_start {step}   sample {text}   sample_end
// note {text}   device {device, build, threads, precision}   finish {step, reason}
// A run that goes on after a loss of the GPU starts again at a later step than 0, and repeats steps.

import { LossChart } from "./chart.js";

const KEEP = 20_000; // characters of samples kept on the page
const WINDOW = 20; // steps whose median time gives the speed

export class TrainingView {
  // note(text): where a sentence of the loop goes. device(facts): told of a change of device.
  constructor({ note, device }) {
    this.note = note;
    this.device = device;
    this.part = (id) => document.getElementById(id);
    this.chart = new LossChart(this.part("chart"));
    this.run = null;
  }

  receive(messages) {
    for (const message of messages) this["on_" + message.type]?.(message);
    this.showSoon();
  }

  on_start(message) {
    const goesOn = message.step > 0 && this.run;
    this.run = { loss: null, val: null, planned: 0, ...(goesOn && this.run), ...message, times: [], done: message.step, reason: null };
    if (goesOn) return;
    this.chart.reset(message.vocab_size);
    this.part("sample-text").replaceChildren();
  }

  on_step({ step, loss, lr, ms, planned_bytes }) {
    const run = this.run;
    if (!run) return;
    Object.assign(run, { step, loss, lr, done: step + 1 });
    if (planned_bytes) run.planned = planned_bytes;
    run.times.push(ms);
    if (run.times.length > WINDOW) run.times.shift();
    this.chart.add(step, loss);
  }

  on_eval({ step, val_loss }) {
    if (this.run) this.run.val = val_loss;
    this.chart.addValidation(step, val_loss);
  }

  on_sample_start({ step }) {
    const pre = this.part("sample-text");
    const head = pre.appendChild(document.createElement("span"));
    head.className = "sample-head";
    head.textContent = `step ${step.toLocaleString("en")}\n`;
    this.sampleNode = pre.appendChild(document.createElement("span"));
    while (pre.textContent.length > KEEP && pre.childElementCount > 2) pre.firstElementChild.remove();
  }

  on_sample({ text }) {
    const pre = this.part("sample-text");
    const bottom = pre.scrollHeight - pre.scrollTop - pre.clientHeight < 40;
    this.sampleNode?.append(text);
    if (bottom) pre.scrollTop = pre.scrollHeight;
  }

  on_sample_end() {
    this.sampleNode?.append("\n\n");
    this.sampleNode = null;
  }

  on_note({ text }) {
    this.note(text);
  }

  on_device(message) {
    if (this.run) Object.assign(this.run, message, { type: "start", times: [] });
    this.device(message);
  }

  on_finish({ step, reason }) {
    if (this.run) Object.assign(this.run, { reason, done: step });
  }

  // ---- numbers, once per frame ----

  showSoon() {
    this.frame ??= requestAnimationFrame(() => this.show());
  }

  show() {
    this.frame = null;
    const run = this.run;
    if (!run) return;
    const set = (id, text) => {
      const node = this.part(id);
      if (node.textContent !== text) node.textContent = text;
    };
    const ms = median(run.times);
    const left = run.steps - run.done;
    set("number-loss", run.loss === null ? "–" : run.loss.toFixed(3));
    set("number-val", run.val === null ? "–" : run.val.toFixed(3));
    set("number-step", run.done.toLocaleString("en"));
    set("number-steps", `of ${run.steps.toLocaleString("en")}`);
    set("number-speed", ms ? compact((run.batch_tokens / ms) * 1000) : "–");
    set("number-eta", run.reason ? { done: "done", stopped: "stopped", error: "error" }[run.reason] ?? "–" : ms ? "about " + duration((left * ms) / 1000) : "–");
    const facts = [
      `${run.preset}: ${compact(run.parameters)} parameters`,
      run.device === "webgpu" ? `webgpu, ${run.precision}` : `${run.device}, ${run.threads === 1 ? "1 thread" : run.threads + " threads"}`,
      ms && `${ms.toFixed(ms < 10 ? 2 : 1)} ms a step`,
      run.planned && `${bytes(run.planned)} planned`,
      typeof run.lr === "number" && `lr ${short(run.lr)}`,
    ];
    set("facts", facts.filter(Boolean).join(" · "));
  }
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length ? sorted[sorted.length >> 1] : 0;
}

// 0.0003 as 3e-4
const short = (number) => (number && Math.abs(number) < 1e-2 ? number.toExponential(1).replace(".0e", "e") : String(+number.toPrecision(2)));

export function compact(number) {
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (number >= size) return (number / size).toFixed(number >= 100 * size ? 0 : number >= 10 * size ? 1 : 2) + unit;
  }
  return number.toFixed(0);
}

export function bytes(number) {
  return number >= 1e9 ? (number / 1e9).toFixed(2) + " GB" : number >= 1e6 ? (number / 1e6).toFixed(1) + " MB" : (number / 1e3).toFixed(0) + " kB";
}

export function duration(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 3600 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
