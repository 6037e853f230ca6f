// What a training run shows: numbers, chart, facts and samples, from the training messages of
// app/worker/protocol.js, each of which has a method `on_<type>`.
//
// A run that goes on after a loss of the GPU starts again at a later step than 0, and repeats
// steps.

import { lowerBound, range, thinned } from "../chart/downsample.js";
import { LossChart } from "../chart/loss_chart.js";
import { Runs } from "../chart/runs.js";
import { element } from "../ui/dom.js";
import { bytes, clockTime, compact, duration, lossText, shortNumber } from "../ui/format.js";
import { atNextFrame } from "../ui/frame_scheduler.js";
import { popover } from "../ui/popover.js";
import { bitsPerToken, divergence, isBytes, LEARN, meaning, WORDS } from "./meaning.js";
import { PressureChip } from "./pressure.js";
import { RunsPanel } from "./runs_list.js";
import { Samples } from "./samples.js";

const WINDOW = 20; // steps whose median time gives the speed
const WARM = 5; // first steps, which record and warm up: they do not count for the pace
const PACE = 10_000; // ms after which a step counts for the pace by 1/e
const SPIKE = 10; // a step counts for so many median steps at most: the machine may have slept
const SENTENCE = 2000; // ms between two updates of the sentence: time to read it
const SAID = 10_000; // ms between two announcements to a screen reader
const ENDS = { done: "done", stopped: "stopped", error: "error", diverged: "diverged" };

export class TrainingView {
  // settings: the Settings, whose values the list of runs shows. device(facts): called at a change
  // of device. note(text): where a sentence of the loop goes. corpus(name): called with the
  // text of the run, or null, when one begins or is restored.
  constructor({ settings, device, note, corpus = () => {} }) {
    Object.assign(this, {
      settings,
      device,
      note,
      corpus,
      run: null,
      clock: { ran: 0, since: null },
      editText: null,
      stalled: false,
    });
    this.part = (id) => document.getElementById(id);
    this.runs = new Runs();
    this.chart = new LossChart(this.part("chart"), this.runs);
    this.samples = new Samples(this.part("sample-text"));
    this.build();
  }

  receive(messages) {
    for (const message of messages) {
      try {
        this["on_" + message.type]?.(message);
      } catch (error) {
        reportError(error); // the messages behind it are shown
      }
    }
    this.showSoon();
  }

  // ---- for the page ----

  // The logged steps of the current run: [{step, loss, lr, grad_norm, ms}]; its evaluations:
  // [{step, val_loss}].
  history() {
    return this.runs.current?.history() ?? [];
  }

  evaluations() {
    return this.runs.current?.evaluations() ?? [];
  }

  state() {
    const { done: step = 0, loss = null, val: val_loss = null, lr = null, device = null } = this.run ?? {};
    return { step, loss, val_loss, lr, device, tokens_per_s: this.speed(), run: this.runs.current?.name ?? null };
  }

  // What the page shows of the run, for a save: its numbers and curve up to `step`, the curve of at
  // most `points` points, and the last `characters` of the samples. `restore` takes the same.
  snapshot(step, { points, characters }) {
    const {
      run,
      runs: { current },
    } = this;
    const to = lowerBound(current.steps, step);
    const kept = to <= points ? range(0, to) : thinned(current.steps.slice(0, to), current.losses, points / 2);
    const evaluations = lowerBound(current.evalSteps, step + 1);
    const curve = Object.fromEntries(
      ["steps", "losses", "lrs", "norms", "ms"].map((name) => [name, kept.map((i) => current[name][i])]),
    );
    curve.evalSteps = current.evalSteps.slice(0, evaluations);
    curve.evalLosses = current.evalLosses.slice(0, evaluations);
    curve.metrics = current.savedMetrics(step, points);
    const { times, ...numbers } = run;
    return {
      name: current.name,
      run: { ...numbers, done: step, reason: null, paused: false },
      facts: current.facts,
      colour: current.colour,
      marks: current.marks.filter((mark) => mark.step <= step),
      curve,
      elapsed: this.elapsed(),
      samples: this.samples.text.slice(-characters),
    };
  }

