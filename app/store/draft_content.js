// @ts-check
// What a draft says, and whether a text of the browser's storage is one: bounded, each value of its
// type. It is JSON:
//
//   version   1
//   run       id of the run that the edits belong to, or null
//   link      which link the edits were made on, or null
//   held      the code came with a link and has not run
//   shown     the file that is shown
//   files     {name: {doc, selection, history}} of those that differ (editor/undo_history.js)
//   settings  {name: value}, or null: as they start
//   device    the choice, or null: nobody chose
//   fields    {id of an input: text}
//   entry     of the console, not sent yet

import { LimitError, parse } from "../worker/bounded_json.js";
import { CHOICES } from "../worker/devices.js";

export const MOST = 1_000_000; // characters of a draft
export const MOST_HISTORY = 100_000; // characters of a file's undo history
export const MOST_FIELD = 20_000; // characters of an input
const DEPTH = 20;
const VALUES = 400_000;

/**
 * @typedef {object} Draft
 * @property {1} version
 * @property {string | null} run
 * @property {string | null} link
 * @property {boolean} held
 * @property {string} shown
 * @property {Record<string, { doc: string, selection?: unknown, history?: unknown }>} files
 * @property {Record<string, string | number | boolean> | null} settings
 * @property {string | null} device
 * @property {Record<string, string | boolean>} fields
 * @property {string} entry
 */

/** @type {(value: any) => boolean} */
const text = (value) => typeof value === "string" && value.length <= MOST_FIELD;
/** @type {(value: any) => boolean} */
const object = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
/** @type {(value: any) => boolean} */
const named = (value) => value === null || (text(value) && value.length <= 100);
/** @type {(value: any, fits: (item: any) => boolean) => boolean} */
const all = (value, fits) => object(value) && Object.values(value).every(fits);

/** @type {Record<string, (value: any) => boolean>} */
const FITS = {
  version: (value) => value === 1,
  run: named,
  link: named,
  held: (value) => typeof value === "boolean",
  shown: text,
  files: (value) => all(value, (file) => object(file) && typeof file.doc === "string"),
  settings: (value) =>
    value === null || all(value, (item) => text(item) || typeof item === "boolean" || Number.isFinite(item)),
  device: (value) => value === null || CHOICES.includes(value),
  fields: (value) => all(value, (item) => text(item) || typeof item === "boolean"),
  entry: text,
};

/**
 * The draft, or an Error of a few words.
 *
 * @param {string} written
 * @returns {Draft}
 */
export function checked(written) {
  if (written.length > MOST) throw new Error("it is too long");
  let draft;
  try {
    draft = parse(written, { depth: DEPTH, values: VALUES });
  } catch (error) {
    throw new Error(error instanceof LimitError ? `it ${error.message}` : "it is cut off or damaged");
  }
  if (!object(draft)) throw new Error("it is no object");
  for (const [name, fits] of Object.entries(FITS)) if (!fits(draft[name])) throw new Error(`its ${name} is wrong`);
  return draft;
}
