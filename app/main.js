// The page: connects the editor, the console, the inputs and the training view to the one Python session.
//
// `window.tinygpt` (hooks.js) is the same for automation.

import { Abilities } from "./abilities.js";
import { Console } from "./console.js";
import { Controls } from "./controls.js";
import { askedFor, DeviceChoice } from "./device_choice.js";
import { HuggingFace } from "./data/huggingface.js";
import { OwnTexts } from "./data/own_texts.js";
import { Editor } from "./editor.js";
import { hooks } from "./hooks.js";
import { keepRuns } from "./keep.js";
import { Needs } from "./needs.js";
import { Paths } from "./paths.js";
import { PanelTabs } from "./panel_tabs.js";
import { DataPanel } from "./panels/data.js";
import { GeneratePanel } from "./panels/generate.js";
import { InsidePanel } from "./panels/inside.js";
import { ModelsPanel } from "./panels/models.js";
import { Session } from "./session.js";
import { Settings } from "./settings.js";
import { Sharing } from "./sharing.js";
import { Tour } from "./tour.js";
import { TrainingView } from "./training_view.js";
import { bytes, sentence } from "./words.js";

const part = (id) => document.getElementById(id);
// For tests and comparisons: ?variant= and ?threads= choose the extension's build and threads, ?device= and ?precision= the device.
const asked = new URLSearchParams(location.search);
const session = new Session({ variant: asked.get("variant"), threads: Number(asked.get("threads")) || undefined, choice: askedFor(asked) });

const editor = new Editor(part("editor"), { onRun: runOrApply, onChange: () => drawButtons(), session });
const console_ = new Console(part("console-output"), part("console-input"), {
  run: (source) => session.run(source, { mode: "console" }),
  interrupt: () => session.interrupt(),
  session,
});
const texts = new OwnTexts({ session });
const training = new TrainingView({
  note: (text) => {
    console_.notice(text);
    status(text); // what the loop has to say is about the run that goes on
  },
  device: (facts) => showDevice(facts),
  settings: () => settings?.values() ?? {},
});
const choice = new DeviceChoice({ choose: (wanted) => session.chooseDevice(wanted) });
if (askedFor(asked)) choice.touched = true;
const controls = new Controls({
  session, editor, training, status, settings: () => settings?.values() ?? {}, error: (text) => console_.error(text), texts,
  refused: async () => needs?.refused() ?? null,
});
const tabs = new PanelTabs(part("panel-tabs"), part("panels"));
tabs.add("samples", "Samples", () => null);
let generate = null;
let paths = null;
let kept = null;
let sharing = null;
window.tinygpt = hooks({ session, editor, controls, training, generate: () => generate, kept: () => kept, sharing: () => sharing });
let settings = null;
let needs = null;
let sourceReady = false;
let maxThreads = 1; // known when the extension is loaded

// ---- runs, and the buttons that control them ----

const PHASES = {
  idle: { pause: "Pause", title: "" },
  running: { pause: "Pause", title: "Waits before the next step" },
  paused: { pause: "Resume", title: "Goes on where it waits" },
  stopped: { pause: "Resume", title: "Goes on from the last step, with the code in the editor" },
  stopping: { pause: "Pause", title: "" },
};

function runOrApply() {
  if (controls.active) controls.apply();
  else if (session.state === "ready" && sourceReady) controls.start();
}

function drawButtons() {
  const { phase, active } = controls;
  const ready = session.state === "ready" && sourceReady;
  part("run").disabled = part("train-own").disabled = !ready;
  part("load-model").disabled = !ready;
  part("stop").disabled = session.state !== "running" && session.state !== "stopping";
  part("pause").disabled = !(phase === "running" || phase === "paused" || (phase === "stopped" && ready));
  part("pause").textContent = PHASES[phase].pause;
  part("pause").title = PHASES[phase].title;
  part("step").disabled = !(phase === "running" || phase === "paused" || ready);
  part("reset").disabled = phase === "idle" || phase === "stopping";
  part("apply").disabled = !active || !editor.changed;
  part("apply").classList.toggle("primary", active && editor.changed);
  part("diff").disabled = part("revert").disabled = !editor.changed;
  part("run-key").textContent = `${navigator.platform.startsWith("Mac") ? "⌘" : "Ctrl+"}Enter ${active ? "applies" : "runs"}`;
  document.body.dataset.phase = phase;
  if (!editor.changed && part("diff").getAttribute("aria-pressed") === "true") showDiff(false);
}

