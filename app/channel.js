// The way text leaves the worker while Python never yields: a ring of bytes in shared memory.
//
// A record is [kind: 1 byte][length: 4 bytes][UTF-8 text]. The worker writes; the page is woken by one message ("drain") when the
// ring turns from read to unread, and reads everything at once. A full ring makes the worker wait for the page, so that an
// endless print loop neither floods the page nor grows memory. A Stop wakes that wait too.
//
// Where the page is not cross-origin isolated there is no shared memory: the worker then posts records in batches, at most one
// per 30 ms and one at the end of each run.
//
// A second ring carries requests the other way, to Python that never yields: the page may not wait, so what does not fit is written later.

export const STDOUT = 1, STDERR = 2, TRAINING = 3, NOTICE = 4, ANSWER = 5, REQUEST = 6;
export const RING_BYTES = 1 << 18;
const HEAD = 16; // Int32 words: write position, read position (both grow forever, modulo 2^32), unread flag, spare
const WRITE = 0, READ = 1, UNREAD = 2;
const RECORD = 5;

export function newChannel() {
  return new SharedArrayBuffer(HEAD + RING_BYTES);
}

export class ChannelWriter {
  // `interrupted()` tells whether a Stop is waiting: then a full ring is no reason to keep Python from it.
  constructor(buffer, post, interrupted) {
    this.words = new Int32Array(buffer, 0, HEAD / 4);
    this.bytes = new Uint8Array(buffer, HEAD);
    this.post = post;
    this.interrupted = interrupted;
    this.encoder = new TextEncoder();
    this.head = new Uint8Array(RECORD);
  }

  write(kind, text) {
    if (kind === TRAINING || kind === ANSWER) return this.put(kind, this.encoder.encode(text)); // JSON stays whole
    // Long output goes out in pieces that fit the ring, cut between characters.
    const limit = RING_BYTES >> 4;
    for (let at = 0; at < text.length;) {
      let end = Math.min(at + limit, text.length);
      if (end < text.length && (text.charCodeAt(end - 1) & 0xfc00) === 0xd800) end -= 1;
      this.put(kind, this.encoder.encode(text.slice(at, end)));
      at = end;
    }
  }

  // The page's side of the requests' ring: false where there is no room now.
  offer(kind, text) {
    const data = this.encoder.encode(text);
    if (RECORD + data.length > RING_BYTES) throw new RangeError(`a request of ${data.length} bytes is too long: ${RING_BYTES} at most`);
    if (RING_BYTES - ((Atomics.load(this.words, WRITE) - Atomics.load(this.words, READ)) >>> 0) < RECORD + data.length) return false;
    this.put(kind, data);
    return true;
  }

  put(kind, data) {
    const size = RECORD + data.length;
    if (size > RING_BYTES) throw new RangeError(`a message of ${data.length} bytes does not fit the channel's ${RING_BYTES}`);
    const write = Atomics.load(this.words, WRITE);
    let read = Atomics.load(this.words, READ);
    while (RING_BYTES - ((write - read) >>> 0) < size) {
      if (this.interrupted()) return; // what is printed between a Stop and its taking hold may be cut
      Atomics.wait(this.words, READ, read, 50);
      read = Atomics.load(this.words, READ);
    }
    this.head[0] = kind;
    new DataView(this.head.buffer).setUint32(1, data.length, true);
    this.copy(write, this.head);
    this.copy(write + RECORD, data);
    Atomics.store(this.words, WRITE, write + size);
    if (Atomics.exchange(this.words, UNREAD, 1) === 0) this.post({ type: "drain" });
  }

  copy(position, data) {
    const at = (position >>> 0) % RING_BYTES;
    const first = Math.min(data.length, RING_BYTES - at);
    this.bytes.set(first === data.length ? data : data.subarray(0, first), at);
    if (first < data.length) this.bytes.set(data.subarray(first), 0);
  }

  flush() {} // what was written is readable at once
}

export class ChannelReader {
  constructor(buffer) {
    this.words = new Int32Array(buffer, 0, HEAD / 4);
    this.bytes = new Uint8Array(buffer, HEAD);
    this.decoder = new TextDecoder();
  }

  // All records written so far, as [kind, text] pairs.
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
    const records = [], view = new DataView(data.buffer);
    for (let p = 0; p < size;) {
      const length = view.getUint32(p + 1, true);
      records.push([data[p], this.decoder.decode(data.subarray(p + RECORD, p + RECORD + length))]);
      p += RECORD + length;
    }
    return records;
  }
}

// The same calls without shared memory.
export class BatchWriter {
  constructor(post) {
    this.post = post;
    this.records = [];
    this.last = 0;
  }

  write(kind, text) {
    const end = this.records.at(-1);
    if (end?.[0] === kind && kind !== TRAINING && kind !== ANSWER) end[1] += text;
    else this.records.push([kind, text]);
    if (performance.now() - this.last > 30) this.flush();
  }

  flush() {
    this.last = performance.now();
    if (this.records.length) this.post({ type: "output", records: this.records });
    this.records = [];
  }
}
