// The Speed page's first sentence: how fast this browser trains the usual preset, compared with
// PyTorch on the processor of the bench, and why. Where nothing has been measured here it is about
// the bench's browser. A fact is a measured row or what the browser said of itself.

import { shown } from "./rows.js";

export const PRESET = "small";

const fastest = (rows) =>
  rows.reduce((best, row) => (!best || row.tokens_per_s > best.tokens_per_s ? row : best), null);
const rate = ({ tokens_per_s: tokens }) => `${shown(Number(tokens.toPrecision(3)))} tokens/s`;
const threadsOf = ({ threads }) => (threads === 1 ? "one thread" : `${threads} threads`);

// What computes, as the reason for a speed: "it computes on 2 threads with vectors of 128 bits".
function reason(row) {
  if (row.device === "webgpu") return `it computes on the GPU (${row.build})`;
  const width = row.flags === "future" ? "256 bits" : "128 bits";
  const plain = row.flags === "plain" ? ", without fused multiply-adds" : "";
  return `it computes on ${threadsOf(row)} with vectors of ${width}${plain}`;
}

/**
 * {sentence, more}: the verdict, and a second sentence of what else was measured or is missing.
 *
 * shipped, mine: rows of public/speed.json, and of the measurement here. facts: {unshared, gpu},
 * the sentences why there is no shared memory and no GPU, or null; null: not known yet.
 */
export function verdict({ shipped, mine, facts }) {
  const of = (rows) => rows.filter(({ preset, tokens_per_s }) => preset === PRESET && tokens_per_s);
  const known = of(shipped).filter(({ precision }) => precision === "f32");
  const torch = known.find(({ implementation, device }) => implementation === "PyTorch" && device === "cpu");
  const bench = known.filter(
    ({ host, machine, implementation, flags }) =>
      host === "chromium" && implementation === "TinyGPT" && machine === torch?.machine && flags === null,
  );
  const here = of(mine),
    row = fastest(here.length ? here : bench);
  if (!row) return { sentence: `Measure how fast this browser trains ${PRESET}.`, more: "" };
  const who = here.length ? "This browser" : `Chromium on ${torch.machine},`;
  const compared = torch
    ? `: ${shown(Number((row.tokens_per_s / torch.tokens_per_s).toPrecision(2)))} times as fast as PyTorch on ${threadsOf(torch)} of ${here.length ? torch.machine : "the same processor"}`
    : "";
  return {
    sentence: `${who} trains ${PRESET} at ${rate(row)}${compared}, because ${reason(row)}.`.replace(",,", ","),
    more: here.length ? others(here, row, facts, known, bench) : "This browser has not been measured yet.",
  };
}

// The other device that was measured, and what would be faster.
function others(here, row, facts, known, bench) {
  const parts = [];
  const other = fastest(here.filter((one) => one !== row));
  if (other)
    parts.push(
      other.device === row.device ? `With ${threadsOf(other)}: ${rate(other)}.` : `On the processor: ${rate(other)}.`,
    );
  if (facts?.unshared) parts.push(`Only one thread: ${facts.unshared}.`);
  if (facts?.gpu) parts.push(`No GPU: ${facts.gpu}.`);
  const usual = fastest(bench),
    wide =
      usual &&
      known.find(
        (one) =>
          one.flags === "future" &&
          one.implementation === "TinyGPT" &&
          one.host === usual.host &&
          one.threads === usual.threads &&
          one.machine === usual.machine,
      );
  if (row.device === "wasm" && row.flags === null && wide)
    parts.push(
      `Vectors of 256 bits (Chrome on Intel and AMD: chrome://flags/#enable-future-v8-vm-features) made it ${shown(Number((wide.tokens_per_s / usual.tokens_per_s).toPrecision(2)))} times as fast on ${usual.machine}.`,
    );
  return parts.join(" ").replaceAll("..", ".");
}