function showDiff(on) {
  part("diff").setAttribute("aria-pressed", String(on));
  editor.showDiff(on);
}

function status(text, kind = "") {
  part("status").textContent = text;
  part("status").className = kind;
  part("status").title = text;
}

for (const [id, press] of Object.entries({
  run: () => controls.start(),
  "load-model": () => paths.load(),
  "train-own": () => paths.train(),
  pause: () => (controls.phase === "running" ? controls.pause() : controls.resume()),
  step: () => controls.step(),
  stop: () => controls.stop(),
  reset: () => controls.reset(),
  apply: () => controls.apply(),
  diff: () => showDiff(part("diff").getAttribute("aria-pressed") !== "true"),
  revert: () => editor.revert(),
  restart: () => {
    training.ended();
    session.restart("Python was restarted.");
  },
})) {
  part(id).addEventListener("click", async () => {
    try {
      await press();
    } catch (error) {
      status(error.message, "bad");
    }
  });
}
controls.addEventListener("phase", () => {
  before = null;
  drawButtons();
});

// ---- the session's states ----

session.addEventListener("state", ({ detail: { state } }) => {
  document.body.dataset.state = state;
  drawButtons();
  if (state !== "stopping") part("restart").hidden = state !== "failed";
  if (state === "stopping") status("Stopping");
});
document.body.dataset.state = session.state;

session.addEventListener("stuck", () => {
  part("restart").hidden = false;
  status("This code has not stopped yet: it is in one long call, or it catches KeyboardInterrupt. Restarting loses its variables.", "bad");
});

let total = 0;
fetch("public/vendor/stamp.json").then((answer) => answer.json()).then((stamp) => (total = stamp.boot_bytes), () => {});
session.addEventListener("stage", ({ detail: { name, loaded } }) => {
  if (session.state === "failed") return; // what still comes is of no use
  part("boot").hidden = false;
  const amount = loaded ? `: ${bytes(loaded)}${total ? " of " + bytes(total) : ""}` : "";
  part("device").textContent = `Starting ${name}${amount}`;
  part("boot").value = { Python: 0.05 + (total ? 0.6 * (loaded / total) : 0), TinyGPT: 0.75, "C++ extension": 0.9 }[name] ?? part("boot").value;
});

session.addEventListener("ready", ({ detail: { device } }) => {
  // The first completion makes Python read what it answers from: better now than at the first key.
  setTimeout(() => session.request("complete", { source: "import tinygpt\ntinygpt.", line: 2, column: 8, file: "train.py" }).catch(() => {}), 300);
  part("boot").hidden = true;
  surroundings = [device.isolated ? "isolated" : "not isolated", "Python " + device.python];
  showDevice(device);
  const problems = [];
  if (device.missing) {
    problems.push(sentence(device.missing) + " Python works, but there is no device to train on.");
    if (device.reason) console_.notice(device.reason);
  }
  choice.offerWide(device.wide);
  maxThreads = device.maxThreads;
  settings?.offerThreads(maxThreads);
  if (!device.isolated) {
    problems.push("Training uses one thread here: the server does not send the headers for cross-origin isolation (serve.py does). Stop restarts Python.");
  }
  banner(problems.join(" "));
  if (sourceReady) status(controls.held ?? "Ready");
});

// The device in use, as Python says: {device, build, threads, precision}.
let surroundings = [];
function showDevice(facts) {
  const threads = facts.threads === 1 ? "1 thread" : `${facts.threads} threads`;
  const parts = !facts.build ? ["no device"] : facts.device === "webgpu" ? ["GPU", facts.build] : ["CPU", facts.build, threads];
  part("device").textContent = [...parts, ...surroundings].join(" · ");
  part("device").title = part("device").textContent;
  choice.show(facts.build ? facts : { ...facts, problem: "There is no device here, so nothing can be trained." });
}

