// @ts-check
// A slot: one saved state of a run as one file. Each run has two, `<run>.a` and `<run>.b`; a save
// goes into the older one, so that whatever happens while it is written, the other one is complete.
//
//   bytes     what (numbers little-endian)
//   8         "TGPTSLOT"
//   4, 4      version 1; length of the JSON
//   8, 8      length of the .tinygpt file's head (its length field and header), and of its tensors
//   8         sequence number: the higher of two is the newer
//   32        SHA-256 over the 40 bytes before, the JSON and the .tinygpt file's head
//   32        SHA-256 over the tensors: the file's own data_sha256
//   the JSON, then the .tinygpt file (docs/format.md)
//
// Of a program of plain PyTorch code, the .tinygpt file is a container with the one tensor "file":
// a file of torch.save (`programFile` takes it out).
//
// The JSON says about the run what the page needs besides: name, settings, files, curve, marks
// (autosave.js); NaN and the infinities are written as Python writes them (json_text.js).

import { LimitError } from "../worker/bounded_json.js";
import { decode, encode } from "../worker/json_text.js";

const MAGIC = "TGPTSLOT",
  VERSION = 1;
const HEAD = 104,
  SIGNED = 40;
const MAX_JSON = 64e6,
  MAX_HEAD = 1e8 + 8;
const NO_DIGEST = '"data_sha256":"' + "0".repeat(64);

/**
 * The logged steps and the evaluations of a run.
 *
 * @typedef {object} Curve
 * @property {number[]} steps
 * @property {number[]} losses
 * @property {(number | null)[]} lrs
 * @property {(number | null)[]} norms
 * @property {(number | null)[]} ms
 * @property {number[]} evalSteps
 * @property {number[]} evalLosses
 * @property {[string, number[], (number | null)[]][]} [metrics]  name, steps, values
 */

/**
 * What a slot's JSON says about the run.
 *
 * @typedef {object} SavedFacts
 * @property {string} name
 * @property {number} saved  ms since 1970
 * @property {number} step
 * @property {number} steps
 * @property {number | null} loss
 * @property {number | null} val
 * @property {string} preset
 * @property {number} parameters
 * @property {string | null} corpus
 * @property {string} device
 * @property {string} precision
 * @property {boolean} chosen  the device is the user's choice
 * @property {boolean} finished
 * @property {boolean} [plain]  plain PyTorch code: it cannot be resumed
 * @property {Record<string, any>} settings
 * @property {Record<string, any>} run  of the training view
 * @property {Record<string, any>} facts  of the run on the chart
 * @property {{ step: number, text: string }[]} marks
 * @property {number} elapsed  ms
 * @property {number} [colour]  of the run on the chart, 1 to 8
 */

/**
 * The rest, which is read only when the run is resumed.
 *
 * @typedef {object} SavedContent
 * @property {Record<string, string>} files  those that run
 * @property {Record<string, string> | null} edited  the editor's, where they differ
 * @property {Curve} curve
 * @property {string} samples
 */

/** @typedef {SavedFacts & SavedContent} SavedRun */

/**
 * The parts of a slot. bytes: a .tinygpt file whose data_sha256 is not filled in yet (it is then).
 *
 * @param {SavedRun} about
 * @param {number} sequence
 * @param {ArrayBuffer} bytes
 */
export async function sealed(about, sequence, bytes) {
  const file = new Uint8Array(bytes);
  const headLength = 8 + Number(new DataView(bytes).getBigUint64(0, true));
  const data = file.subarray(headLength),
    tensors = await sha(data);
  fill(file.subarray(0, headLength), tensors);
  const json = new TextEncoder().encode(encode(about));
  const head = new Uint8Array(HEAD),
    view = new DataView(head.buffer);
  head.set(new TextEncoder().encode(MAGIC));
  view.setUint32(8, VERSION, true);
  view.setUint32(12, json.length, true);
  view.setBigUint64(16, BigInt(headLength), true);
  view.setBigUint64(24, BigInt(data.length), true);
  view.setBigUint64(32, BigInt(sequence), true);
  head.set(await sha(joined(head.subarray(0, SIGNED), json, file.subarray(0, headLength))), SIGNED);
  head.set(tensors, SIGNED + 32);
  return [head, json, file];
}

/**
 * The file of torch.save in what a slot of a program holds.
 * @param {Blob} file
 */
export async function programFile(file) {
  const length = new DataView(await file.slice(0, 8).arrayBuffer()).getBigUint64(0, true);
  return file.slice(8 + Number(length));
}

/**
 * Puts the digest where the header holds zeros.
 *
 * @param {Uint8Array<ArrayBuffer>} head
 * @param {Uint8Array<ArrayBuffer>} digest
 */
function fill(head, digest) {
  const at = new TextDecoder("latin1").decode(head).indexOf(NO_DIGEST);
  if (at < 0) throw new Error("The checkpoint has no place for its checksum.");
  head.set(new TextEncoder().encode(hex(digest)), at + NO_DIGEST.length - 64);
}

/**
 * The slot's content, `file` being the .tinygpt file, or a sentence that says what is wrong.
 * complete: the tensors are checked too, not only what is said of them.
 *
 * @param {Blob} blob
 * @param {{ complete: boolean }} options
 * @returns {Promise<{ about: SavedRun, sequence: number, file: Blob } | string>}
 */
export async function opened(blob, { complete }) {
  if (blob.size < HEAD) return `it has ${blob.size} bytes, fewer than its header needs`;
  const head = new Uint8Array(await blob.slice(0, HEAD).arrayBuffer()),
    view = new DataView(head.buffer);
  if (new TextDecoder("latin1").decode(head.subarray(0, 8)) !== MAGIC) return "it is not a saved run";
  if (view.getUint32(8, true) !== VERSION)
    return `it has version ${view.getUint32(8, true)} and this page reads version ${VERSION}`;
  const json = view.getUint32(12, true),
    headLength = Number(view.getBigUint64(16, true)),
    length = Number(view.getBigUint64(24, true));
  if (json > MAX_JSON || headLength > MAX_HEAD || HEAD + json + headLength + length !== blob.size) {
    return `its size does not match its header`;
  }
  const content = new Uint8Array(await blob.slice(HEAD, HEAD + json + headLength).arrayBuffer());
  if (!same(await sha(joined(head.subarray(0, SIGNED), content)), head.subarray(SIGNED, SIGNED + 32)))
    return "its checksum does not match";
  const file = blob.slice(HEAD + json);
  if (complete && !same(await sha(await file.slice(headLength).arrayBuffer()), head.subarray(SIGNED + 32, HEAD))) {
    return "the checksum of its tensors does not match";
  }
  const about = described(content.subarray(0, json));
  if (typeof about === "string") return about;
  return {
    about,
    sequence: Number(view.getBigUint64(32, true)),
    file,
  };
}

/**
 * What a slot's JSON says, or a sentence.
 *
 * @param {Uint8Array} json
 * @returns {SavedRun | string}
 */
function described(json) {
  try {
    const about = decode(new TextDecoder().decode(json));
    if (about && typeof about === "object" && !Array.isArray(about)) return about;
    return "its description is not an object";
  } catch (error) {
    return `its description ${error instanceof LimitError ? error.message : "is not valid JSON"}`;
  }
}

/** @param {BufferSource} bytes */
const sha = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
/** @param {Uint8Array} bytes */
const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
/** @type {(a: Uint8Array, b: Uint8Array) => boolean} */
const same = (a, b) => a.every((byte, i) => byte === b[i]);

/** @param {Uint8Array[]} parts */
function joined(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
