// The page: connects the editor, the console, the inputs and the training view to the one Python session.
//
// For automation: `window.tinygpt = {ready, graphics, run(source) -> {ok, stdout, result, error}, interrupt()}`; `graphics` is the promise of
// what came of opening the GPU.

import { Console } from "./console.js";
import { askedFor, DeviceChoice } from "./device_choice.js";
import { Editor } from "./editor.js";
import { Session } from "./session.js";
import { Settings } from "./settings.js";
import { bytes, duration, TrainingView } from "./training_view.js";

const part = (id) => document.getElementById(id);
// For tests and comparisons: ?variant= and ?threads= choose the extension's build and threads, ?device= and ?precision= the device.
const asked = new URLSearchParams(location.search);
const session = new Session({ variant: asked.get("variant"), threads: Number(asked.get("threads")) || undefined, choice: askedFor(asked) });

window.tinygpt = {
  ready: session.ready,
  async run(source) {
    const { ok, stdout, result, error } = await session.run(source);
    return { ok, stdout, result, error };
  },
  interrupt: () => session.interrupt(),
  get graphics() {
    return session.graphics;
  },
};

const editor = new Editor(part("editor"), { onRun: runEditor });
const console_ = new Console(part("console-output"), part("console-input"), {
  run: (source) => session.run(source, { mode: "console" }),
  interrupt: () => session.interrupt(),
});
const training = new TrainingView({ note: (text) => console_.notice(text), device: (facts) => showDevice(facts) });
const choice = new DeviceChoice({ choose: (wanted) => session.chooseDevice(wanted) });
if (askedFor(asked)) choice.touched = true;
let settings = null;
let sourceReady = false;
let maxThreads = 1; // known when the extension is loaded

// ---- the editor's runs ----

async function runEditor() {
  if (session.state !== "ready" || !sourceReady) return;
  editor.clearError();
  const begun = performance.now();
  status("Running train.py");
  before = null;
  const outcome = await session.run(editor.text, { mode: "script", settings: settings?.values() ?? {} });
  const took = duration((performance.now() - begun) / 1000);
  if (outcome.error && outcome.status !== "stopped") console_.error(outcome.error);
  if (outcome.status === "finished") status(`Finished in ${took}`, "good");
  else if (outcome.status === "stopped") status(`Stopped after ${took}; variables are kept`);
  else {
    const last = outcome.error.split("\n").at(-1);
    status(outcome.line ? `Line ${outcome.line}: ${last}` : last, "bad");
    if (outcome.line) editor.markError(outcome.line, last);
  }
}

function status(text, kind = "") {
  part("status").textContent = text;
  part("status").className = kind;
  part("status").title = text;
}

part("run").addEventListener("click", runEditor);
part("stop").addEventListener("click", () => session.interrupt());
part("restart").addEventListener("click", () => session.restart("Python was restarted."));
part("run-key").textContent = navigator.platform.startsWith("Mac") ? "⌘ Enter runs" : "Ctrl+Enter runs";

// ---- the session's states ----

session.addEventListener("state", ({ detail: { state } }) => {
  document.body.dataset.state = state;
  part("run").disabled = state !== "ready" || !sourceReady;
  part("stop").disabled = state !== "running" && state !== "stopping";
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
  part("boot").hidden = false;
  const amount = loaded ? `: ${bytes(loaded)}${total ? " of " + bytes(total) : ""}` : "";
  part("device").textContent = `Starting ${name}${amount}`;
  part("boot").value = { Python: 0.05 + (total ? 0.6 * (loaded / total) : 0), TinyGPT: 0.75, "C++ extension": 0.9 }[name] ?? part("boot").value;
});

session.addEventListener("ready", ({ detail: { device } }) => {
  part("boot").hidden = true;
  surroundings = [device.isolated ? "isolated" : "not isolated", "Python " + device.python];
  showDevice(device);
  const problems = [];
  if (device.missing) problems.push(sentence(device.missing) + " Python works, but there is no device to train on.");
  maxThreads = device.maxThreads;
  settings?.offerThreads(maxThreads);
  if (!device.isolated) {
    problems.push("Training uses one thread here: the server does not send the headers for cross-origin isolation (serve.py does). Stop restarts Python.");
  }
  banner(problems.join(" "));
  if (sourceReady) status("Ready");
});

// The device in use, as Python says: {device, build, threads, precision}.
let surroundings = [];
function showDevice(facts) {
  const threads = facts.threads === 1 ? "1 thread" : `${facts.threads} threads`;
  const parts = !facts.build ? ["no device"] : facts.device === "webgpu" ? ["GPU", facts.build] : ["CPU", facts.build, threads];
  part("device").textContent = [...parts, ...surroundings].join(" · ");
  part("device").title = part("device").textContent;
  choice.show(facts);
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

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1).replace(/[.\s]*$/, ".");

// ---- light and dark: the system's choice unless the user took one ----

const chosen = localStorage.getItem("theme");
if (chosen) document.documentElement.dataset.theme = chosen;
part("theme").addEventListener("click", () => {
  const dark = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  document.documentElement.dataset.theme = dark === "dark" ? "light" : "dark";
  localStorage.setItem("theme", document.documentElement.dataset.theme);
  training.chart.restyle();
});

// ---- what the page starts with ----

async function fetched(path, read) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${(await answer.text()).trim()}`);
  return answer[read]();
}

try {
  const [source, defaults, corpora] = await Promise.all([
    fetched("py/train.py", "text"), fetched("py/defaults.json", "json"), fetched("public/corpora/corpora.json", "json"),
  ]);
  settings = new Settings(defaults, corpora);
  settings.offerThreads(maxThreads);
  editor.text = source;
  sourceReady = true;
  part("run").disabled = session.state !== "ready";
  if (session.state === "ready") status("Ready");
} catch (error) {
  banner(`The page could not load its start: ${error.message}`);
}