  // Shows a snapshot as the current run, under the name `name`. id: of the saved run, whose curve
  // may be on the chart already.
  restore({ run, facts, curve, marks, elapsed, samples, colour = null }, name, id = null) {
    const before = id && this.runs.takeSaved(id);
    this.chart.reset(facts.vocab_size ?? 0, { ...facts, run: name });
    if (before ?? colour) this.runs.current.colour = before?.colour ?? this.runs.freeColour(colour);
    this.runs.current.saved = id;
    this.runs.current.restore(curve, marks);
    this.run = { ...run, times: (curve.ms ?? []).slice(-WINDOW).filter((ms) => ms !== null) };
    this.clock = { ran: elapsed ?? 0, since: null };
    this.corpus(run.corpus ?? null);
    this.samples.clear();
    if (samples) this.samples.text = samples;
    this.sentence.textContent = "";
    this.sentenceAt = -Infinity;
    this.runs.changed();
    this.chart.draw();
    this.showSoon();
  }

  rename(name) {
    this.runs.rename(this.runs.current, name);
  }

  // The next run without a name gets a higher number than `count`.
  countFrom(count) {
    this.runs.begun = Math.max(this.runs.begun, count);
  }

  // The run is forgotten: its curve stays, the numbers wait for the next one.
  forget() {
    this.run = null;
    for (const id of ["loss", "val", "step", "speed", "eta"]) this.part("number-" + id).textContent = "–";
    for (const id of ["bits", "val-step", "steps", "batch", "elapsed"]) this.part("number-" + id).textContent = "";
    this.sentence.textContent = "";
  }

  // The run has ended without a message: Python was restarted.
  ended(reason = "stopped") {
    if (this.run && !this.run.reason) this.receive([{ type: "finish", step: this.run.done, reason }]);
  }

  // stalled: there are no steps now, so neither speed nor time left is known.
  stall(stalled) {
    this.stalled = stalled;
    this.showSoon();
  }

  // text: what the mark on the chart says when the edit that is on its way is applied; null: no
  // code has changed, and there is no mark.
  expectEdit(text) {
    this.editText = text;
  }

  // ---- the loop's messages ----

  on_start(message) {
    const again = this.run && (message.goes_on ?? message.step > 0);
    const fresh = {
      loss: null,
      val: null,
      valStep: null,
      planned: 0,
      spent: 0,
      worked: 0,
      counted: 0,
      clocked: 0,
      due: {},
    };
    this.run = {
      ...fresh,
      ...(again && this.run),
      ...message,
      times: [],
      pace: newPace(),
      done: message.step,
      reason: null,
      paused: false,
    };
    this.run.due = { eval: newDue(message.eval_interval), sample: newDue(message.sample_interval) };
    if (again && this.runs.current) this.runs.current.facts.train = message.train;
    if (!again) {
      this.clock = { ran: 0, since: null };
      this.saidAt = performance.now();
      this.sentenceAt = -Infinity;
      this.run.corpus ??= this.settings.values().corpus ?? this.part("setting-corpus")?.value ?? null;
      this.chart.reset(message.vocab_size, { ...message, settings: this.settings.values(), corpus: this.run.corpus });
      this.samples.clear();
    }
    this.corpus(this.run.corpus ?? null);
    this.goOn(true);
  }

  on_step({ step, loss, lr, ms, grad_norm, planned_bytes, metrics }) {
    const run = this.run;
    if (!run || (run.step === step && run.done === step + 1)) return; // a Stop may send the last one twice
    Object.assign(run, { step, loss, lr, done: step + 1 });
    if (planned_bytes) run.planned = planned_bytes;
    run.times.push(ms);
    if (run.times.length > WINDOW) run.times.shift();
    run.spent += ms;
    run.worked += Math.min(ms, SPIKE * median(run.times));
    run.counted += 1;
    run.clocked = this.elapsed();
    const { pace } = run;
    if (++pace.seen > WARM) {
      const fade = Math.exp(-ms / PACE);
      pace.ms = pace.ms * fade + Math.min(ms, SPIKE * median(run.times));
      pace.steps = pace.steps * fade + 1;
    }
    this.chart.add(step, loss, { lr, grad_norm, ms, metrics });
  }

