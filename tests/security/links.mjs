// Gives links to the page's reader (app/share/link.js), for tests/security/links.py. In: a line of
// JSON for each fragment. Out: a line of JSON {end, said, ms, wrong}; wrong: a sentence on an
// answer that no link may get, or "".

import { createInterface } from "node:readline";
import { decoded, SHARED } from "../../app/share/link.js";

const NAMES = ["train.py", "model.py", "generate.py"];
const PRESETS = ["tiny", "small"];
const SENTENCE = /^The link could not be opened: [^\p{C}]+\. Nothing has run, and nothing has changed\.$/u;
const LONGEST = 300; // characters of a sentence: what the bar shows without scrolling

// What a value that passed the reader must be, whatever was sent.
function unfit({ title, files, settings }) {
  if (typeof title !== "string" || title.length > 80) return "a title that is no line";
  for (const part of [files, settings]) {
    if (Object.getPrototypeOf(part) !== Object.prototype) return "a part with a prototype of its own";
  }
  for (const [name, text] of Object.entries(files)) {
    if (!NAMES.includes(name) || typeof text !== "string") return `the file ${name}`;
  }
  for (const [name, value] of Object.entries(settings)) {
    if (!SHARED.includes(name) || !["string", "number", "boolean"].includes(typeof value)) return `the setting ${name}`;
    if (typeof value === "number" && !Number.isFinite(value)) return `${name} is ${value}`;
  }
  return "";
}

const before = Reflect.ownKeys(Object.prototype).length;

async function answer(fragment) {
  const begun = performance.now();
  const done = (end, said, wrong) => ({ end, said: said.slice(0, 200), ms: performance.now() - begun, wrong });
  let value;
  try {
    value = await decoded(fragment, { names: NAMES, presets: PRESETS });
  } catch (error) {
    const { message } = error;
    if (error.constructor !== Error || !SENTENCE.test(message))
      return done("error", String(error?.stack), "no sentence");
    return done("refused", message, message.length > LONGEST ? `a sentence of ${message.length} characters` : "");
  }
  if (value === null) return done("ignored", "", "");
  const polluted = Reflect.ownKeys(Object.prototype).length !== before || "hostile" in {};
  return done("shown", JSON.stringify(value), polluted ? "Object.prototype has another name" : unfit(value));
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
}
