// The page's readers of what comes from outside, for tests/fuzz/readers.py: mutated links, answers
// of a dataset server, saved runs, packed models, texts and messages. Each case must be accepted
// and valid, or be refused as that reader refuses.
//
//   node tests/fuzz/readers.mjs READER COUNT SEED
//
// Out: a line of JSON, {tried, accepted, wrong: [[case, what happened]], slowest: seconds, memory:
// bytes}.

import { createHash } from "node:crypto";
import { deflateRawSync, gzipSync } from "node:zlib";
import { DatasetError, HuggingFace, Loading } from "../../app/data/huggingface.js";
import { asText } from "../../app/data/text_file.js";
import { readable } from "../../app/run/model_file.js";
import { decoded } from "../../app/share/link.js";
import { opened } from "../../app/store/slots.js";
import { LimitError, MAX_DEPTH } from "../../app/worker/bounded_json.js";
import { decode, encode } from "../../app/worker/json_text.js";

const [reader, count, seed] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
Object.defineProperty(globalThis, "navigator", { value: { onLine: true }, configurable: true });

// ---- random numbers: mulberry32 ----

let state = seed >>> 0;
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = state;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
const below = (n) => Math.floor(random() * n);
const one = (list) => list[below(list.length)];

// ---- a value with its structure changed ----

const NUMBERS = [0, 1, -1, 1.5, 7, 100, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 63, 1e308, -0, 5e-324];
const TEXTS = ["", "x", "train", "constructor", "__proto__", "\ud800", "\0", "a".repeat(3000), "[[{", '"\\', "\r\n \t"];
const RAW = ["NaN", "-Infinity", "1e999", "9".repeat(5000), "01", "{", "}", '"', "[,]", '"\\ud800"', '{"a":1,"a":2}'];
for (const n of [99, 101, 5000]) RAW.push("[".repeat(n) + "]".repeat(n), '{"a":'.repeat(n) + "1" + "}".repeat(n));
const value = () => one([null, true, false, one(NUMBERS), one(TEXTS), [], [0], {}, { a: 1 }]);
const raw = (text) => "raw:" + text;

function places(container, out = []) {
  for (const key of Object.keys(container)) {
    out.push([container, key]);
    if (container[key] && typeof container[key] === "object") places(container[key], out);
  }
  return out;
}

function change(tree) {
  for (let n = one([1, 1, 1, 2, 3]); n > 0; n--) {
    const found = places(tree);
    if (!found.length) tree.x = value();
    else {
      const [container, key] = one(found),
        kind = below(8);
      if (kind <= 2) container[key] = value();
      else if (kind === 3) container[key] = one(NUMBERS);
      else if (kind === 4) container[key] = raw(one(RAW));
      else if (kind === 5) Array.isArray(container) ? container.splice(key, 1) : delete container[key];
      else if (kind === 6 && !Array.isArray(container)) {
        container[one(TEXTS)] = container[key];
        delete container[key];
      } else {
        const [other, where] = one(found);
        if (!other[where] || typeof other[where] !== "object") container[key] = other[where];
      }
    }
  }
  return tree;
}

const written = (tree) =>
  (JSON.stringify(tree) ?? "null").replace(/"raw:((?:[^"\\]|\\.)*)"/g, (_, text) => JSON.parse(`"${text}"`));

function damaged(bytes) {
  const kind = below(5),
    out = Buffer.from(bytes);
  if (kind === 0) return out.subarray(0, below(out.length + 1));
  if (kind === 1) return Buffer.concat([out, Buffer.from(Array.from({ length: 1 + below(40) }, () => below(256)))]);
  for (let n = one([1, 1, 2, 8]); n > 0 && out.length; n--) {
    if (kind === 2) out[below(out.length)] ^= 1 << below(8);
    else if (kind === 3) out[below(out.length)] = one(Buffer.from('{}[]",:-0123456789eE\\ nul'));
    else out.copyWithin(below(out.length), below(out.length), below(out.length));
  }
  return out;
}

function depth(tree) {
  let level = [tree],
    deep = 0;
  for (; ; deep++) {
    const containers = level.filter((item) => item && typeof item === "object");
    if (!containers.length) return deep;
    level = containers.flatMap((item) => Object.values(item));
  }
}

function assert(holds, what) {
  if (!holds) throw new Error("not valid: " + what);
}

const sentence = (error, start = "") =>
  error.constructor === Error && error.message.startsWith(start) && error.message.length < 700;

// ---- the readers: make() a case, read it, and refused(error): whether that is its refusal ----

const NAMES = ["train.py", "model.py", "generate.py"],
  PRESETS = ["tiny", "small"];