  on_metrics({ step, metrics }) {
    this.chart.addMetrics(step, metrics);
  }

  on_eval({ step, val_loss, ms = 0 }) {
    if (this.run) Object.assign(this.run, { val: val_loss, valStep: step });
    this.took("eval", step, ms);
    this.chart.addValidation(step, val_loss);
  }

  on_adjusted({ step, changes, steps, eval_interval, sample_interval }) {
    this.chart.mark(step, this.settings.said(changes));
    if (!this.run) return;
    Object.assign(this.run, { steps, eval_interval, sample_interval });
    if (changes.eval_interval) this.run.due.eval.interval = eval_interval;
    if (changes.sample_interval) this.run.due.sample.interval = sample_interval;
    const { facts } = this.runs.current;
    const after = Object.fromEntries(Object.entries(changes).map(([name, [, value]]) => [name, value]));
    Object.assign(facts, {
      steps,
      settings: { ...facts.settings, ...after },
      train: { ...facts.train, ...after },
    });
  }

  on_applied({ step }) {
    if (this.editText) this.chart.mark(step, this.editText);
    this.editText = null;
  }

  // arrived: false where the new code failed before its first step, and so never trained.
  on_reverted({ step, error, line, arrived = true }) {
    if (!arrived) return;
    const last = String(error ?? "")
      .trimEnd()
      .split("\n")
      .at(-1);
    this.chart.mark(step, `rolled back: ${line ? `line ${line}: ` : ""}${last}`, { bad: true });
  }

  on_paused() {
    if (this.run) this.run.paused = true;
    this.sentenceAt = -Infinity;
    this.goOn(false);
  }

  on_resumed() {
    if (this.run) this.run.paused = false;
    this.goOn(true);
  }

  on_sample_start({ step }) {
    this.samples.start(step);
  }

  on_sample({ text }) {
    this.samples.add(text);
  }

  on_sample_end({ ms = 0 }) {
    this.took("sample", this.run?.step ?? 0, ms);
    this.samples.end();
  }

  on_note({ text }) {
    this.note(text);
  }

  on_device(message) {
    if (this.run) Object.assign(this.run, message, { type: "start", times: [], pace: newPace() });
    this.device(message);
  }

  on_finish({ step, reason }) {
    if (this.run) Object.assign(this.run, { reason, done: step, paused: false });
    this.saidAt = this.sentenceAt = -Infinity; // the last words come at once
    this.goOn(false);
  }

  // ---- the clock: without pauses ----

  goOn(running) {
    const { clock } = this,
      now = performance.now();
    if (clock.since !== null) clock.ran += now - clock.since;
    clock.since = running ? now : null;
    clearInterval(this.ticking);
    if (running) this.ticking = setInterval(() => this.showSoon(), 1000); // the time goes on in a long step too
  }

  elapsed() {
    const { ran, since } = this.clock;
    return ran + (since === null ? 0 : performance.now() - since);
  }

  // Milliseconds that the run's steps, evaluations and samples took; a step that took far longer
  // than the others waited for something else.
  worked() {
    return this.run?.worked ?? 0;
  }

  // New tokens a second, or null.
  speed() {
    const ms = this.run && median(this.run.times);
    return ms ? (this.run.batch_tokens / ms) * 1000 : null;
  }

  // An evaluation or a sample took so long. How often they come: as the run said at its start, or
  // as they came, where the code has it otherwise.
  took(kind, step, ms) {
    const { run } = this,
      due = run?.due?.[kind];
    if (!due) return;
    if (due.step !== null && step > due.step) due.interval = step - due.step;
    Object.assign(due, { step, ms });
    run.spent += ms;
    run.worked += ms;
    run.clocked = this.elapsed();
  }

