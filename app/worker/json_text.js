// @ts-check
// JSON that also has the numbers which JSON lacks: NaN, Infinity and -Infinity, spelled as Python's
// json module writes and reads them. Page, worker, Python and the saved runs exchange values in it.
//
//   encode(value)   the text; throws a TypeError for what JSON cannot express (BigInt, a cycle)
//   decode(text)    the value; throws a SyntaxError
//
// Both throw a LimitError for what is beyond the limits of bounded_json.js.
//
// A number that is not finite is rare, so both first do what the browser does itself.

import { check } from "./bounded_json.js";

/** @type {Record<string, number>} */
const NUMBERS = { NaN: NaN, Infinity: Infinity, "-Infinity": -Infinity };
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?Infinity|NaN/g; // a string as a whole, or one of the three

/** @param {unknown} value */
const unusual = (value) => typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0));

/**
 * A text that begins no string in `json`.
 * @param {string} json
 */
function unused(json) {
  let mark = "number ";
  while (json.includes(mark)) mark = "~" + mark;
  return mark;
}

/**
 * @param {unknown} value
 * @returns {string}
 */
export function encode(value) {
  let found = false;
  const plain = JSON.stringify(value, (_, one) => {
    if (unusual(one)) found = true;
    return one;
  });
  check(plain ?? "");
  if (!found) return plain ?? "null";
  const mark = unused(plain);
  const text = JSON.stringify(value, (_, one) =>
    unusual(one) ? mark + (Object.is(one, -0) ? "-0.0" : String(one)) : one,
  );
  return text.replace(new RegExp(`"${mark}(-0\\.0|-?Infinity|NaN)"`, "g"), "$1");
}

/**
 * @param {string} text
 * @returns {any}
 */
export function decode(text) {
  check(text);
  try {
    return JSON.parse(text);
  } catch (error) {
    const mark = unused(text);
    const marked = text.replace(TOKENS, (token) => (token in NUMBERS ? `"${mark}${token}"` : token));
    if (marked === text) throw error;
    return JSON.parse(marked, (_, value) =>
      typeof value === "string" && value.startsWith(mark) ? NUMBERS[value.slice(mark.length)] : value,
    );
  }
}
