// @ts-check
// What a program printed, as far as it is kept: its end. An endless print loop writes 3.7 MB a
// second, so everything that keeps output has a bound and counts what it leaves out.

export const KEPT = 4_000_000; // characters of what one run printed
const LINE = 200; // characters that a short text may lose, so that it begins with a line

/**
 * The end of a text: at most `most` characters, from the beginning of a line where one begins near.
 *
 * @param {string} text
 * @param {number} most
 */
export function endOf(text, most) {
  if (text.length <= most) return text;
  let at = text.length - most;
  const line = text.indexOf("\n", at - 1) + 1;
  if (line > 0 && line - at < Math.max(most / 10, LINE)) at = line;
  else if ((text.charCodeAt(at) & 0xfc00) === 0xdc00) at += 1; // not within a character
  return text.slice(at);
}

/**
 * The text after the rest of a line whose beginning is left out: the same text where no line begins
 * near.
 *
 * @param {string} text
 */
export function afterLine(text) {
  const line = text.indexOf("\n") + 1;
  return line <= LINE ? text.slice(line) : text;
}

export class Printed {
  /** @type {string[]} */
  parts = [];
  size = 0;
  omitted = 0; // characters before what is kept

  /** @param {number} most */
  constructor(most = KEPT) {
    this.most = most;
  }

  /** @param {string} text */
  push(text) {
    this.parts.push(text);
    this.size += text.length;
    if (this.size > 2 * this.most) this.cut(); // half of it at once: a cut copies what stays
  }

  cut() {
    const text = endOf(this.parts.join(""), this.most);
    this.omitted += this.size - text.length;
    this.parts = [text];
    this.size = text.length;
  }

  text() {
    if (this.size > this.most) this.cut();
    return this.parts.join("");
  }

  /** For the outcome of a run: `omitted` where there is something. */
  outcome() {
    const stdout = this.text();
    return this.omitted ? { stdout, omitted: this.omitted } : { stdout };
  }
}
