// "This browser": what the page needs of a browser and its host, what of it is there, and what each missing thing costs, in a sentence. A button in
// the header opens it; the number on it says how many are missing. Nothing that is missing keeps the page from working.

import { ask } from "./new_version.js";
import { element } from "./panels/tokens.js";
import { bytes, pairs, sentence } from "./words.js";

const MARKS = new Map([[true, ["✓", "there"]], [false, ["✗", "missing"]], [null, ["·", "note"]]]);
const cores = () => navigator.hardwareConcurrency || 1;
const one = (count, thing) => (count === 1 ? `1 ${thing}` : `${count} ${thing}s`);

// What trains now, and why nothing faster does. device: what Python started with; use: the device in use; gpu: the GPU's facts, or null.
export function summary({ device, use, gpu }) {
  if (!device) return "Python is starting.";
  if (!use?.build) return "There is no device to train on: see SIMD below.";
  if (use.device === "webgpu") return `Training on the GPU: ${gpu?.name ?? "WebGPU"}.`;
  const why = !gpu ? "" : gpu.missing ? ": this browser gives the page no GPU" : !gpu.canWait ? ": Python here cannot wait for the GPU" : gpu.fallback ? ": the GPU here is software" : "";
  return `Training on ${one(use.threads, "CPU thread")}${why}.`;
}

// [{name, there: true | false | null: neither, text}]
export function rows({ device, gpu, storage, offline }) {
  const all = [threads(device), graphics(gpu), waiting(device), simd(device), vectors(device), storage, offline, load(), links(), touch()];
  return all.filter(Boolean);
}

function threads(device) {
  if (!device) return null;
  const there = device.isolated;
  if (there) return { name: "Threads", there, text: `${one(device.maxThreads, "thread")}: the page is cross-origin isolated.` };
  const why = !isSecureContext ? "the address is not https" : "the host does not send the headers for cross-origin isolation";
  const loss = cores() > 1 ? `Training uses 1 of ${cores()} processor cores, ` : "";
  return { name: "Threads", there, text: `One thread: ${why}. ${sentence(`${loss}Stop restarts Python, whose variables are gone then`)}` };
}

function graphics(gpu) {
  const name = "GPU (WebGPU)";
  if (!gpu) return { name, there: null, text: "It is being opened." };
  if (gpu.missing) return { name, there: false, text: `${sentence(gpu.missing)} Training uses the CPU: a step takes longer, of a large model many times as long.` };
  if (gpu.fallback) return { name, there: false, text: `${gpu.name} is software, slower than the page's own CPU kernels, which are used instead.` };
  return { name, there: true, text: sentence(gpu.name) };
}

function waiting(device) {
  if (!device) return null;
  const name = "Waiting in Python (JSPI)";
  if (device.jspi) return { name, there: true, text: "Python can wait for the GPU in the middle of its code." };
  const also = device.isolated ? "" : " Without threads too: Pause, Apply and Generate take hold when a run has ended.";
  return { name, there: false, text: `Python cannot wait for the GPU, so training uses the CPU.${also}` };
}

function simd(device) {
  if (!device) return null;
  const name = "Relaxed SIMD";
  if (device.missing) return { name: "SIMD", there: false, text: `${sentence(device.missing)} Python works, and nothing can be trained.` };
  if (/relaxed/.test(device.build)) return { name, there: true, text: "Matrix products multiply and add in one instruction." };
  const why = device.isolated ? "This browser has none" : "The build for one thread does without";
  return { name, there: false, text: `${why}: matrix products multiply and add in two instructions, so a step on the CPU takes longer. Results are right.` };
}

// Chromium's engine makes one vector of 256 bits of two of 128 where its users turned that on, on processors that have such vectors.
function vectors(device) {
  const name = "Wide vectors", chromium = navigator.userAgentData?.brands.some(({ brand }) => brand === "Chromium");
  if (!device || !/relaxed/.test(device.build)) return null;
  if (pairs(device.build)) return { name, there: true, text: "The browser computes with 256 bits at a time: the CPU trains up to twice as fast." };
  if (!chromium) return null;
  const text = "The CPU computes with 128 bits at a time. On Intel and AMD, chrome://flags/#enable-future-v8-vm-features makes it 256, and a step up to twice as fast.";
  return { name, there: null, text };
}

function load() {
  const name = "Processor load", there = typeof PressureObserver === "function";
  return { name, there, text: there ? "The page says when the processor is near its limit." : "The page cannot say when the processor is near its limit. Nothing else changes." };
}

