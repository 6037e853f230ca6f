// A WebAssembly module of three loops, put together byte by byte, and what they say of the engine
// and the machine: multiply-adds a second in vector registers, bytes a second from memory, whether
// the engine pairs vectors of 128 bits to ones of 256, and whether it is slower with relaxed SIMD.
//
// No compiler is needed, and what the engine makes of the loops is what it makes of the extension's
// kernels. V8 pairs two operations where their results are stored side by side, the upper first
// ("revectorization"; in Chromium behind "Future V8 VM features"): the loops end so. Runs in a
// page, a worker, and Node.

const ACCUMULATORS = 12,
  UNROLLED = 4; // V8 has 15 vector registers; an FMA takes four cycles and two begin in each
const STRIDE = 128; // bytes of one operand in one iteration of a memory loop
const MB = 2 ** 20;
export const WORKING_SETS = [MB / 64, MB / 4, 4 * MB, 64 * MB]; // bytes that one thread goes through again and again
const PAGES = (64 * MB) / 65536;
// times the rate of 128 bits: from here on an engine pairs vectors (it is 2 then; without
// optimization 1.3 to 1.6)
const PAIRED = 1.7;
// times the rate of relaxed_madd: from here on multiplication and addition are faster. They have
// 0.5 to 0.7 of it on a processor with fused ones, and equal it on others.
const PLAIN = 1.2;
// Milliseconds of one measurement, and between two pairs of them. Engines optimize in the
// background, and where the page starts cold they have much to do.
const SLICE = 1,
  PAUSE = 8,
  PLAIN_SLICE = 0.5;
// Pairs of measurements: so many in a row none of which is faster than those before, and so many
// until loops count as optimized that have not become twice as fast.
const STEADY = 6,
  UNSURE = 120,
  MOST_PLAIN = 30, // measurements of the plain loop: 15 ms at most
  FASTER = 1.05;
const SECONDS = 0.12,
  ROUNDS = 3; // of each measurement; the best round counts: it is a peak

// ---- the module ----

const unsigned = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...unsigned(n >>> 7)]);
const signed = (n) => (n >= -64 && n < 64 ? [n & 127] : [(n & 127) | 128, ...signed(n >> 7)]);
const section = (id, content) => [id, ...unsigned(content.length), ...content];
const list = (items) => [...unsigned(items.length), ...items.flat()];
const text = (word) => list([...word].map((letter) => [letter.charCodeAt(0)]));
const get = (local) => [0x20, local],
  set = (local) => [0x21, local];
const vector = (code, ...immediate) => [0xfd, ...unsigned(code), ...immediate];
const [I32, F32, V128] = [0x7f, 0x7d, 0x7b],
  END = 0x0b,
  I32_ADD = 0x6a,
  I32_SUB = 0x6b,
  I32_BELOW = 0x49;
const load = (offset) => vector(0, 4, ...unsigned(offset)),
  store = (offset) => vector(11, 4, ...unsigned(offset));
const SPLAT = vector(0x13),
  LANE = vector(0x1f, 0),
  ADD = vector(0xe4),
  MUL = vector(0xe6),
  MADD = vector(0x105);
const float = (value) => [0x43, ...new Uint8Array(Float32Array.of(value).buffer)];
const number = (value) => [0x41, ...signed(value)];
// A body that runs until `again` leaves 0.
const loop = (body, again) => [0x03, 0x40, ...body, ...again, 0x0d, 0, END];
const sumOf = (first, count) => [
  ...get(first),
  ...Array.from({ length: count - 1 }, (_, i) => [...get(first + 1 + i), ...ADD]).flat(),
  ...LANE,
];
const body = (locals, code) => {
  const content = [...list(locals.map(([count, type]) => [...unsigned(count), type])), ...code, END];
  return [...unsigned(content.length), ...content];
};

// Vectors from `first` on to the lowest addresses, the upper of each two first.
const storePairs = (first, count) =>
  Array.from({ length: count / 2 }, (_, i) =>
    [1, 0].flatMap((upper) => {
      const at = 2 * i + upper;
      return [...number(0), ...get(first + at), ...store(16 * at)];
    }),
  ).flat();
const firstStored = [...number(0), 0x2a, 2, 0]; // f32.load of what was stored at 0

// fma(iterations, paired): chains in registers, ACCUMULATORS of them or, paired, of twos. The
// addend is the chain where the engine fuses, as in a matrix product; where it does not, the factor
// is, so that no product can be computed once for all. One function: both are compiled at once.
function fma(relaxed) {
  const paired = 1,
    x = 2,
    y = 3,
    first = 4,
    most = 2 * ACCUMULATORS;
  const one = (a) =>
    relaxed ? [...get(x), ...get(y), ...get(a), ...MADD] : [...get(a), ...get(x), ...MUL, ...get(y), ...ADD];
  const chains = (count) => {
    const all = Array.from({ length: count }, (_, i) => first + i);
    const iteration = Array.from({ length: UNROLLED }, () => all.flatMap((a) => [...one(a), ...set(a)])).flat();
    return loop(iteration, [...get(0), ...number(1), I32_SUB, 0x22, 0]);
  };
  return body(
    [[2 + most, V128]],
    [
      ...float(relaxed ? 1e-9 : 0.5),
      ...SPLAT,
      ...set(x),
      ...float(0.5),
      ...SPLAT,
      ...set(y),
      ...Array.from({ length: most }, (_, i) => [...float(1), ...SPLAT, ...set(first + i)]).flat(),
      ...get(paired),
      0x04,
      F32,
      ...chains(most),
      ...storePairs(first, most),
      ...firstStored,
      0x05,
      ...chains(ACCUMULATORS),
      ...sumOf(first, ACCUMULATORS),
      END,
    ],
  );
}

