// A model file as it is to be read by Python: unpacked where it is gzip, and no larger than fits.
//
//   readable(blob)   a promise of the Blob of a .tinygpt file; rejects with an Error of a sentence
//
// 2 MB of gzip can hold 2 GB. So the size is bounded while the bytes stream: the header comes first
// (docs/format.md) and says how many bytes follow. More than that, or more than this tab can hold,
// ends the reading. Python checks everything else; py/tinygpt/storage/gzip_file.py unpacks there.

import { bytes } from "../ui/format.js";
import { LimitError, parse } from "../worker/bounded_json.js";
import { each, joined, unpacked } from "../worker/bounded_stream.js";

const GZIP = [0x1f, 0x8b];
const MOST_HEADER = 100_000_000;
const MOST_VALUES = 1_600_000; // of a header: those of 100,000 tensors
const TOGETHER = 16e6; // bytes that go into one Blob, which the browser keeps outside of the tab
// Of a file: the tab's Python has at most 4 GB, and holds it more than once.
export const MOST_BYTES = 1.5e9;
// Of an unpacked one: at most a quarter of the memory that the browser says there is, and of 4 GB
// where it says nothing.
export const MOST_UNPACKED = Math.min(MOST_BYTES, ((globalThis.navigator?.deviceMemory ?? 4) * 2 ** 30) / 4);

class NoMemory extends Error {}

export async function readable(blob) {
  if (blob.size > MOST_BYTES)
    throw new Error(`The file is ${bytes(blob.size)}: a tab can load at most ${bytes(MOST_BYTES)}.`);
  const head = new Uint8Array(await blob.slice(0, 2).arrayBuffer());
  if (head[0] !== GZIP[0] || head[1] !== GZIP[1]) return blob;
  try {
    return await complete(unpacked(blob, "gzip"));
  } catch (error) {
    if (error instanceof NoMemory) throw error;
    throw new Error(`The file cannot be unpacked: ${error.message}. It is damaged, or not a model.`);
  }
}

// The file that a stream holds, as a Blob.
async function complete(stream) {
  const blobs = [];
  let pieces = [], // not in a Blob yet
    waiting = 0, // their bytes
    declared = null; // bytes of the whole file, when its header is here
  const total = await each(stream, (piece, size) => {
    pieces.push(piece);
    waiting += piece.length;
    if (declared === null && size > 8) {
      const end = endOfHeader(pieces, waiting);
      if (size >= end) {
        pieces = [joined(pieces, waiting)];
        declared = end + tensorBytes(pieces[0].subarray(8, end));
        if (declared > MOST_UNPACKED) {
          const [wanted, most] = [declared, MOST_UNPACKED].map(bytes);
          throw new NoMemory(
            `The file would take ${wanted} unpacked, and this tab can unpack at most ${most}: use a smaller model.`,
          );
        }
      }
    }
    if (declared === null) return;
    if (size > declared) {
      const most = declared.toLocaleString("en");
      throw new Error(`it unpacks to more than the ${most} bytes that its header declares`);
    }
    if (waiting < TOGETHER) return;
    blobs.push(new Blob(pieces));
    [pieces, waiting] = [[], 0];
  });
  if (total !== declared) throw new Error("it is cut off");
  return new Blob([...blobs, ...pieces]);
}

// Where the header ends, from the first pieces of a file.
function endOfHeader(pieces, size) {
  if (pieces.length > 1 && pieces[0].length < 9) pieces.splice(0, pieces.length, joined(pieces, size));
  const [first] = pieces;
  const length = Number(new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true));
  if (length > MOST_HEADER || first[8] !== "{".charCodeAt(0)) throw new Error("it holds no .tinygpt file");
  return 8 + length;
}

// The bytes of all tensors, as the header says.
function tensorBytes(header) {
  let entries;
  try {
    entries = parse(new TextDecoder("utf-8", { fatal: true }).decode(header), { values: MOST_VALUES });
  } catch (error) {
    throw new Error(error instanceof LimitError ? `its header ${error.message}` : "its header is not valid JSON");
  }
  let end = 0;
  for (const [name, entry] of Object.entries(entries)) {
    if (name === "__metadata__") continue;
    const [, last] = Array.isArray(entry?.data_offsets) ? entry.data_offsets : [];
    if (!Number.isSafeInteger(last) || last < 0) throw new Error("its header gives a tensor no place");
    end = Math.max(end, last);
  }
  return end;
}