  // Milliseconds: the steps at the pace of the last seconds, the evaluations and samples to come at
  // the cost of the last one, and for each step what else went between the steps so far.
  left() {
    const { steps, done, times, pace = newPace(), due = {}, spent, counted, clocked = 0 } = this.run;
    const coming = Object.values(due).reduce((sum, { interval, ms }) => sum + ms * comings(interval, done, steps), 0);
    // `spent` is what steps, evaluations and samples took
    const between = counted >= 100 ? Math.max(0, clocked - spent) / counted : 0;
    return (steps - done) * ((pace.steps ? pace.ms / pace.steps : median(times)) + between) + coming;
  }

  // ---- what is shown ----

  // Adds to the page's numbers what belongs to each: a text on what it is, and a second line.
  build() {
    const cells = {
      loss: ["number-loss", "Loss", "number-bits"],
      val: ["number-val", "Validation", "number-val-step"],
      step: ["number-step", "Step", "number-steps"],
      speed: ["number-speed", "Tokens/s", "number-batch"],
      eta: ["number-eta", "Time left", "number-elapsed"],
    };
    for (const [word, [id, label, second]] of Object.entries(cells)) {
      const cell = this.part(id).parentElement,
        term = cell.querySelector("dt");
      const under = this.part(second) ?? element("span");
      under.id = second;
      term.replaceChildren(
        ...[...term.children].filter((node) => node.className.includes("swatch")),
        ...explained(word, label),
      );
      if (word === "speed") this.speedLabel = term.querySelector("button").firstChild;
      cell.append(element("dd", { class: "under" }, under));
    }
    const facts = this.part("facts");
    facts.replaceChildren();
    this.facts = Object.fromEntries(
      ["model", "device", "ms", "planned", "lr"].map((word) => {
        const [button, text] = explained(word, "");
        return [word, facts.appendChild(element("span", { class: "fact", hidden: true }, button, text))];
      }),
    );
    new PressureChip(facts);
    this.sentence = element("p", { id: "meaning" });
    this.said = element("p", { class: "said", ariaLive: "polite" });
    this.part("chart").after(this.sentence, this.said);
    this.buildRuns();
  }

  // The list of runs, behind a button above the chart.
  buildRuns() {
    const button = element("button", { type: "button", title: "Show, rename and remove runs" }, "Runs");
    button.addEventListener("click", () => this.runs.changed());
    this.chart.key.tools.prepend(button);
    const panel = popover(button, "div", "runs-popover");
    Object.assign(panel, { role: "group", ariaLabel: "Runs" });
    this.chart.parent.append(panel);
    new RunsPanel(panel, { runs: this.runs });
    this.runs.addEventListener("change", () => {
      const text = this.runs.all.length > 1 ? `Runs (${this.runs.all.length})` : "Runs";
      if (button.textContent !== text) button.textContent = text;
    });
  }

  showSoon() {
    this.waiting ??= atNextFrame(() => this.show());
  }