// sweep(bytes): every 16 bytes below `bytes` are read; or, with `adds`, those of the upper half are
// added to those of the lower.
function sweep(adds) {
  const at = 2,
    other = 3,
    first = 4,
    lanes = STRIDE / 16;
  const added = (i) => [...get(at), ...load(16 * i), ...get(other), ...load(16 * i), ...ADD, ...set(first + i)];
  const read = (i) => [...get(at), ...load(16 * i), ...get(first + i), ...ADD, ...set(first + i)];
  const write = (i) => [...get(at), ...get(first + i), ...store(16 * i)];
  const two = (i) =>
    adds ? [...added(i), ...added(i + 1), ...write(i + 1), ...write(i)] : [...read(i), ...read(i + 1)];
  return body(
    [
      [2, I32],
      [lanes, V128],
    ],
    [
      ...get(0),
      ...set(other),
      ...loop(
        [
          ...Array.from({ length: lanes / 2 }, (_, i) => two(2 * i)).flat(),
          ...get(other),
          ...number(STRIDE),
          I32_ADD,
          ...set(other),
        ],
        [...get(at), ...number(STRIDE), I32_ADD, 0x22, at, ...get(0), I32_BELOW],
      ),
      ...(adds ? [] : storePairs(first, lanes)),
      ...firstStored,
    ],
  );
}

/** The probe's bytes. relaxed: with relaxed_madd, else multiplication and addition. */
export function probeModule(relaxed) {
  const code = [
    ["fma", fma(relaxed)],
    ["read", sweep(false)],
    ["add", sweep(true)],
  ];
  return Uint8Array.from([
    0,
    97,
    115,
    109,
    1,
    0,
    0,
    0,
    ...section(1, list([[0x60, ...list([[I32], [I32]]), ...list([[F32]])]])),
    ...section(3, list(code.map(() => [0]))),
    ...section(5, list([[0, ...unsigned(PAGES)]])),
    ...section(7, list(code.map(([name], index) => [...text(name), 0, index]))),
    ...section(10, list(code.map(([, content]) => content))),
  ]);
}

const amountOf = (iterations, chains) => iterations * UNROLLED * chains * 4 * 2;

function loops(relaxed) {
  return new WebAssembly.Instance(new WebAssembly.Module(probeModule(relaxed))).exports;
}

/**
 * One thread's probe: (kind, bytes) -> operations (fma, paired) or bytes moved (read, add) a
 * second.
 */
export function makeProbe(relaxed) {
  const exports = loops(relaxed);
  return (kind, bytes) => {
    // read goes through `bytes`; add through two halves of it, of which it reads both and writes
    // one.
    const [call, amount] = {
      fma: [() => exports.fma(20_000, 0), amountOf(20_000, ACCUMULATORS)],
      paired: [() => exports.fma(10_000, 1), amountOf(10_000, 2 * ACCUMULATORS)],
      read: [() => exports.read(bytes, 0), bytes],
      add: [() => exports.add(bytes / 2, 0), 1.5 * bytes],
    }[kind];
    call();
    let best = 0;
    for (let round = 0; round < ROUNDS; round++) best = Math.max(best, rate(call, amount, SECONDS * 1000));
    return best;
  };
}

// The amounts a second of calls that last for some milliseconds together.
function rate(call, amount, milliseconds) {
  const begun = performance.now(),
    end = begun + milliseconds;
  let calls = 0,
    now = begun;
  for (let several = 1; now < end; now = performance.now()) {
    for (let i = 0; i < several; i++) call();
    calls += several;
    if (now - begun < milliseconds / 10) several *= 2; // the clock is read seldom against what it times
  }
  return ((calls * amount) / (now - begun)) * 1000;
}

let engine = null; // the promise of the answer, made once

/**
 * {pairs, plain} of an engine with relaxed SIMD, measured: nothing else says it. pairs: whether it
 * makes one vector of 256 bits of two of 128. plain: whether multiplication and addition are faster
 * than relaxed_madd.
 *
 * Takes two and a half milliseconds of every ten until the engine has optimized the loops, as
 * a rule a tenth of a second, and then a few more.
 */
export const measureEngine = () => (engine ??= measureLoops());

async function measureLoops() {
  const [relaxed, strict] = [loops(true), loops(false)];
  const measure = (paired) =>
    rate(() => relaxed.fma(100, paired), amountOf(100, paired ? 2 * ACCUMULATORS : ACCUMULATORS), SLICE);
  const measurePlain = () => rate(() => strict.fma(100, 0), amountOf(100, ACCUMULATORS), PLAIN_SLICE);
  // Another program's turn on this core only ever slows a measurement: the fastest of each count.
  const first = Math.max(measure(0), measure(0));
  let narrow = first,
    wide = 0,
    plain = 0;
  for (let all = 1, same = 0; same < STEADY || (narrow < 2 * first && all < UNSURE); all++, same++) {
    const [newNarrow, newWide] = [measure(0), measure(1)];
    if (newNarrow > FASTER * narrow || newWide > FASTER * wide) same = 0;
    narrow = Math.max(narrow, newNarrow);
    wide = Math.max(wide, newWide);
    if (all <= MOST_PLAIN) plain = Math.max(plain, measurePlain());
    await new Promise((resume) => setTimeout(resume, PAUSE));
  }
  return { pairs: wide > PAIRED * narrow, plain: plain > PLAIN * narrow };
}
