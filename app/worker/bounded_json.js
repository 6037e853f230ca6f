// @ts-check
// JSON from outside: its nesting and its size are counted before any parser sees it, in one linear
// scan. Every reader of the page goes through here, and so does every message to and from Python,
// which a few thousand brackets would end. py/tinygpt/storage/bounded_json.py is Python's.
//
//   check(text, limits)    throws a LimitError
//   parse(text, limits)    the value; throws a LimitError or a SyntaxError
//   read(file, most)       the value of a Blob of at most so many bytes
//   answered(response)     the value of a file of this site

export const MAX_DEPTH = 100; // lists and objects in each other
export const MAX_VALUES = 16_000_000; // numbers, texts, lists and objects

/** @typedef {{ depth?: number, values?: number }} Limits */

/** A text beyond the limits. The message continues a sentence: "is nested too deeply". */
export class LimitError extends Error {}

/**
 * What is no JSON passes as far as a parser would read it.
 *
 * @param {string} text
 * @param {Limits} limits
 */
export function check(text, { depth = MAX_DEPTH, values = MAX_VALUES } = {}) {
  if (text.length <= depth && text.length <= values) return;
  let level = 0,
    count = 1;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 34) {
      i = endOfString(text, i + 1);
    } else if (c === 44) {
      count++;
    } else if (c === 91 || c === 123) {
      count++;
      if (++level > depth) throw new LimitError(`is nested too deeply (more than ${depth} levels)`);
    } else if (c === 93 || c === 125) {
      level--;
    }
  }
  if (count > values) {
    const [some, most] = [count, values].map((number) => number.toLocaleString("en"));
    throw new LimitError(`holds ${some} values, and at most ${most} are read`);
  }
}

/**
 * Where the string ends that begins before `start`: its quote, or the text's end.
 *
 * @param {string} text
 * @param {number} start
 */
function endOfString(text, start) {
  for (let from = start; ; ) {
    const quote = text.indexOf('"', from);
    if (quote < 0) return text.length;
    let before = quote; // backslashes in pairs are themselves, and an odd one makes the quote a letter
    while (before > from && text.charCodeAt(before - 1) === 92) before--;
    if ((quote - before) % 2 === 0) return quote;
    from = quote + 1;
  }
}

/**
 * @param {string} text
 * @param {Limits} [limits]
 * @returns {any}
 */
export function parse(text, limits) {
  check(text, limits);
  return JSON.parse(text);
}

/**
 * @param {Blob} file
 * @param {number} most
 * @returns {Promise<any>}
 */
export async function read(file, most) {
  if (file.size > most) throw new LimitError(`has ${file.size} bytes, and at most ${most} are read`);
  return parse(await file.text());
}

/**
 * @param {Response} response
 * @returns {Promise<any>}
 */
export const answered = async (response) => parse(await response.text());
