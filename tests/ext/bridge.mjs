// Drives the extension through app/bridges/wasm.js as Python would, and measures it. Runs in Node
// and in a browser worker.
//
// check(options) -> lines of results; throws at the first failure. A stand-in for Pyodide supplies
// a growable heap.

class FakeHeap {
  constructor() {
    this.memory = new WebAssembly.Memory({ initial: 4, maximum: 1024 });
    this.refresh();
  }
  refresh() {
    this.HEAPU8 = new Uint8Array(this.memory.buffer);
    this.HEAP32 = new Int32Array(this.memory.buffer);
  }
  grow(pages) {
    this.memory.grow(pages);
    this.refresh();
  }
  buffer(offset, nbytes) {
    return { getBuffer: () => ({ data: this.HEAPU8.subarray(offset, offset + nbytes), nbytes, release() {} }) };
  }
}

function expect(condition, message) {
  if (!condition) throw new Error(message);
}

// Memory reserved once, and a block whose end lies past 4 GiB: filled by a kernel, written and read
// by the host.
function pastFourGiB(ext, floats, fill) {
  const nbytes = 4.5 * 2 ** 30,
    tail = 1 << 20;
  expect(!ext.reserve(2 * ext.maxBytes) && ext.reserve(nbytes + 2 ** 28), "reserve");
  const reserved = ext.memoryBytes(),
    block = ext.alloc(nbytes),
    end = block + nbytes - tail;
  expect(
    reserved >= nbytes + 2 ** 28 && block > 0 && end > 2 ** 32 && ext.memoryBytes() === reserved,
    "no growth after reserve",
  );
  expect(fill(end, tail / 4, 7) === 0 && floats(end, tail / 4).every((v) => v === 7), "a kernel past 4 GiB");
  ext.upload(end, new Float32Array(1024).fill(2));
  expect(
    floats(end, 1025).every((v, i) => v === (i < 1024 ? 2 : 7)),
    "an upload past 4 GiB",
  );
  ext.free(block);
  return `a block of ${nbytes / 2 ** 30} GiB in ${(reserved / 2 ** 30).toFixed(2)} GiB of memory`;
}