const link = {
  make() {
    const tree = {
      title: "A title",
      files: { "train.py": "x = 1\n" },
      settings: { preset: "tiny", steps: 10, lr: 0.001, seed: 3, recompute: true, schedule: "cosine" },
    };
    if (below(8)) change(tree);
    let packed = deflateRawSync(written(tree));
    if (below(300) === 0) packed = deflateRawSync(Buffer.alloc(8e6, 32));
    if (below(4) === 0) packed = damaged(packed);
    let fragment = "#share=1." + packed.toString("base64url");
    if (below(12) === 0)
      fragment = one(["#share=2.", "#share=", "#share=1.", "#other", "#share%3D1."]) + fragment.slice(9);
    return fragment;
  },
  async read(fragment) {
    const got = await decoded(fragment, { names: NAMES, presets: PRESETS });
    if (got === null) return;
    assert(typeof got.title === "string" && got.title.length <= 80, "title");
    for (const [name, text] of Object.entries(got.files))
      assert(NAMES.includes(name) && typeof text === "string" && text.length <= 1e6, "files");
    assert(depth(got) <= 2 && Object.keys(got.settings).length <= 13, "settings");
  },
  refused: (error) => sentence(error, "The link could not be opened: "),
};

const dataset = {
  make() {
    const answers = [];
    for (let page = 0, pages = 1 + below(3); page < pages; page++) {
      const rows = [{ text: "One." }, { text: "Two.\r\n" }, { text: ["three", { text: "four" }] }].map((row, i) => ({
        row_idx: page * 3 + i,
        row,
        truncated_cells: [],
      }));
      const tree = {
        features: [{ name: "text", type: { dtype: "string", _type: "Value" } }],
        rows,
        num_rows_total: pages * 3,
        partial: false,
      };
      if (below(3)) change(tree);
      if (below(12) === 0) tree.num_rows_total = one([-1, -5, 1e15, 2, 1.5, "6", null]);
      const body = written(tree);
      answers.push([below(12) ? 200 : one([404, 403, 418, 503]), below(6) ? body : damaged(Buffer.from(body))]);
    }
    return answers;
  },
  async read(answers) {
    let at = 0;
    globalThis.fetch = async (url) => {
      if (String(url).includes("/splits")) return new Response('{"splits":[{"config":"default","split":"train"}]}');
      const [status, body] = answers[at++] ?? [404, '{"error":"no more"}'];
      return new Response(body, { status, headers: { "Retry-After": "9999" } });
    };
    const server = new HuggingFace("http://127.0.0.1:1");
    const loading = new Loading({
      server,
      dataset: "a/b",
      config: "default",
      split: "train",
      column: "text",
      limit: 1e6,
    });
    await loading.run();
    const blob = loading.blob();
    assert(blob.size === loading.bytes && blob.size > 0 && blob.size < 1e5, "bytes");
    assert(loading.rows <= loading.total && loading.total >= 0, "rows");
  },
  refused: (error) => error instanceof DatasetError && /[.”]$/.test(error.message) && error.message.length < 1200,
};

const results = {
  make() {
    const tree = {
      name: "run",
      step: 5,
      files: { "train.py": "x" },
      curve: { steps: [1, 2], losses: [2.5, NaN] },
      marks: [{ step: 1, text: "a" }],
    };
    tree.curve.losses[1] = raw("NaN");
    const json = Buffer.from(written(below(4) ? change(tree) : tree));
    const head = Buffer.from('{"__metadata__":{}}'),
      file = Buffer.concat([Buffer.alloc(8), head, Buffer.alloc(16)]);
    file.writeBigUInt64LE(BigInt(head.length));
    const slot = Buffer.alloc(104);
    slot.write("TGPTSLOT");
    slot.writeUInt32LE(1, 8);
    slot.writeUInt32LE(below(10) ? json.length : below(2 ** 31), 12);
    slot.writeBigUInt64LE(below(10) ? BigInt(8 + head.length) : BigInt(one([0, 1, 2 ** 40, 2 ** 53])), 16);
    slot.writeBigUInt64LE(below(10) ? 16n : BigInt(one([0, 17, 2 ** 53, 2 ** 62])), 24);
    const sha = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();
    sha(slot.subarray(0, 40), json, file.subarray(0, 8 + head.length)).copy(slot, 40);
    sha(file.subarray(8 + head.length)).copy(slot, 72);
    const all = Buffer.concat([slot, json, file]);
    return new Blob([below(4) ? all : damaged(all)]);
  },
  async read(blob) {
    const got = await opened(blob, { complete: true });
    if (typeof got === "string") {
      assert(got.length > 10 && got.length < 200, got);
      throw new LimitError(got);
    }
    assert(got.about && typeof got.about === "object" && depth(got.about) <= MAX_DEPTH, "about");
    assert(got.file.size <= blob.size, "file");
  },
  refused: (error) => error instanceof LimitError,
};

