// A file's bytes as training text: UTF-8 with one kind of line end, or a sentence that says why it is none.
//
//   asText(bytes, name) -> {blob: the text as UTF-8, characters, bytes, notes: [sentence: what was changed]}; throws Error
//
// Strict UTF-8 first; then UTF-16 by its byte order mark; then a UTF-8 with a few broken bytes, or Windows-1252. Zero bytes and many control
// characters are no text.

export const MOST_BYTES = 100e6; // the largest text that was trained on in a tab: tokens take four times as much memory
export const LIMIT = "100 MB";

const KNOWN = [ // first bytes, and what begins so
  [[0x25, 0x50, 0x44, 0x46], "a PDF"], [[0x50, 0x4b, 3, 4], "a zip archive (or a document that is one inside, such as .docx)"], [[0x1f, 0x8b], "a gzip archive"],
  [[0x89, 0x50, 0x4e, 0x47], "a picture"], [[0xff, 0xd8, 0xff], "a picture"], [[0x47, 0x49, 0x46, 0x38], "a picture"], [[0x7f, 0x45, 0x4c, 0x46], "a program"],
  [[0x28, 0xb5, 0x2f, 0xfd], "a zstd archive"], [[0x50, 0x41, 0x52, 0x31], "a Parquet file"], [[0xd0, 0xcf, 0x11, 0xe0], "an Office document"],
];
const SAMPLE = 1 << 20; // bytes in which control characters are counted

export function asText(bytes, name) {
  const size = bytes.length, notes = [];
  if (!size) throw new Error(`${name} is empty: choose a file with some text in it.`);
  if (size > MOST_BYTES) throw new Error(tooLarge(name, size));
  const known = KNOWN.find(([start]) => start.every((byte, i) => bytes[i] === byte));
  if (known) throw new Error(`${name} is ${known[1]}, not a plain text: save its text as .txt and choose that.`);

  let text = null; // a string, where the bytes themselves will not do
  const wide = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : null;
  if (wide) {
    text = new TextDecoder(wide).decode(bytes);
    notes.push("It was UTF-16 and is kept as UTF-8.");
  } else {
    const zero = bytes.indexOf(0);
    if (zero >= 0) throw new Error(`${name} is not a text: byte ${zero.toLocaleString("en")} is zero. Choose a plain text file.`);
    if (controls(bytes) > 0.02) throw new Error(`${name} is not a text: more than 2 % of its bytes are control characters. Choose a plain text file.`);
    if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
      bytes = bytes.subarray(3);
      notes.push("The byte order mark at its beginning was taken off.");
    }
    if (!isUtf8(bytes)) [text, notes[notes.length]] = decoded(bytes);
  }
  if (text === null && bytes.includes(13)) text = new TextDecoder().decode(bytes);
  if (text?.includes("\r")) {
    const before = text.length;
    text = text.replace(/\r\n/g, "\n");
    const ends = before - text.length;
    text = text.replace(/\r/g, "\n");
    notes.push(ends ? `${ends.toLocaleString("en")} Windows line ends became plain ones.` : "Old Macintosh line ends became plain ones.");
  }
  const out = text === null ? bytes : new TextEncoder().encode(text);
  if (!out.length) throw new Error(`${name} is empty: choose a file with some text in it.`);
  return { blob: new Blob([out], { type: "text/plain" }), characters: characters(out), bytes: out.length, notes };
}

export const tooLarge = (name, size) =>
  `${name} has ${(size / 1e6).toFixed(1)} MB, and this page takes texts of at most ${LIMIT}: choose a smaller one, or a part of it.`;

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

// [text, sentence]. Where most of what is beyond ASCII is good UTF-8, the few broken bytes are marked; else it is the usual 8-bit encoding.
function decoded(bytes) {
  const text = new TextDecoder().decode(bytes);
  const broken = text.split("\ufffd").length - 1;
  let beyond = 0;
  for (let i = 0; i < text.length; i++) beyond += text.charCodeAt(i) > 127;
  if (broken <= 0.25 * beyond) return [text, `${broken.toLocaleString("en")} ${broken === 1 ? "place that is" : "places that are"} not UTF-8 became \ufffd.`];
  return [new TextDecoder("windows-1252").decode(bytes), "It is not UTF-8: it was read as Windows-1252 (Western European) and is kept as UTF-8."];
}

// The share of control characters that no text has, in the first part.
function controls(bytes) {
  const part = bytes.subarray(0, SAMPLE);
  let count = 0;
  for (const byte of part) count += byte < 32 && (byte < 9 || byte > 13) && byte !== 27;
  return count / part.length;
}
