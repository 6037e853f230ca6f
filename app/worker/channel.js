// @ts-check
// The way text leaves the worker while Python never yields: a ring of bytes in shared memory.
//
// A record is [kind: 1 byte][length: 4 bytes][UTF-8 text]. The worker writes; the page is woken by
// one message ("drain") when the ring changes from read to unread, and reads everything at once. A
// full ring makes the worker wait for the page, so that an endless print loop neither floods the
// page nor grows memory. A Stop ends that wait for text; a message is never cut.
//
// A message (JSON) of any length travels in records of at most PIECE bytes; all but the last have
// the bit MORE in their kind. The reader gives it out when it is complete.
//
// Where the page is not cross-origin isolated there is no shared memory: the worker then posts
// records in batches, at most one per 30 ms and one at the end of each run. It cannot wait for the
// page, so a batch holds the last BATCH characters of output, and a notice says how many went.
//
// A second ring carries requests the other way, to Python that never yields: the page may not wait,
// so the pieces that do not fit are written later.

import { endOf } from "./printed.js";

export const STDOUT = 1,
  STDERR = 2,
  TRAINING = 3,
  NOTICE = 4,
  ANSWER = 5,
  REQUEST = 6,
  DISPLAY = 7;
export const RING_BYTES = 1 << 18;
const HEAD = 16; // Int32 words: write position, read position (both grow forever, modulo 2^32), unread flag, spare
const WRITE = 0,
  READ = 1,
  UNREAD = 2;
const RECORD = 5;
export const BATCH = 1_000_000; // characters of output in 30 ms
const MESSAGES = [TRAINING, ANSWER, DISPLAY]; // kinds that are never cut
const MORE = 0x80;
export const PIECE = RING_BYTES >> 3;

/** @typedef {[kind: number, text: string]} TextRecord */
/** @typedef {import("./protocol.js").WorkerMessage} WorkerMessage */

export function newChannel() {
  return new SharedArrayBuffer(HEAD + RING_BYTES);
}

export class ChannelWriter {
  /** @type {(message: WorkerMessage) => void} */
  #post; // private: code of the user can import this module and patch the class
  /**
   * interrupted(): whether a Stop is waiting. Then a full ring is no reason to keep Python from it.
   *
   * @param {SharedArrayBuffer} buffer
   * @param {(message: WorkerMessage) => void} post
   * @param {() => boolean} interrupted
   */
  constructor(buffer, post, interrupted) {
    this.words = new Int32Array(buffer, 0, HEAD / 4);
    this.bytes = new Uint8Array(buffer, HEAD);
    this.#post = post;
    this.interrupted = interrupted;
    this.encoder = new TextEncoder();
    this.head = new Uint8Array(RECORD);
    /** @type {Uint8Array | null} */
    this.rest = null; // of the message that `offer` has begun
  }

  get position() {
    return Atomics.load(this.words, WRITE);
  }

  /**
   * @param {number} kind
   * @param {string} text
   */
  write(kind, text) {
    if (MESSAGES.includes(kind)) {
      let data = this.encoder.encode(text);
      for (; data.length > PIECE; data = data.subarray(PIECE)) this.put(kind | MORE, data.subarray(0, PIECE));
      return this.put(kind, data);
    }
    // Long output goes out in pieces that fit the ring, cut between characters.
    const limit = RING_BYTES >> 4;
    for (let at = 0; at < text.length; ) {
      let end = Math.min(at + limit, text.length);
      if (end < text.length && (text.charCodeAt(end - 1) & 0xfc00) === 0xd800) end -= 1;
      this.put(kind, this.encoder.encode(text.slice(at, end)), this.interrupted);
      at = end;
    }
  }

  /**
   * The page's side of the requests' ring: writes the pieces for which there is space now. False
   * where some are left: then the next call is for the same text.
   *
   * @param {number} kind
   * @param {string} text
   */
  offer(kind, text) {
    let data = this.rest ?? this.encoder.encode(text);
    while (RING_BYTES - ((this.position - Atomics.load(this.words, READ)) >>> 0) >= RECORD + PIECE) {
      if (data.length <= PIECE) {
        this.put(kind, data);
        this.rest = null;
        return true;
      }
      this.put(kind | MORE, data.subarray(0, PIECE));
      data = data.subarray(PIECE);
    }
    this.rest = data;
    return false;
  }

