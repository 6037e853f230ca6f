// A slot: one saved state of a run as one file. Each run has two, `<run>.a` and `<run>.b`; a save goes into the older one, so that whatever
// happens while it is written, the other one is whole.
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
// The JSON says about the run what the page needs besides: name, settings, files, curve, marks (autosave.js).

const MAGIC = "TGPTSLOT", VERSION = 1;
const HEAD = 104, SIGNED = 40;
const MOST_JSON = 64e6, MOST_HEAD = 1e8 + 8;
const NO_DIGEST = '"data_sha256":"' + "0".repeat(64);

// The parts of a slot. about: what becomes the JSON; bytes: an ArrayBuffer with a .tinygpt file whose data_sha256 is not filled in yet (it is
// then).
export async function sealed(about, sequence, bytes) {
  const whole = new Uint8Array(bytes);
  const headLength = 8 + Number(new DataView(bytes).getBigUint64(0, true));
  const data = whole.subarray(headLength), tensors = await sha(data);
  fill(whole.subarray(0, headLength), tensors);
  const json = new TextEncoder().encode(JSON.stringify(about));
  const head = new Uint8Array(HEAD), view = new DataView(head.buffer);
  head.set(new TextEncoder().encode(MAGIC));
  view.setUint32(8, VERSION, true);
  view.setUint32(12, json.length, true);
  view.setBigUint64(16, BigInt(headLength), true);
  view.setBigUint64(24, BigInt(data.length), true);
  view.setBigUint64(32, BigInt(sequence), true);
  head.set(await sha(joined(head.subarray(0, SIGNED), json, whole.subarray(0, headLength))), SIGNED);
  head.set(tensors, SIGNED + 32);
  return [head, json, whole];
}

// Puts the digest where the header holds zeros.
function fill(head, digest) {
  const at = new TextDecoder("latin1").decode(head).indexOf(NO_DIGEST);
  if (at < 0) throw new Error("The checkpoint has no place for its checksum.");
  head.set(new TextEncoder().encode(hex(digest)), at + NO_DIGEST.length - 64);
}

// {about, sequence, file: Blob of the .tinygpt file}, or a sentence that says what is wrong. whole: the tensors are checked too, not only
// what is said of them.
export async function opened(blob, { whole }) {
  if (blob.size < HEAD) return `it has ${blob.size} bytes, fewer than its first part`;
  const head = new Uint8Array(await blob.slice(0, HEAD).arrayBuffer()), view = new DataView(head.buffer);
  if (new TextDecoder("latin1").decode(head.subarray(0, 8)) !== MAGIC) return "it does not begin as a saved run does";
  if (view.getUint32(8, true) !== VERSION) return `it has version ${view.getUint32(8, true)} and this page reads version ${VERSION}`;
  const json = view.getUint32(12, true), headLength = Number(view.getBigUint64(16, true)), length = Number(view.getBigUint64(24, true));
  if (json > MOST_JSON || headLength > MOST_HEAD || HEAD + json + headLength + length !== blob.size) {
    return `it has ${blob.size} bytes, and its lengths say another number`;
  }
  const rest = new Uint8Array(await blob.slice(HEAD, HEAD + json + headLength).arrayBuffer());
  if (!same(await sha(joined(head.subarray(0, SIGNED), rest)), head.subarray(SIGNED, SIGNED + 32))) return "its checksum does not hold";
  const file = blob.slice(HEAD + json);
  if (whole && !same(await sha(await file.slice(headLength).arrayBuffer()), head.subarray(SIGNED + 32, HEAD))) {
    return "the checksum of its tensors does not hold";
  }
  return { about: JSON.parse(new TextDecoder().decode(rest.subarray(0, json))), sequence: Number(view.getBigUint64(32, true)), file };
}

const sha = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const same = (a, b) => a.every((byte, i) => byte === b[i]);

function joined(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