  show() {
    this.waiting = null;
    const run = this.run;
    if (!run) return;
    const put = (node, text) => {
      if (node.textContent !== text) node.textContent = text;
    };
    const set = (id, text) => put(this.part(id), text);
    const ms = median(run.times),
      guess = this.runs.current?.guess ?? null,
      tokens = run.batch_tokens > 0; // plain PyTorch code says nothing of tokens
    set("number-loss", run.loss === null ? "–" : lossText(run.loss));
    set(
      "number-bits",
      run.loss === null || run.loss >= 100 || !tokens // that many bits say nothing
        ? ""
        : `${bitsPerToken(run.loss).toFixed(2)} bits/${guess !== null && isBytes(guess) ? "byte" : "token"}`,
    );
    set("number-val", run.val === null ? "–" : lossText(run.val));
    set("number-val-step", run.val === null ? "" : `step ${run.valStep.toLocaleString("en")}`);
    set("number-step", run.done.toLocaleString("en"));
    set("number-steps", run.steps ? `of ${run.steps.toLocaleString("en")}` : ""); // 0: nobody knows
    const pace = ms && !this.stalled;
    put(this.speedLabel, tokens ? "Tokens/s" : "Steps/s");
    set("number-speed", pace ? compact(tokens ? this.speed() : 1000 / ms) : "–");
    set("number-batch", tokens ? `${run.batch_tokens.toLocaleString("en")}/step` : "");
    const over = run.steps > 0 && run.done >= run.steps; // one that was loaded has no reason
    const known = pace && run.steps > 0;
    const left = over ? ENDS.done : run.paused ? "paused" : known ? "about " + duration(this.left() / 1000) : "–";
    set("number-eta", run.reason ? (ENDS[run.reason] ?? "–") : left);
    const ran = this.elapsed(); // 0 of a model that was loaded: nobody knows
    set("number-elapsed", ran ? `${clockTime(ran / 1000)} elapsed` : "");
    const threads = run.threads === 1 ? "1 thread" : `${run.threads} threads`;
    const facts = {
      model: `${run.preset}: ${compact(run.parameters)} parameters`,
      device: [run.device, run.device !== "webgpu" && run.threads && threads, run.precision ?? "f32"]
        .filter(Boolean)
        .join(", "),
      ms: ms && `${ms.toFixed(ms < 10 ? 2 : 1)} ms a step`,
      planned: run.planned && `${bytes(run.planned)} planned`,
      lr: typeof run.lr === "number" && `lr ${shortNumber(run.lr)}`,
    };
    for (const [word, text] of Object.entries(facts)) {
      this.facts[word].hidden = !text;
      if (text) put(this.facts[word].firstChild, text);
    }
    this.explain(guess);
  }

  // The sentence on the loss, and what a screen reader says.
  explain(guess) {
    const {
        run,
        runs: { current },
      } = this,
      now = performance.now();
    if (!current?.losses.length || now - this.sentenceAt < SENTENCE) return;
    this.sentenceAt = now;
    // At first the loss falls within a few steps: their mean is over a quarter of them.
    const last = current.losses.slice(-Math.min(WINDOW, Math.ceil(current.losses.length / 4))),
      loss = last.reduce((sum, value) => sum + value, 0) / last.length;
    const diverged = divergence({ losses: current.losses, guess, reason: run.reason });
    const about = { loss, guess, step: run.done, val: run.val, corpus: run.corpus };
    // What a loss of plain PyTorch code measures, nobody has said.
    const text = run.batch_tokens || diverged ? meaning({ ...about, diverged, running: run.reason === null }) : "";
    this.sentence.classList.toggle("bad", diverged !== null);
    if (this.sentence.textContent !== text) this.sentence.textContent = text;
    this.runs.changed();
    if (now - this.saidAt < SAID) return;
    this.saidAt = now;
    const ending = run.reason ? `Training ${ENDS[run.reason] ?? "ended"}. ` : "";
    const total = run.steps ? ` of ${run.steps}` : "";
    this.said.textContent = `${ending}Step ${run.done}${total}, loss ${lossText(run.loss, 2)}${run.val === null ? "" : `, validation ${lossText(run.val, 2)}`}.${diverged ? ` ${text}` : ""}`;
  }
}

// A button with the name of a number, and the text that it shows.
function explained(word, label) {
  const button = element("button", { type: "button", class: "what", textContent: label });
  if (label) button.ariaLabel = `${label}: what is this?`;
  const text = popover(button, "span", "what-text");
  const more = element(
    "a",
    { href: `app/learn.html#${LEARN[word] ?? word}`, target: "_blank", rel: "noopener" },
    "More",
  );
  text.append(WORDS[word] + " ", more);
  return [button, text];
}

// ---- what the time left is made of ----

// Steps and their milliseconds, the older ones for less.
const newPace = () => ({ seen: 0, steps: 0, ms: 0 });

// Evaluations or samples: steps between two of them, the step of the last one, and its
// milliseconds.
const newDue = (interval = 0) => ({ interval, step: null, ms: 0 });

// How often something is due in the steps from `done` on: each `interval` steps, and at the last
// one.
function comings(interval, done, steps) {
  if (!interval || done >= steps) return 0;
  return Math.ceil(steps / interval) - Math.ceil(done / interval) + ((steps - 1) % interval ? 1 : 0);
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length ? sorted[sorted.length >> 1] : 0;
}