function links() {
  if (typeof CompressionStream === "function") return null;
  return { name: "Links", there: false, text: "Code cannot be packed into a link, or taken from one." };
}

function touch() {
  if (!matchMedia("(pointer: coarse)").matches) return null;
  return { name: "Phone or tablet", there: null, text: "Keep this page in front and the screen on while it trains: such a device halts pages in the background." };
}

// Files of the page in the browser (origin private file system): asked for, since a private window may have the function and refuse.
async function storage() {
  const name = "Storage", cost = "What is trained here is gone when the page is closed: export what you want to keep.";
  try {
    if (!navigator.storage?.getDirectory) return { name, there: false, text: `This browser has no private file system. ${cost}` };
    await navigator.storage.getDirectory();
    const { quota, usage } = (await navigator.storage.estimate?.()) ?? {};
    return { name, there: true, text: quota ? `About ${bytes(quota - usage)} are free for what the page keeps.` : "The page can keep files." };
  } catch {
    return { name, there: false, text: `The browser refuses it, as private windows do. ${cost}` };
  }
}

async function offline() {
  const name = "Without a network", built = document.querySelector("link[rel=manifest]") !== null;
  if (!built) return { name, there: null, text: "This copy comes from serve.py on this machine. serve.py --build writes one that can be installed." };
  const worker = navigator.serviceWorker?.controller;
  const answer = worker && await Promise.race([ask(worker, "state"), new Promise((resolve) => setTimeout(resolve, 2000))]);
  if (!answer) return { name, there: false, text: "No service worker here, as in some private windows: each visit needs the network." };
  const { kept, files, problem } = answer;
  if (kept === files) {
    const installed = matchMedia("(display-mode: standalone)").matches ? "installed, and " : "";
    return { name, there: true, text: sentence(`${installed}${bytes(answer.bytes)} are kept: the page starts without a network`) };
  }
  if (problem) return { name, there: false, text: `${sentence(problem)} The page needs the network at each visit.` };
  return { name, there: null, text: `Being kept: ${kept} of ${files} files.` };
}

export class Abilities {
  constructor({ session, before }) {
    this.facts = { device: null, use: null, gpu: null, storage: null, offline: null };
    this.count = element("span", { class: "count" });
    this.button = element("button", { id: "abilities-button", type: "button", title: "What this browser gives the page, and what is missing", onclick: () => this.toggle() }, "This browser ", this.count);
    this.card = element("section", { id: "abilities", hidden: true, tabIndex: 0, "aria-label": "This browser" });
    for (const [name, value] of Object.entries({ "aria-expanded": "false", "aria-controls": "abilities" })) this.button.setAttribute(name, value);
    before.before(this.button);
    before.closest("header").after(this.card);
    session.addEventListener("ready", ({ detail: { device } }) => this.learn({ device, use: device }));
    session.addEventListener("device", ({ detail: { build, threads, device } }) => this.learn({ use: { build, threads, device } }));
    session.addEventListener("graphics", ({ detail: { facts } }) => this.learn({ gpu: facts }));
    document.addEventListener("keydown", ({ key }) => key === "Escape" && this.open && this.toggle());
    document.addEventListener("pointerdown", ({ target }) => this.open && !this.card.contains(target) && !this.button.contains(target) && this.toggle(false));
    this.ask();
  }

  get open() {
    return !this.card.hidden;
  }

  async ask() {
    const [there, kept] = await Promise.all([storage(), offline()]);
    this.learn({ storage: there, offline: kept });
  }

  learn(facts) {
    Object.assign(this.facts, facts);
    this.draw();
  }

  toggle(focus = true) {
    this.card.hidden = this.open;
    this.button.setAttribute("aria-expanded", String(this.open));
    if (this.open) {
      this.ask();
      this.card.style.top = `${Math.round(this.button.getBoundingClientRect().bottom + scrollY + 6)}px`;
      this.card.focus();
    } else if (focus) this.button.focus();
  }

  draw() {
    const all = rows(this.facts), missing = all.filter(({ there }) => there === false).length;
    this.count.textContent = missing ? `${missing} missing` : "";
    this.count.classList.toggle("known", this.facts.gpu !== null);
    this.card.replaceChildren(element("h2", {}, "This browser"), element("p", {}, summary(this.facts)), element("dl", {}, ...all.map(({ name, there, text }) => {
      const [mark, word] = MARKS.get(there);
      const row = element("div", { class: word }, element("dt", {}, element("i", { "aria-hidden": "true" }, mark), name), element("dd", {}, text));
      if (there !== null) row.querySelector("dt").append(element("span", { class: "word" }, word));
      return row;
    })));
  }
}
