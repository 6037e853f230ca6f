// The Speed page: the verdict, public/speed.json as curves and as a table, what is measured in this
// tab beside it, and the rooflines.

import { element } from "../ui/dom.js";
import { pairs, sentence } from "../ui/format.js";
import { kept } from "../ui/kept.js";
import { answered } from "../worker/bounded_json.js";
import { Curves } from "./curves.js";
import { MACHINE, Measuring } from "./measuring.js";
import { Roofline } from "./roofline.js";
import { curves, METRICS, machineOf, number, PRESETS, shown, titleOf, wordsOf } from "./rows.js";
import { PRESET, verdict } from "./verdict.js";

const LARGEST = "medium"; // what is measured here unless the visitor wants more: a minute on most machines
const KERNELS = "large"; // the preset whose kernels are measured here
const part = (id) => document.getElementById(id);
const theme = kept("theme");
if (theme) document.documentElement.dataset.theme = theme;

const chart = new Curves(part("curves"), part("legend"), part("curve-readout"));
const roofline = new Roofline(part("roofline"), part("roofline-readout"), part("kernels"));
let shipped = [],
  mine = [],
  rooflines = [],
  measuring = null;

for (const [name, { title }] of Object.entries(METRICS)) part("metric").append(new Option(title, name));
part("metric").addEventListener("change", () => {
  chart.choose(part("metric").value);
  drawTable();
});

// ---- the verdict ----

function sayVerdict() {
  const { sentence: first, more } = verdict({ shipped, mine, facts: measuring?.facts ?? null });
  part("verdict-sentence").textContent = first;
  part("verdict-more").textContent = more;
}

// ---- the shipped numbers ----

function show() {
  const all = curves([...shipped.filter((row) => !row.missing), ...mine]);
  for (const curve of all) curve.mine = curve.machine === MACHINE;
  chart.show(all, chart.curves.length ? chart.hidden : crowd(all));
  drawTable();
  sayVerdict();
}

// Of several machines the first is shown at first, and of that what runs outside Node, with 256
// bits and in the other engines only TinyGPT on all threads: so the curves can be told apart.
function crowd(all) {
  const [first] = all.map(({ machine }) => machine);
  const aside = ({ implementation, host, threads, flags }) =>
    host === "node" ||
    (flags === "future" && (implementation !== "TinyGPT" || threads === 1)) ||
    (host === "chromium" && flags === "plain") ||
    (["firefox", "webkit"].includes(host) && threads === 1);
  return all
    .filter((curve) => curve.machine !== MACHINE && (curve.machine !== first || aside(curve)))
    .map(({ key }) => key);
}

function drawTable() {
  const metric = part("metric").value,
    { spread, axis } = METRICS[metric];
  const rows = chart.curves.filter(({ rows: of }) => Object.values(of).some((row) => number(row, metric) !== null));
  const presets = PRESETS.filter((preset) => rows.some(({ rows: of }) => of[preset]));
  const cell = (row) => {
    if (!row || number(row, metric) === null) return "–";
    const ends = spread(row);
    return shown(number(row, metric)) + (ends ? ` (${shown(ends[0])} to ${shown(ends[1])})` : "");
  };
  part("numbers-table").replaceChildren(
    line("th", [axis, ...presets], "col"),
    ...rows.map((curve) =>
      line("td", [`${curve.title} · ${curve.machine}`, ...presets.map((preset) => cell(curve.rows[preset]))]),
    ),
  );
}

// A table's row; the first cell names it.
function line(kind, texts, scope = "row") {
  return element(
    "tr",
    {},
    ...texts.map((text, i) =>
      text && (i === 0 || kind === "th") ? element("th", { scope }, text) : element("td", {}, text),
    ),
  );
}

function drawRemarks() {
  const found = new Map();
  for (const row of shipped) {
    for (const text of row.missing ? [`not measured: ${row.missing}`] : (row.notes ?? [])) {
      const key = `${titleOf(row)}: ${text}`;
      found.set(key, [...(found.get(key) ?? []), row.preset]);
    }
  }
  part("remarks").closest("details").hidden = !found.size;
  part("remarks").replaceChildren(
    ...[...found].map(([text, presets]) => {
      return element("li", {}, sentence(`${text} (${presets.join(", ")})`));
    }),
  );
}

function drawAbout() {
  const machines = [...new Set(shipped.map(machineOf))].join("; ");
  const versions = Object.entries(shipped.find((row) => row.versions)?.versions ?? {})
    .map(([name, version]) => `${name} ${version}`)
    .join(", ");
  part("about").textContent = [
    "Batch, forward, loss, backward, clipping, AdamW, the loss read back: the median of 15 steps, with a bar from the fastest to the slowest.",
    ...wordsOf(shipped.filter((row) => !row.missing)),
    `Measured on: ${machines}.`,
    versions && `Versions: ${versions}.`,
  ]
    .filter(Boolean)
    .join(" ");
}