session.addEventListener("device", ({ detail }) => showDevice(detail));
session.addEventListener("graphics", ({ detail: { facts } }) => choice.offer(facts));
let before = null; // what the status line said before the GPU's programs were compiled
session.addEventListener("compiling", ({ detail: { compiled, total } }) => {
  if (session.state !== "running") return;
  if (compiled < total) {
    before ??= part("status").textContent;
    status(`Compiling the GPU's programs: ${compiled} of ${total}`);
  } else if (before !== null) {
    status(before);
    before = null;
  }
});

session.addEventListener("failed", ({ detail: { message } }) => {
  part("boot").hidden = true;
  part("device").textContent = "Python did not start";
  banner(sentence(message) + " Reload the page to try again.");
  status("Python did not start", "bad");
});

session.addEventListener("output", ({ detail: { kind, text } }) => console_.write(kind, text));
session.addEventListener("training", ({ detail }) => training.receive(detail));

function banner(text) {
  part("banner").textContent = text;
  part("banner").hidden = !text;
}

// ---- light and dark: the system's choice unless the user took one ----

const chosen = localStorage.getItem("theme");
if (chosen) document.documentElement.dataset.theme = chosen;
part("theme").addEventListener("click", () => {
  const dark = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  document.documentElement.dataset.theme = dark === "dark" ? "light" : "dark";
  localStorage.setItem("theme", document.documentElement.dataset.theme);
});

new Tour(part("tour"));
new Abilities({ session, before: part("tour") });

// ---- what the page starts with ----

const FILES = ["train.py", "model.py", "generate.py"];

// For tests: ?datasets= is another server with the same interface, on this machine only.
function datasetsServer() {
  const address = asked.get("datasets");
  return address && /^http:\/\/(127\.0\.0\.1|localhost):\d+$/.test(address) ? address : undefined;
}

async function fetched(path, read) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${(await answer.text()).trim()}`);
  return answer[read]();
}

try {
  const [sources, defaults, corpora, models, catalogue] = await Promise.all([
    Promise.all(FILES.map((name) => fetched("py/" + name, "text"))), fetched("py/defaults.json", "json"), fetched("public/corpora/corpora.json", "json"),
    fetched("public/models/models.json", "json"), fetched("public/datasets.json", "json"),
  ]);
  settings = new Settings(defaults, corpora);
  settings.offerThreads(maxThreads);
  needs = new Needs({ session, controls, settings: () => settings.values() });
  generate = tabs.add("generate", "Generate", (element) => new GeneratePanel(element, { session, defaults: defaults.train }));
  tabs.add("inside", "Look inside", (element) => new InsidePanel(element, { session }));
  let warned = null;
  const warn = (sentence) => {
    if (!controls.active && sentence) status(sentence, "bad");
    else if (!controls.active && part("status").textContent === warned) status("Ready");
    warned = sentence;
  };
  tabs.add("data", "Data", (element) => new DataPanel(element, {
    session, settings, texts, server: new HuggingFace(datasetsServer()), catalogue, corpora, warn, show: () => tabs.show("data"),
  }));
  kept = keepRuns({ session, controls, training, editor, settings: () => settings, choice, status, tabs });
  paths = new Paths({
    session, controls, training, status, models, generate: () => generate, show: (name) => tabs.show(name),
    choose: (name, value) => settings.choose(name, value), preset: defaults.preset, untouched: () => settings.untouched && editor.files["train.py"] === sources[0],
  });
  tabs.add("models", "Models", (element) => new ModelsPanel(element, { models, actions: paths }));
  const shipped = Object.fromEntries(FILES.map((name, i) => [name, sources[i]]));
  editor.open(shipped);
  const everywhere = [defaults.train.corpus, ...corpora.map(({ name }) => name)];
  sharing = new Sharing({ editor, settings, controls, training, status, showDiff, shipped, corpora: everywhere });
  await sharing.open(location.hash);
  sourceReady = true;
  drawButtons();
  if (session.state === "ready") status(controls.held ?? "Ready");
} catch (error) {
  banner(`The page could not load its start: ${error.message}`);
}
