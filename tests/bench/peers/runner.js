// Runs a peer's training step under a clock. `peer.open({library, backend, threads})` builds the
// model of /job/job.json from TinyGPT's own starting weights and makes the first steps;
// `peer.steps({steps, warm, seconds})` times more. A step's loss is read when it has arrived, at
// most two steps later, as TinyGPT's is (py/tinygpt/tools/benchmark.py): a GPU is not waited for,
// and on the CPU the value is there at once.

const LIBRARIES = { jax: "./jax.js", tfjs: "./tfjs.js" };
const IN_FLIGHT = 2;

let model,
  job,
  batches,
  made = 0;
let latest = 0; // ms of the last compared step: a slow library is not warmed up

const bytes = async (name) => (await fetch(`/job/${name}`)).arrayBuffer();

// The next batch: {x, y}, Int32Array of batch x context token ids. The job's batches come round
// again.
function nextBatch() {
  const size = job.batch_size * job.context,
    at = 2 * size * (made++ % job.batches);
  return { x: batches.subarray(at, at + size), y: batches.subarray(at + size, at + 2 * size) };
}

async function step() {
  const { x, y } = nextBatch();
  return model.step(x, y); // of a promise of the loss: {loss}
}

async function open({ library, backend, threads, compared, seconds }) {
  // Both libraries take the cores that the browser names; the contenders of a table share one
  // number of threads.
  Object.defineProperty(navigator, "hardwareConcurrency", { value: threads, configurable: true });
  job = await (await fetch("/job/job.json")).json();
  const flat = new Float32Array(await bytes("weights.bin"));
  batches = new Int32Array(await bytes("batches.bin"));
  const weights = {};
  let at = 0;
  for (const [name, shape] of job.shapes) {
    const size = shape.reduce((product, n) => product * n, 1);
    weights[name] = { shape, data: flat.slice(at, (at += size)) };
  }
  const { create } = await import(LIBRARIES[library]);
  await create.prepare(backend, threads);
  const begun = performance.now();
  model = await create({ job, weights, backend, threads });
  const losses = [];
  let first = 0;
  while (losses.length < compared && (losses.length === 0 || performance.now() - begun < seconds * 1000)) {
    const start = performance.now();
    losses.push(await (await step()).loss);
    first ||= performance.now() - begun;
    latest = performance.now() - start; // the first ones compile
  }
  return { losses, first_step_s: first / 1000, build: model.build, threads: model.threads, notes: model.notes };
}

// {ms: [of each step], losses}: `steps` steps, or as many as begin within `seconds`, at least one,
// after untimed ones for `warm` seconds.
async function steps({ steps: count, warm, seconds }) {
  const rolling = performance.now();
  while (latest < warm * 1000 && performance.now() - rolling < warm * 1000) await (await step()).loss;
  const starts = [performance.now()],
    losses = [],
    waiting = [];
  while (starts.length <= count && (starts.length === 1 || performance.now() - starts[0] < seconds * 1000)) {
    waiting.push((await step()).loss);
    if (waiting.length > IN_FLIGHT || model.immediate) losses.push(await waiting.shift());
    starts.push(performance.now());
  }
  losses.push(...(await Promise.all(waiting)));
  return { ms: starts.slice(1).map((end, i) => end - starts[i]), losses };
}

globalThis.peer = { open, steps };