// ---- measuring here ----

function busy(on) {
  for (const id of ["measure", "measure-small", "measure-kernels", "largest", "roofline-preset"])
    part(id).disabled = on;
  for (const id of ["measure-stop", "verdict-stop"]) part(id).disabled = !on;
}

// One measurement at a time; what goes wrong, a stop too, is one sentence at its place.
async function measured(status, action) {
  busy(true);
  measuring.say = (text) => (status.textContent = text);
  try {
    status.textContent = await action();
  } catch (error) {
    status.textContent = sentence(error.message);
  }
  busy(false);
}

async function measureSteps(presets) {
  mine = [];
  await measuring.steps(presets, (row) => {
    mine.push(row);
    show();
  });
}

part("measure-small").addEventListener("click", () =>
  measured(part("verdict-status"), async () => {
    await measureSteps([PRESET]);
    return "Measured: the median of 15 steps.";
  }),
);
part("measure").addEventListener("click", () =>
  measured(part("measure-status"), async () => {
    const presets = PRESETS.slice(0, PRESETS.indexOf(part("largest").value) + 1);
    await measureSteps(presets);
    const last = mine.filter(({ preset }) => preset === presets.at(-1));
    return `Measured. A step of ${presets.at(-1)}: ${last.map((row) => `${shown(row.median_ms)} ms with ${row.threads ? `${row.threads} thread${row.threads > 1 ? "s" : ""}` : "the GPU"}`).join(", ")}.`;
  }),
);
for (const id of ["measure-stop", "verdict-stop"]) part(id).addEventListener("click", () => measuring.stop());
part("measure-kernels").addEventListener("click", () =>
  measured(part("kernels-status"), async () => {
    const result = { ...(await measuring.kernels(part("roofline-preset").value)), machine: MACHINE, host: "this tab" };
    rooflines = [result, ...rooflines.filter(({ machine, preset }) => machine !== MACHINE || preset !== result.preset)];
    offerRooflines(0);
    return `Measured: at most ${shown(result.peaks.gflop_s)} GFLOP/s with ${result.threads} thread${result.threads === 1 ? "" : "s"}.`;
  }),
);

function offerRooflines(chosen) {
  const name = ({ preset, host, threads, machine, build }) =>
    `${preset}, ${host}, ${threads} thread${threads === 1 ? "" : "s"}${pairs(build) ? ", 256-bit" : ""}, ${machine}`;
  part("roofline-choice").replaceChildren(...rooflines.map((one, i) => new Option(name(one), i)));
  part("roofline-choice").value = String(chosen);
  part("roofline-choice").disabled = !rooflines.length;
  part("roofline-choice").parentElement.hidden =
    part("kernels").closest("details").hidden =
    part("roofline").hidden =
      !rooflines.length;
  part("roofline-none").hidden = rooflines.length > 0;
  drawRoofline();
}

function drawRoofline() {
  const one = rooflines[Number(part("roofline-choice").value)];
  if (!one) return;
  roofline.show(one);
  part("roofline").setAttribute(
    "aria-label",
    `${one.rows.length} kernels of a step of ${one.preset} under ${shown(one.peaks.gflop_s)} GFLOP/s; the table below has the numbers`,
  );
}
part("roofline-choice").addEventListener("change", drawRoofline);

async function fetched(path) {
  const answer = await fetch(new URL("../../" + path, import.meta.url));
  if (!answer.ok) throw new Error(`${path} could not be fetched (${answer.status})`);
  return answered(answer);
}

window.tinygptStarting?.end(); // app/shell/start_guard.js: every module is here
try {
  busy(true);
  let defaults;
  [shipped, rooflines, defaults] = await Promise.all(
    ["public/speed.json", "public/roofline.json", "py/defaults.json"].map(fetched),
  );
  measuring = new Measuring({ defaults, say: () => {} });
  for (const [id, chosen] of [
    ["largest", LARGEST],
    ["roofline-preset", KERNELS],
  ]) {
    part(id).append(
      ...PRESETS.filter((preset) => defaults.presets[preset]).map((preset) => new Option(preset, preset)),
    );
    part(id).value = chosen;
  }
  show();
  drawAbout();
  drawRemarks();
  offerRooflines(0);
  busy(false);
} catch (error) {
  part("verdict-sentence").textContent = sentence(`The numbers could not be loaded: ${error.message}`);
}
