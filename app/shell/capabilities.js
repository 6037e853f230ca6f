// "This browser": what the page needs of a browser and its host, what of it is there, and what each
// missing thing costs, in a sentence. A button in the header opens it; the number on it says how
// many are missing. Nothing that is missing keeps the page from working.

import { handheld, tabBudget } from "../run/device_class.js";
import { available } from "../store/files.js";
import { element } from "../ui/dom.js";
import { bytes, pairs, sentence, withoutEnd } from "../ui/format.js";
import { GpuReport } from "./gpu_report.js";
import { ask } from "./new_version.js";
import { FEATURES } from "./page_needs.js";

// {mark, class, word}
const MARKS = new Map([
  [true, ["✓", "available", "available"]],
  [false, ["✗", "missing", "not available"]],
  [null, ["·", "note", ""]],
]);
const cores = () => navigator.hardwareConcurrency || 1;
const one = (count, thing) => (count === 1 ? `1 ${thing}` : `${count} ${thing}s`);

// What trains now, and why nothing faster does. device: what Python started with; use: the device
// in use; gpu: the GPU's facts, or null.
export function summary({ device, use, gpu }) {
  if (!device) return "Python is starting.";
  if (!use?.build) return "There is no device to train on: see SIMD below.";
  if (use.device === "webgpu") return `Training on the GPU: ${gpu?.name ?? "WebGPU"}.`;
  const why = !gpu
    ? ""
    : gpu.missing
      ? ": no usable GPU"
      : !gpu.canWait
        ? ": Python here cannot wait for the GPU"
        : gpu.fallback
          ? ": the only GPU is a software renderer"
          : "";
  return `Training on ${one(use.threads, "CPU thread")}${why}.`;
}

// [{name, there: true | false | null: neither, text}]
export function rows({ device, gpu, storage, offline }) {
  const all = [
    threads(device),
    graphics(gpu),
    waiting(device),
    simd(device),
    vectors(device),
    storage,
    offline,
    load(),
    links(),
    touch(),
  ];
  return FEATURES.flatMap(({ name }) => all.filter((row) => row?.name === name));
}

function threads(device) {
  if (!device) return null;
  const why = device.unshared,
    there = !why;
  if (there)
    return { name: "Threads", there, text: `${one(device.maxThreads, "thread")}: the page is cross-origin isolated.` };
  const loss = cores() > 1 ? `Training uses 1 of ${cores()} processor cores, ` : "";
  return {
    name: "Threads",
    there,
    text: `One thread: ${why}. ${sentence(`${loss}Stop restarts Python and clears its variables`)}`,
  };
}

function graphics(gpu) {
  const name = "GPU (WebGPU)";
  if (!gpu) return { name, there: null, text: "The GPU is opening." };
  if (gpu.missing)
    return {
      name,
      there: false,
      text: `${sentence(gpu.missing)} Training uses the CPU: steps are slower, for a large model many times slower.`,
    };
  if (gpu.fallback)
    return {
      name,
      there: false,
      text: `${gpu.name} is a software renderer and slower than the CPU, so training uses the CPU.`,
    };
  return { name, there: true, text: sentence(gpu.name) };
}

function waiting(device) {
  if (!device) return null;
  const name = "Waiting in Python (JSPI)";
  if (device.jspi) return { name, there: true, text: "Python can wait for the GPU in the middle of its code." };
  const also = device.unshared ? " Without threads, Pause, Apply and Generate work only after a run has ended." : "";
  return { name, there: false, text: `Python cannot wait for the GPU, so training uses the CPU.${also}` };
}

function simd(device) {
  if (!device) return null;
  const name = "Relaxed SIMD";
  if (device.missing)
    return {
      name: "SIMD",
      there: false,
      text: `${sentence(device.missing)} Python works, but training does not.`,
    };
  if (/relaxed/.test(device.build))
    return { name, there: true, text: "Matrix products multiply and add in one instruction." };
  const why = device.unshared ? "The one-thread build has none" : "This browser has none";
  return {
    name,
    there: false,
    text: `${why}: matrix products multiply and add in two instructions, so a step on the CPU is slower. Results are correct.`,
  };
}

// Chromium's engine makes one vector of 256 bits of two of 128 where its users turned that on, on
// processors that have such vectors.
function vectors(device) {
  const name = "Wide vectors",
    chromium = navigator.userAgentData?.brands.some(({ brand }) => brand === "Chromium");
  if (!device || !/relaxed/.test(device.build)) return null;
  if (pairs(device.build))
    return {
      name,
      there: true,
      text: "The browser computes with 256 bits at a time: the CPU trains up to twice as fast.",
    };
  if (!chromium) return null;
  const text =
    "The CPU computes with 128 bits at a time. On Intel and AMD, chrome://flags/#enable-future-v8-vm-features makes it 256, and a step up to twice as fast.";
  return { name, there: null, text };
}

function load() {
  const name = "Processor load",
    there = typeof PressureObserver === "function";
  return {
    name,
    there,
    text: there
      ? "The page says when the processor is near its limit."
      : "The page cannot say when the processor is near its limit. Nothing else changes.",
  };
}

