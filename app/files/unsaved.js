// @ts-check
// What is typed in a file of the visitor in the last moment before the page goes: a write to the
// private file system may not end then, so the texts are in localStorage until the next page.

import { keep, kept } from "../ui/kept.js";
import { parse } from "../worker/bounded_json.js";

const KEY = "tinygpt files unsaved";
const MOST = 1_000_000; // characters

/**
 * stamp: of the file that was edited.
 *
 * @typedef {{ path: string, text: string, stamp: string }} Unsaved
 */

/** @param {Unsaved[]} files */
export function keepUnsaved(files) {
  const written = JSON.stringify(files);
  keep(KEY, files.length && written.length <= MOST ? written : null);
}

/** @returns {Unsaved[]} */
export function unsaved() {
  const written = kept(KEY);
  keep(KEY, null);
  if (written === null || written.length > MOST) return [];
  try {
    const files = parse(written, { depth: 4, values: 10_000 });
    const fits = (/** @type {any} */ file) =>
      [file?.path, file?.text, file?.stamp].every((value) => typeof value === "string");
    return Array.isArray(files) ? files.filter(fits) : [];
  } catch {
    return [];
  }
}
