// A file's bytes as training text: UTF-8 with one kind of line end, or a sentence that says why it
// is none.
//
//   asText(bytes, name) -> {blob: the text as UTF-8, characters, bytes, notes: [sentence: what was
//   changed]}; throws Error
//
// UTF-16 and UTF-32 by their byte order mark, or by their zeros; then strict UTF-8, or one with a
// few broken bytes; then the encodings of encodings.js, where the letters say which. What is judged
// is the decoded text: zeros, many control characters, and characters that do not exist are none.
// An encoding that is not certain is refused.

import { guessed, implausible, marked, unmarkedWide } from "./encodings.js";

export const MOST_BYTES = 100e6; // the largest text that was trained on in a tab: tokens take four times as much memory
export const LIMIT = "100 MB";

const KNOWN = [
  // first bytes, and what begins so
  [[0x25, 0x50, 0x44, 0x46], "a PDF"],
  [[0x50, 0x4b, 3, 4], "a zip archive, or a document such as .docx"],
  [[0x1f, 0x8b], "a gzip archive"],
  [[0x89, 0x50, 0x4e, 0x47], "a picture"],
  [[0xff, 0xd8, 0xff], "a picture"],
  [[0x47, 0x49, 0x46, 0x38], "a picture"],
  [[0x7f, 0x45, 0x4c, 0x46], "a program"],
  [[0x28, 0xb5, 0x2f, 0xfd], "a zstd archive"],
  [[0x50, 0x41, 0x52, 0x31], "a Parquet file"],
  [[0xd0, 0xcf, 0x11, 0xe0], "an Office document"],
];
const SAMPLE = 1 << 20; // bytes in which control characters are counted

export function asText(bytes, name) {
  const size = bytes.length,
    notes = [];
  if (!size) throw new Error(`${name} is empty: choose a file with some text in it.`);
  if (size > MOST_BYTES) throw new Error(tooLarge(name, size));
  const known = KNOWN.find(([start]) => start.every((byte, i) => bytes[i] === byte));
  if (known) throw new Error(`${name} is ${known[1]}, not a plain text: save its text as .txt and choose that.`);

  let text = null; // a string, where the bytes themselves will not do
  const zero = bytes.indexOf(0);
  const wide = marked(bytes) ?? (zero >= 0 ? unmarkedWide(bytes) : null);
  if (wide) {
    text = wide.text;
    const why =
      text === null
        ? `it begins like ${wide.encoding}, but its bytes are not valid ${wide.encoding}`
        : implausible(text);
    if (why) throw new Error(`${name} is not a text: ${why}. Choose a plain text file.`);
    notes.push(`Converted from ${wide.encoding} to UTF-8.`);
  } else {
    if (zero >= 0)
      throw new Error(`${name} is not a text: byte ${zero.toLocaleString("en")} is zero. Choose a plain text file.`);
    if (controls(bytes) > 0.02)
      throw new Error(
        `${name} is not a text: more than 2 % of its bytes are control characters. Choose a plain text file.`,
      );
    if (switches(bytes))
      throw new Error(`${name} is in an ISO-2022 encoding (Japanese, Korean): save it as UTF-8 and choose that.`);
    const mark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
    if (mark) {
      bytes = bytes.subarray(3);
      notes.push("The byte order mark at its beginning was removed.");
    }
    if (!isUtf8(bytes)) [text, notes[notes.length]] = decoded(bytes, name, mark);
  }
  if (text === null && bytes.includes(13)) text = new TextDecoder().decode(bytes);
  if (text?.includes("\r")) {
    const before = text.length;
    text = text.replace(/\r\n/g, "\n");
    const ends = before - text.length;
    text = text.replace(/\r/g, "\n");
    notes.push(
      ends
        ? `${ends.toLocaleString("en")} Windows line endings were converted.`
        : "Old Macintosh line endings were converted.",
    );
  }
  const out = text === null ? bytes : new TextEncoder().encode(text);
  if (!out.length) throw new Error(`${name} is empty: choose a file with some text in it.`);
  return { blob: new Blob([out], { type: "text/plain" }), characters: characters(out), bytes: out.length, notes };
}

export const tooLarge = (name, size) =>
  `${name} is ${(size / 1e6).toFixed(1)} MB, and the maximum is ${LIMIT}: choose a smaller one, or a part of it.`;

// Unicode characters of UTF-8 bytes: those that do not continue one.
export function characters(bytes) {
  let count = 0;
  for (let i = 0; i < bytes.length; i++) count += (bytes[i] & 0xc0) !== 0x80;
  return count;
}

function isUtf8(bytes) {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

// [text, sentence]. Where most of what is beyond ASCII is good UTF-8, the few broken bytes are
// marked; else, or where it is little, it is another encoding.
function decoded(bytes, name, mark) {
  const text = new TextDecoder().decode(bytes);
  const broken = text.split("\ufffd").length - 1;
  let beyond = 0;
  for (let i = 0; i < text.length; i++) beyond += text.charCodeAt(i) > 127;
  if (broken <= (beyond < 16 ? 0.125 : 0.25) * beyond)
    return [
      text,
      `${broken.toLocaleString("en")} ${broken === 1 ? "sequence that is" : "sequences that are"} not UTF-8 became \ufffd.`,
    ];
  if (mark)
    throw new Error(`${name} begins with the byte order mark of UTF-8, but is not UTF-8: choose a plain text file.`);
  const { encoding, text: read, perhaps } = guessed(bytes);
  const why = read && implausible(read);
  if (why) throw new Error(`${name} is not a text: ${why}. Choose a plain text file.`);
  if (read) return [read, `Converted from ${encoding} to UTF-8.`];
  const names = perhaps.length ? `it may be ${perhaps.join(" or ")}` : "no known encoding fits";
  throw new Error(
    `${name} is not UTF-8, and its encoding is not certain (${names}): save it as UTF-8 and choose that.`,
  );
}

// Whether the bytes have a sequence by which ISO-2022 changes to letters of two bytes: ESC $, and
// @, A, B or ). All its bytes are ASCII, so it would pass as UTF-8.
function switches(bytes) {
  for (let at = bytes.indexOf(27); at >= 0; at = bytes.indexOf(27, at + 1))
    if (bytes[at + 1] === 0x24 && [0x40, 0x41, 0x42, 0x29].includes(bytes[at + 2])) return true;
  return false;
}

// The share of control characters that no text has, in the first part.
function controls(bytes) {
  const part = bytes.subarray(0, SAMPLE);
  let count = 0;
  for (const byte of part) count += byte < 32 && (byte < 9 || byte > 13) && byte !== 27;
  return count / part.length;
}
