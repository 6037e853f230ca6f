// The shipped models and the files they are in. public/models/models.json lists them: [{name, title, file, bytes, corpus, parameters, step,
// val_loss, licence, sample}]; tests/demo/ship.py writes it.

import { bytes } from "./words.js";

const GZIP = [0x1f, 0x8b];
const MOST = 2 ** 31; // bytes that a compressed file may unpack to: a small file must not fill the memory

// A model file as it is to be read: unpacked where it is gzip.
export async function unpacked(blob) {
  const head = new Uint8Array(await blob.slice(0, 2).arrayBuffer());
  if (head[0] !== GZIP[0] || head[1] !== GZIP[1]) return blob;
  const reader = blob.stream().pipeThrough(new DecompressionStream("gzip")).getReader(), pieces = [];
  try {
    for (let total = 0; ; ) {
      const { done, value } = await reader.read();
      if (done) return new Blob(pieces);
      pieces.push(value);
      total += value.length;
      if (total > MOST) throw new Error(`it unpacks to more than ${bytes(MOST)}`);
    }
  } catch (error) {
    reader.cancel().catch(() => {});
    throw new Error(`The file cannot be unpacked: ${error.message}. It is damaged, or not a model.`);
  }
}

// The bytes of a shipped model. onBytes(loaded): how many have come.
export async function fetched(model, onBytes = () => {}) {
  const answer = await fetch("public/models/" + model.file).catch(() => null);
  if (!answer?.ok) {
    const again = answer ? `(${answer.status}): reload the page` : "(no connection): try again when there is one";
    throw new Error(`${model.title} could not be fetched ${again}, or train your own.`);
  }
  const pieces = [];
  let loaded = 0;
  for (const reader = answer.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return new Blob(pieces);
    pieces.push(value);
    onBytes((loaded += value.length));
  }
}