  /**
   * cut(): whether the record may be given up instead of waiting.
   *
   * @param {number} kind
   * @param {Uint8Array} data
   * @param {() => boolean} cut
   */
  put(kind, data, cut = () => false) {
    const size = RECORD + data.length;
    const write = Atomics.load(this.words, WRITE);
    let read = Atomics.load(this.words, READ);
    while (RING_BYTES - ((write - read) >>> 0) < size) {
      if (cut()) return; // what is printed between a Stop and its taking hold may be cut
      Atomics.wait(this.words, READ, read, 50);
      read = Atomics.load(this.words, READ);
    }
    this.head[0] = kind;
    new DataView(this.head.buffer).setUint32(1, data.length, true);
    this.copy(write, this.head);
    this.copy(write + RECORD, data);
    Atomics.store(this.words, WRITE, write + size);
    if (Atomics.exchange(this.words, UNREAD, 1) === 0) this.#post({ type: "drain" });
  }

  /**
   * @param {number} position
   * @param {Uint8Array} data
   */
  copy(position, data) {
    const at = (position >>> 0) % RING_BYTES;
    const first = Math.min(data.length, RING_BYTES - at);
    this.bytes.set(first === data.length ? data : data.subarray(0, first), at);
    if (first < data.length) this.bytes.set(data.subarray(first), 0);
  }

  flush() {} // what was written is readable at once
}

export class ChannelReader {
  /** @param {SharedArrayBuffer} buffer */
  constructor(buffer) {
    this.words = new Int32Array(buffer, 0, HEAD / 4);
    this.bytes = new Uint8Array(buffer, HEAD);
    this.decoder = new TextDecoder("utf-8", { ignoreBOM: true }); // what is printed may begin with one
    /** @type {Uint8Array[]} */
    this.pieces = []; // of the message that is not complete
  }

  get incomplete() {
    return this.pieces.length > 0;
  }

  /**
   * All records and complete messages written so far.
   *
   * @returns {TextRecord[]}
   */
  read() {
    Atomics.store(this.words, UNREAD, 0);
    const start = Atomics.load(this.words, READ);
    const size = (Atomics.load(this.words, WRITE) - start) >>> 0;
    if (!size) return [];
    const data = new Uint8Array(size); // a copy: TextDecoder does not read shared memory
    const at = (start >>> 0) % RING_BYTES;
    const first = Math.min(size, RING_BYTES - at);
    data.set(this.bytes.subarray(at, at + first));
    if (first < size) data.set(this.bytes.subarray(0, size - first), first);
    Atomics.store(this.words, READ, start + size);
    Atomics.notify(this.words, READ);
    /** @type {TextRecord[]} */
    const records = [];
    const view = new DataView(data.buffer);
    for (let p = 0; p < size; ) {
      const length = view.getUint32(p + 1, true);
      const piece = data.subarray(p + RECORD, p + RECORD + length);
      if (data[p] & MORE) this.pieces.push(piece);
      else records.push([data[p], this.text(piece)]);
      p += RECORD + length;
    }
    return records;
  }

  /**
   * The text that ends with this piece.
   * @param {Uint8Array} last
   */
  text(last) {
    if (!this.pieces.length) return this.decoder.decode(last);
    const parts = [...this.pieces.splice(0), last];
    return parts.map((part, i) => this.decoder.decode(part, { stream: i < parts.length - 1 })).join("");
  }
}

// The same calls without shared memory.
export class BatchWriter {
  /** @type {(message: WorkerMessage) => void} */
  #post;
  /** @param {(message: WorkerMessage) => void} post */
  constructor(post) {
    this.#post = post;
    /** @type {TextRecord[]} */
    this.records = [];
    this.last = 0;
    this.size = 0; // characters of output among the records
    this.omitted = 0;
  }

  /**
   * @param {number} kind
   * @param {string} text
   */
  write(kind, text) {
    const end = this.records.at(-1);
    const output = kind !== TRAINING && kind !== ANSWER;
    if (output && kind !== DISPLAY && end?.[0] === kind) end[1] += text;
    else this.records.push([kind, text]);
    if (output) this.size += text.length;
    if (this.size > 2 * BATCH) this.cut();
    if (performance.now() - this.last > 30) this.flush();
  }

  // Leaves out the oldest output. Messages stay.
  cut() {
    for (const record of this.records) {
      if (this.size <= BATCH) break;
      if (record[0] === TRAINING || record[0] === ANSWER) continue;
      const { length } = record[1];
      record[1] = record[0] === DISPLAY ? "" : endOf(record[1], Math.max(0, length - (this.size - BATCH)));
      this.size -= length - record[1].length;
      this.omitted += length - record[1].length;
    }
    this.records = this.records.filter(([, text]) => text !== "");
  }

  flush() {
    this.last = performance.now();
    if (this.size > BATCH) this.cut();
    if (this.omitted) {
      const text = `${this.omitted.toLocaleString("en")} characters of output are left out: the page shows at most ${BATCH.toLocaleString("en")} in 30 ms.`;
      this.records.unshift([NOTICE, text]);
    }
    if (this.records.length) this.#post({ type: "output", records: this.records });
    this.records = [];
    this.size = this.omitted = 0;
  }
}
