// A link that carries code and settings: #share=1.<base64url of deflate-raw of JSON {title, files,
// settings}>.
//
//   encoded({title, files, settings}) -> promise of "#share=1...."
//   decoded(fragment, {names, presets}) -> promise of the same object, or null where the fragment
//                                          is no such link; a link that is wrong in any way
//                                          rejects with an Error of one sentence
//
// Whoever wrote the link is unknown. So its length is limited before and after it is unpacked,
// every name must be one that is known, every value of its type and in its range. Nothing here runs
// anything or touches the page.

import { LimitError, parse } from "../worker/bounded_json.js";
import { readAll, TooLarge, unpacked } from "../worker/bounded_stream.js";

const START = /^#share(?:=|%3D)/i;
const VERSION = 1;
const MOST_LETTERS = 300_000; // of the fragment: many times what any edit of the shipped files takes
const MOST_BYTES = 1_000_000; // unpacked
const MOST_OF_A_TITLE = 80;
export const OFTEN_CUT = 8_000; // characters of an address beyond which some programs cut it off

const whole = (least, most) => ({
  fits: (value) => Number.isSafeInteger(value) && value >= least && value <= most,
  wanted: `a whole number from ${least.toLocaleString("en")} to ${most.toLocaleString("en")}`,
});
const SETTINGS = {
  preset: {
    fits: (value, presets) => typeof value === "string" && presets.includes(value),
    wanted: "one of this page's presets",
  },
  steps: whole(1, 10_000_000),
  lr: {
    fits: (value) => typeof value === "number" && value > 0 && value <= 10,
    wanted: "a number above 0 and at most 10",
  },
  batch_size: whole(1, 4096),
  seed: {
    // a large one is text (exact in ui/number_inputs.js)
    fits: (value) =>
      typeof value === "string"
        ? /^\d{16,20}$/.test(value) && BigInt(value) < 2n ** 64n
        : Number.isSafeInteger(value) && value >= 0,
    wanted: "a whole number from 0 to 2^64 - 1",
  },
  corpus: {
    fits: (value) => typeof value === "string" && /^[^\p{C}]{1,200}$/u.test(value),
    wanted: "the name of a text",
  },
  sample_interval: whole(0, 10_000_000),
  schedule: { fits: (value) => ["constant", "cosine", "linear"].includes(value), wanted: "constant, cosine or linear" },
  warmup_steps: whole(0, 10_000_000),
  min_lr: { fits: (value) => typeof value === "number" && value >= 0 && value <= 10, wanted: "a number from 0 to 10" },
  dropout: {
    fits: (value) => typeof value === "number" && value >= 0 && value < 1,
    wanted: "a number of at least 0 and below 1",
  },
  recompute: { fits: (value) => typeof value === "boolean", wanted: "true or false" },
  weight_decay: {
    fits: (value) => typeof value === "number" && value >= 0 && value <= 100,
    wanted: "a number from 0 to 100",
  },
};
export const SHARED = Object.keys(SETTINGS);

export async function encoded({ title = "", files = {}, settings = {} }) {
  // one state, one link
  const ordered = Object.fromEntries(SHARED.filter((name) => name in settings).map((name) => [name, settings[name]]));
  const state = { ...(title && { title: title.slice(0, MOST_OF_A_TITLE) }), files, settings: ordered };
  const packed = await readAll(
    new Blob([JSON.stringify(state)]).stream().pipeThrough(new CompressionStream("deflate-raw")),
    Infinity,
  );
  let letters = "";
  for (let at = 0; at < packed.length; at += 4096) letters += String.fromCharCode(...packed.subarray(at, at + 4096));
  return `#share=${VERSION}.${btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

export async function decoded(fragment, { names, presets }) {
  if (!START.test(fragment)) return null;
  if (fragment.length > MOST_LETTERS) {
    refuse(
      `it has ${fragment.length.toLocaleString("en")} characters, and the maximum is ${MOST_LETTERS.toLocaleString("en")}`,
    );
  }
  const [, version, letters] =
    /^(\d{1,6})\.([\w-]+)$/.exec(fragment.replace(START, "")) ?? refuse("it is cut off or damaged");
  if (Number(version) !== VERSION)
    refuse(`it is of format ${version}, and this page reads format ${VERSION}: a newer TinyGPT may open it`);
  return checked(parsed(await bytesOf(letters)), names, presets);
}

async function bytesOf(letters) {
  let bytes;
  try {
    bytes = Uint8Array.from(atob(letters.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  } catch {
    refuse("it is cut off or damaged");
  }
  try {
    return await readAll(unpacked(new Blob([bytes]), "deflate-raw"), MOST_BYTES);
  } catch (error) {
    if (error instanceof TooLarge) refuse(`it unpacks to more than ${MOST_BYTES / 1e6} MB`);
    refuse("it is cut off or damaged");
  }
}

function parsed(bytes) {
  try {
    return parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    refuse(`its content is not readable${error instanceof LimitError ? `: it ${error.message}` : ""}`);
  }
}

function checked(state, names, presets) {
  const { title = "", files = {}, settings = {} } = known(state, ["title", "files", "settings"], "it");
  if (typeof title !== "string" || title.length > MOST_OF_A_TITLE || /\p{C}/u.test(title)) {
    refuse(`its title is not a line of at most ${MOST_OF_A_TITLE} characters`);
  }
  for (const [name, text] of Object.entries(known(files, names, "its code"))) {
    if (typeof text !== "string") refuse(`its ${name} is ${kind(text)} instead of text`);
    if (/[\uD800-\uDFFF]/u.test(text) || text.includes("\0")) refuse(`its ${name} has characters that are not text`);
  }
  for (const [name, value] of Object.entries(known(settings, SHARED, "its settings"))) {
    const { fits, wanted } = SETTINGS[name];
    if (!fits(value, presets)) refuse(`its setting ${name} is ${shown(value)}, not ${wanted}`);
  }
  return { title, files: { ...files }, settings: { ...settings } };
}

// An object of the JSON whose names are all among `names`; names that JavaScript itself gives a
// meaning are own names here, and unknown.
function known(value, names, what) {
  if (kind(value) !== "an object")
    refuse(`${what === "it" ? "its content" : what} is ${kind(value)} instead of an object`);
  const other = Object.keys(value).find((name) => !names.includes(name));
  if (other !== undefined)
    refuse(
      `${what === "it" ? "it has" : `${what} ${what.endsWith("s") ? "have" : "has"}`} ${shown(other)}, which this page does not know`,
    );
  return value;
}

const kind = (value) =>
  value === null
    ? "nothing"
    : Array.isArray(value)
      ? "a list"
      : { object: "an object", string: "a text", number: "a number", boolean: "a yes or no" }[typeof value];

const shown = (value) => {
  const text =
    typeof value === "string"
      ? `"${value.replace(/\p{C}/gu, "?")}"`
      : typeof value === "number"
        ? String(value)
        : kind(value);
  return text.length > 60 ? text.slice(0, 60) + "…" : text;
};

function refuse(why) {
  throw new Error(`The link could not be opened: ${why}. Nothing has run, and nothing has changed.`);
}