function links() {
  if (typeof CompressionStream === "function") return null;
  return { name: "Links", there: false, text: "This browser can neither create nor open links with code." };
}

function touch() {
  if (!handheld()) return null;
  const budget = bytes(tabBudget());
  const front =
    "wakeLock" in navigator
      ? "Keep this page in front while it trains. The screen stays on meanwhile, unless the battery is low."
      : "Keep this page in front and the screen on while it trains.";
  return {
    name: "Phone or tablet",
    there: null,
    text: `${front} Phones and tablets pause pages in the background. A run may take about ${budget} of memory here: tabs that take too much are closed.`,
  };
}

// Files of the page in the browser (origin private file system): what the store says of them, which
// asks, since a private window may have the function and refuse.
async function storage() {
  const name = "Storage",
    cost = "Runs are lost when the page is closed. Download what you want to keep.";
  try {
    const usable = await available();
    if (usable !== true)
      return { name, there: false, text: `${withoutEnd(usable, ": download what you want to keep.")}. ${cost}` };
    const { quota, usage } = (await navigator.storage.estimate?.()) ?? {};
    return {
      name,
      there: true,
      text: quota ? `About ${bytes(quota - usage)} are free for saved runs and texts.` : "The page can store files.",
    };
  } catch {
    return { name, there: false, text: `The browser refuses storage, as private windows do. ${cost}` };
  }
}

async function offline() {
  const name = "Without a network",
    built = document.querySelector("link[rel=manifest]") !== null;
  if (!built)
    return {
      name,
      there: null,
      text: "This copy comes from serve.py on this machine. serve.py --build writes one that can be installed.",
    };
  const worker = navigator.serviceWorker?.controller;
  const answer =
    worker && (await Promise.race([ask(worker, "state"), new Promise((resolve) => setTimeout(resolve, 2000))]));
  if (!answer)
    return {
      name,
      there: false,
      text: "No service worker here, as in some private windows: each visit needs the network.",
    };
  const { kept, files, problem } = answer;
  if (kept === files) {
    const installed = matchMedia("(display-mode: standalone)").matches ? "installed, and " : "";
    return {
      name,
      there: true,
      text: sentence(`${installed}${bytes(answer.bytes)} are stored: the page starts without a network`),
    };
  }
  if (problem) return { name, there: false, text: `${sentence(problem)} The page needs the network at each visit.` };
  return { name, there: null, text: `Storing files: ${kept} of ${files}.` };
}

export class Capabilities {
  constructor({ session, before }) {
    this.facts = { device: null, use: null, gpu: null, storage: null, offline: null };
    this.count = element("span", { class: "count" });
    this.button = element(
      "button",
      {
        id: "abilities-button",
        type: "button",
        title: "What this browser supports, and what it does not",
        onclick: () => this.toggle(),
      },
      "This browser ",
      this.count,
    );
    this.card = element("section", { id: "abilities", hidden: true, tabIndex: 0, "aria-label": "This browser" });
    this.report = new GpuReport({ session }).element;
    this.line = document.getElementById("device"); // in the header while Python starts
    this.card.append(this.report);
    for (const [name, value] of Object.entries({ "aria-expanded": "false", "aria-controls": "abilities" }))
      this.button.setAttribute(name, value);
    before.before(this.button);
    before.closest("header").after(this.card);
    session.addEventListener("ready", ({ detail: { device } }) => {
      this.report.before(this.line);
      this.learn({ device, use: device });
    });
    session.addEventListener("device", ({ detail: { build, threads, device } }) =>
      this.learn({ use: { build, threads, device } }),
    );
    session.addEventListener("graphics", ({ detail: { facts } }) => this.learn({ gpu: facts }));
    document.addEventListener("keydown", ({ key }) => key === "Escape" && this.open && this.toggle());
    document.addEventListener(
      "pointerdown",
      ({ target }) => this.open && !this.card.contains(target) && !this.button.contains(target) && this.toggle(false),
    );
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
    const all = rows(this.facts),
      missing = all.filter(({ there }) => there === false);
    const only = missing.length === 1 ? FEATURES.find(({ name }) => name === missing[0].name).short : null;
    this.count.textContent = missing.length ? (only ?? `${missing.length} unavailable`) : "";
    this.count.classList.toggle("known", this.facts.gpu !== null);
    const kept = [this.line, this.report]; // the line is written elsewhere; the report keeps the focus
    for (const old of [...this.card.children]) if (!kept.includes(old)) old.remove();
    this.card.prepend(element("h2", {}, "This browser"), element("p", {}, summary(this.facts)));
    this.report.before(
      element(
        "dl",
        {},
        ...all.map(({ name, there, text }) => {
          const [mark, kind, word] = MARKS.get(there);
          const row = element(
            "div",
            { class: kind },
            element("dt", {}, element("i", { "aria-hidden": "true" }, mark), name),
            element("dd", {}, text),
          );
          if (word) row.querySelector("dt").append(element("span", { class: "word" }, word));
          return row;
        }),
      ),
    );
  }
}
