// The channel between page and Python, for tests/fuzz/channel.py: a thread in Python's place
// writes each text that comes in (a line of JSON: a list of [kind, text]) into the one ring; this
// thread, in the page's place, reads the value, writes it again and sends it back through the other
// ring. Out: a line of JSON, what Python would be given.

import { createInterface } from "node:readline";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { ANSWER, ChannelReader, ChannelWriter, newChannel, REQUEST, STDOUT } from "../../app/worker/channel.js";
import { decode, encode } from "../../app/worker/json_text.js";

if (isMainThread) page();
else python();

function page() {
  const channel = newChannel(),
    inbox = newChannel();
  const reader = new ChannelReader(channel);
  const writer = new ChannelWriter(
    inbox,
    () => {},
    () => false,
  );
  const unsent = [];
  const thread = new Worker(new URL(import.meta.url), { workerData: { channel, inbox } });
  const send = () => {
    while (unsent.length && writer.offer(REQUEST, unsent[0])) unsent.shift();
    if (unsent.length) setTimeout(send, 1);
  };
  thread.on("message", (message) => {
    if (message.type === "back") return process.stdout.write(`${JSON.stringify(message.texts)}\n`);
    const waiting = unsent.length > 0;
    let printed = "";
    for (const [kind, text] of reader.read()) {
      if (kind === STDOUT) printed += text;
      else {
        if (printed) unsent.push(encode(printed));
        printed = "";
        unsent.push(encode(decode(text)));
      }
    }
    if (printed) unsent.push(encode(printed));
    if (!waiting) send();
  });
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => thread.postMessage(JSON.parse(line)));
  lines.on("close", () => thread.postMessage(null));
}

function python() {
  const { channel, inbox } = workerData;
  const writer = new ChannelWriter(
    channel,
    (message) => parentPort.postMessage(message),
    () => false,
  );
  const reader = new ChannelReader(inbox);
  const nap = new Int32Array(new SharedArrayBuffer(4));
  parentPort.on("message", (records) => {
    if (records === null) process.exit();
    let printed = 0;
    for (const [kind, text] of records) {
      writer.write(kind, text);
      if (kind === STDOUT) printed += text.length;
    }
    const texts = [];
    // what was printed comes back in pieces
    while (
      texts.filter(([kind]) => kind === ANSWER).length < records.filter(([kind]) => kind === ANSWER).length ||
      printed > 0
    ) {
      for (const [, text] of reader.read()) {
        const value = decode(text);
        const kind = typeof value === "string" ? STDOUT : ANSWER;
        if (kind === STDOUT) printed -= value.length;
        texts.push([kind, text]);
      }
      Atomics.wait(nap, 0, 0, 1);
    }
    parentPort.postMessage({ type: "back", texts });
  });
}