export async function check(loadExtension, kernels, options) {
  const lines = [];
  const ext = await loadExtension(options);
  const heap = new FakeHeap();
  ext.attach({ _module: heap });
  const COMMAND = 4096;
  ext.bindCommand(heap.buffer(COMMAND, 65536 + 4096));
  lines.push(`${ext.variant}: ${ext.build}, ${ext.threads} of ${ext.maxThreads} threads`);

  const write = (id, values) => {
    const view = new DataView(heap.memory.buffer, COMMAND);
    const slots = values.length + 2;
    [id, slots, ...values].forEach((v, i) =>
      typeof v === "object" ? view.setFloat64(8 * i, v.f, true) : view.setBigInt64(8 * i, BigInt(v), true),
    );
    return slots * 8;
  };
  const launch = (id, values) => ext.run(write(id, values));
  const floats = (address, n) => new Float32Array(ext.download(address, n * 4).buffer);
  const upload = (address, array) => ext.upload(address, array);
  const fill = kernels.fill,
    matmul = kernels.matmul;

  const before = ext.inUse();
  const x = ext.alloc(400);
  expect(x % 64 === 0 && ext.inUse() === before + 400, "alloc");
  expect(launch(fill, [x, 0, 100, { f: 2.5 }]) === 0, "fill");
  expect(
    floats(x, 100).every((v) => v === 2.5),
    "fill's values",
  );
  heap.grow(16); // Pyodide's memory moves
  expect(launch(fill, [x, 0, 100, { f: -1 }]) === 0 && floats(x, 100)[99] === -1, "after Pyodide's memory grew");
  const large = ext.alloc(200 << 20); // the extension's memory grows
  expect(large > 0 && ext.memoryBytes() > 200 << 20, "growth");
  expect(
    launch(fill, [large, 0, 50 << 20, { f: 3 }]) === 0 && floats(large + (200 << 20) - 400, 100).every((v) => v === 3),
    "after growth",
  );
  ext.free(large);
  expect(ext.alloc(ext.maxBytes + 2 ** 30) === 0 && ext.alloc(ext.maxBytes - 65536) === 0, "no memory is 0");
  expect(ext.maxBytes === (ext.build.startsWith("wasm64") ? 2 ** 34 : 2 ** 32), "maxBytes");
  if (ext.maxBytes > 2 ** 32)
    lines.push(pastFourGiB(ext, floats, (address, n, value) => launch(fill, [address, 0, n, { f: value }])));
  expect(launch(99, [0]) === 1 && ext.failedAt() === 0, "unknown kernel");
  heap.HEAPU8.set([1, 2, 3, 4], COMMAND);
  ext.poke(x, 4);
  heap.HEAPU8.fill(0, COMMAND, COMMAND + 4);
  ext.peek(x, 4);
  expect(heap.HEAPU8.slice(COMMAND, COMMAND + 4).join() === "1,2,3,4", "poke and peek");

  // The queue: words given, words of the memory, and nothing twice. The watched number comes back
  // with a replay, after the queue.
  const queue = (entries) => {
    const words = entries.flatMap(([to, from, n, ...data]) => [
      to % 2 ** 32,
      to / 2 ** 32,
      from % 2 ** 32,
      from / 2 ** 32,
      n,
      ...data,
    ]);
    new Uint32Array(heap.memory.buffer, COMMAND + 65536 + 8).set([...words, 0, 0]);
  };
  expect(launch(fill, [x, 0, 100, { f: 1 }]) === 0, "fill");
  queue([
    [x + 8, 0, 2, 0x40000000, 0x40400000],
    [x + 20, x + 8, 3],
  ]);
  ext.settle();
  expect(floats(x, 9).join() === "1,1,2,3,1,2,3,1,1", "what was queued");
  upload(x, new Float32Array(9));
  ext.settle();
  expect(
    floats(x, 9).every((v) => v === 0),
    "nothing is queued any more",
  );
  const filling = ext.alloc(48);
  ext.poke(filling, write(fill, [x, 0, 2, { f: 5 }]));
  new Uint32Array(heap.memory.buffer, COMMAND + 65536).set([(x + 4) % 2 ** 32, (x + 4) / 2 ** 32]);
  queue([[x, 0, 3, 0x40000000, 0x40000000, 0x40000000]]);
  expect(ext.replay(filling, 6) === 5 && floats(x, 4).join() === "5,5,2,0", "a replay comes after what is queued");
  ext.poke(filling, write(99, [0]));
  expect(ext.replay(filling, 3) === undefined && ext.status === 1, "a replay that fails");
  ext.free(filling);
  ext.free(x);

  // One matmul, the same bits for every number of threads, right to 1e-4, as eager launch and as
  // replay.
  const shape = { M: 203, N: 117, K: 331 };
  const product = ({ M, N, K }, a, b, c) => [
    c,
    a,
    b,
    0,
    0,
    0,
    1,
    M,
    N,
    K,
    0,
    1,
    K,
    K,
    N,
    0,
    0,
    0,
    { f: 1 },
    { f: 0 },
    0,
  ];
  let seed = 1;
  const random = (n) =>
    Float32Array.from({ length: n }, () => ((seed = (Math.imul(seed, 1664525) + 1013904223) | 0) >> 8) / 2 ** 23);
  const make = ({ M, N, K }) => {
    const A = random(M * K),
      B = random(N * K),
      a = ext.alloc(4 * M * K),
      b = ext.alloc(4 * N * K),
      c = ext.alloc(4 * M * N);
    upload(a, A);
    upload(b, B);
    return { A, B, a, b, c };
  };
  const { A, B, a, b, c } = make(shape);
  let first = null;
  for (let T = 1; T <= ext.maxThreads; T++) {
    expect(ext.setThreads(T) === T && ext.threads === T, "setThreads");
    expect(launch(matmul, product(shape, a, b, c)) === 0, "matmul");
    const C = floats(c, shape.M * shape.N);
    first ??= C;
    expect(
      C.every((v, i) => v === first[i]),
      `matmul differs between 1 and ${T} threads`,
    );
  }
  for (let m = 0; m < shape.M; m += 7)
    for (let n = 0; n < shape.N; n += 5) {
      let want = 0;
      for (let k = 0; k < shape.K; k++) want += A[m * shape.K + k] * B[n * shape.K + k];
      expect(Math.abs(first[m * shape.N + n] - want) < 1e-4, `matmul at ${m}, ${n}`);
    }

  // Speed: the hand-off, and the matmuls of the xl preset.
  const program = (launches) => {
    const size = launches.reduce((n, [, v]) => n + v.length + 2, 0),
      address = ext.alloc(size * 8);
    let at = address;
    for (const [id, values] of launches) {
      const n = write(id, values);
      ext.poke(at, n);
      at += n;
    }
    return [address, size];
  };
  const median = (f, reps) => {
    const t = [];
    for (let i = 0; i < reps; i++) {
      const t0 = performance.now();
      f();
      t.push(performance.now() - t0);
    }
    return t.sort((p, q) => p - q)[reps >> 1];
  };
  const tiny = { M: 1, N: 1, K: 1 };
  const eager = write(matmul, product(tiny, a, b, c));
  lines.push(
    `eager launch: ${(
      median(() => {
        for (let i = 0; i < 1000; i++) ext.run(eager);
      }, 9)
    ).toFixed(2)} us`,
  );
  const hand = program(Array.from({ length: 200 }, () => [matmul, product({ M: 64, N: 64, K: 64 }, a, b, c)]));
  const each = [];
  for (let T = 1; T <= Math.min(2, ext.maxThreads); T++) {
    ext.setThreads(T);
    const end = performance.now() + 1500; // a pool that slept may have both threads on one processor at first
    while (performance.now() < end) ext.replay(...hand);
    each.push(median(() => ext.replay(...hand), 99) * 5);
    lines.push(`200 matmuls 64 x 64 x 64, ${T} threads: ${each[T - 1].toFixed(2)} us each`);
  }
  if (each[1]) lines.push(`hand-off to a second thread and back: ${(each[1] - each[0] / 2).toFixed(2)} us`);
  for (const [M, N, K] of options.shapes ?? [
    [1024, 768, 256],
    [1024, 1024, 256],
    [1024, 256, 1024],
  ]) {
    const m = make({ M, N, K });
    const [address, slots] = program(Array.from({ length: 4 }, () => [matmul, product({ M, N, K }, m.a, m.b, m.c)]));
    for (let T = 1; T <= Math.min(2, ext.maxThreads); T++) {
      ext.setThreads(T);
      const ms = median(() => ext.replay(address, slots), 15) / 4;
      lines.push(`matmul ${M} ${N} ${K}, ${T} threads: ${((2e-6 * M * N * K) / ms).toFixed(1)} GFLOP/s`);
    }
    [m.a, m.b, m.c, address].forEach(ext.free);
  }
  return lines;
}