const ZEROS = Buffer.alloc(32e6),
  BOMB = [];
const model = {
  make() {
    const tree = {
      __metadata__: { a: "b" },
      x: { dtype: "F32", shape: [2], data_offsets: [0, 8] },
      y: { dtype: "I8", shape: [3], data_offsets: [8, 11] },
    };
    if (below(4)) change(tree);
    const head = Buffer.from(written(tree)),
      length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(below(8) ? head.length : one([0, 1, 2 ** 32, 2 ** 53, 2 ** 62])));
    const data = Buffer.concat([length, head, Buffer.alloc(below(6) ? 11 : below(40))]);
    if (below(400) === 0) {
      BOMB[0] ??= gzipSync(Buffer.concat([data, ZEROS]));
      return new Blob([BOMB[0]]);
    }
    let packed = gzipSync(data, { level: one([0, 1, 9]) });
    if (below(12) === 0) packed = gzipSync(packed);
    if (below(3) === 0) packed = damaged(packed);
    if (below(8) === 0) packed = Buffer.concat([packed, Buffer.from("more")]);
    return new Blob([below(20) ? packed : data]);
  },
  async read(blob) {
    const whole = await readable(blob);
    if (whole === blob) return;
    const bytes = Buffer.from(await whole.arrayBuffer());
    const end = 8 + Number(bytes.readBigUInt64LE());
    const entries = JSON.parse(bytes.subarray(8, end));
    delete entries.__metadata__;
    const data = Math.max(0, ...Object.values(entries).map((entry) => entry.data_offsets[1]));
    assert(bytes.length === end + data, "as many bytes as its header declares");
  },
  refused: (error) => sentence(error, "The file cannot be unpacked: ") || error.message.includes("GB unpacked"),
};

const STARTS = ["", "\x1f\x8b", "PK\x03\x04", "\xef\xbb\xbf", "\xff\xfe", "\xfe\xff", "\xff\xfe\0\0", "PAR1", "%PDF"];
const WORDS = [
  "Once upon a time.\n",
  "ü漢字",
  "\r\n",
  "\r",
  "\0",
  "\x01\x02",
  "\u2028",
  "𝄞",
  " ".repeat(50),
  "naïve café ",
];
const ENCODINGS = ["utf8", "utf16le", "latin1"];
const text = {
  make() {
    const words = Array.from({ length: below(30) }, () => one(below(4) ? WORDS.slice(0, 4) : WORDS)).join("");
    const bytes = Buffer.concat([
      Buffer.from(below(4) ? "" : one(STARTS), "latin1"),
      Buffer.from(words, one(ENCODINGS)),
    ]);
    return below(3) ? bytes : damaged(bytes);
  },
  async read(bytes) {
    const got = asText(new Uint8Array(bytes), "a.txt");
    const read = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await got.blob.arrayBuffer());
    assert(read.length > 0 && !read.includes("\r") && [...read].length === got.characters, "text");
    assert(got.bytes <= 4 * bytes.length && got.notes.every((note) => note.endsWith(".")), "size");
  },
  refused: (error) => sentence(error, "a.txt "),
};

const messages = {
  make() {
    const tree = { id: 5, ok: true, result: { a: [1, { b: "x[{" }, []], c: { d: null, e: [[[2.5]]] }, 'q"\\': "\\" } };
    change(tree);
    const json = written(tree);
    return below(3) ? json : damaged(Buffer.from(json)).toString();
  },
  async read(json) {
    const got = decode(json);
    assert(depth(got) <= MAX_DEPTH, "depth");
    assert(depth(decode(encode(got))) === depth(got), "both ways");
  },
  refused(error, json) {
    if (error instanceof SyntaxError) return true;
    if (!(error instanceof LimitError)) return false;
    try {
      return depth(JSON.parse(json)) > MAX_DEPTH; // V8's parser does not recurse
    } catch {
      return true; // no JSON behind the limit
    }
  },
};

const READERS = { link, dataset, results, model, text, messages };
const { make, read, refused } = READERS[reader];
const wrong = [];
let accepted = 0,
  slowest = 0;
const before = process.resourceUsage().maxRSS;
for (let i = 0; i < count; i++) {
  const given = make();
  const began = performance.now();
  try {
    await read(given);
    accepted++;
  } catch (error) {
    if (!refused(error, given)) wrong.push([i, `${error?.constructor?.name}: ${error?.stack ?? error}`.slice(0, 600)]);
  }
  slowest = Math.max(slowest, performance.now() - began);
}
const memory = (process.resourceUsage().maxRSS - before) * 1024;
process.stdout.write(
  `${JSON.stringify({ tried: count, accepted, wrong: wrong.slice(0, 100), slowest: slowest / 1e3, memory })}\n`,
);
process.exit();
