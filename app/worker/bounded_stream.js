// @ts-check
// A stream from outside (an answer of a server, what a compressed file unpacks to), read no further
// than a limit: reading ends there, before memory is filled.
//
//   readAll(stream, most)   a promise of all its bytes; rejects with a TooLarge
//   each(stream, take)      hands over one piece after the other, until take() throws
//   unpacked(blob, format)  a stream of what a compressed Blob holds

export class TooLarge extends RangeError {
  /** @param {number} most */
  constructor(most) {
    super(`more than ${most.toLocaleString("en")} bytes`);
    this.most = most;
  }
}

// Bytes that are unpacked at once, into at most 68 MB: the browser unpacks each piece that it is
// given completely, whether anybody reads that or not.
const PIECE = 1 << 16;
const BLOCK = 1 << 21; // bytes that are read at once

/**
 * @param {Blob} blob
 * @param {CompressionFormat} format
 * @returns {ReadableStream<Uint8Array<ArrayBuffer>>}
 */
export function unpacked(blob, format) {
  let at = 0,
    block = new Uint8Array(0);
  /** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */
  const pieces = new ReadableStream(
    {
      async pull(sink) {
        if (at >= blob.size) return sink.close();
        const inside = at % BLOCK;
        if (inside === 0) block = new Uint8Array(await blob.slice(at, at + BLOCK).arrayBuffer());
        sink.enqueue(block.subarray(inside, inside + PIECE));
        at += PIECE;
      },
    },
    { highWaterMark: 0 },
  );
  return pieces.pipeThrough(new DecompressionStream(format));
}

/**
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} stream
 * @param {number} most
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function readAll(stream, most) {
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const pieces = [];
  const size = await each(stream, (piece, total) => {
    if (total > most) throw new TooLarge(most);
    pieces.push(piece);
  });
  return joined(pieces, size);
}

/**
 * Calls take(piece, bytes so far) for each piece. What it throws cancels the stream.
 *
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} stream
 * @param {(piece: Uint8Array<ArrayBuffer>, total: number) => void} take
 * @returns {Promise<number>} all bytes
 */
export async function each(stream, take) {
  const reader = stream.getReader();
  let total = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return total;
      take(value, (total += value.length));
    }
  } catch (error) {
    reader.cancel().catch(() => {});
    throw error;
  }
}

/**
 * @param {Uint8Array[]} pieces
 * @param {number} size
 */
export function joined(pieces, size) {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
