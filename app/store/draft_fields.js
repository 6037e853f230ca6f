// @ts-check
// The inputs of the panels Generate and Look inside that belong to a draft. One is as it came where
// it has the value that it began with, or the prompt that the page suggests.

import { MOST_FIELD } from "./draft_content.js";

const FIELDS = ["generate", "inside"].map((id) => `#${id} :is(input, textarea, select)[id]`).join();

/** @typedef {Record<string, string | boolean>} Values  by id */

export class DraftFields {
  constructor() {
    /** @type {any[]} */
    const found = [...document.querySelectorAll(FIELDS)];
    this.first = new Map(found.map((field) => [field, read(field)]));
  }

  /**
   * Of those that the user has changed.
   *
   * @returns {Values}
   */
  values() {
    const changed = [...this.first].filter(([field, first]) => read(field) !== (field.dataset.suggested ?? first));
    return Object.fromEntries(
      changed.map(([field]) => [field.id, read(field)]).filter(([, value]) => !(value.length > MOST_FIELD)),
    );
  }

  /**
   * All others become as they came.
   *
   * @param {Values} values
   */
  put(values) {
    for (const [field, first] of this.first)
      write(field, Object.hasOwn(values, field.id) ? values[field.id] : (field.dataset.suggested ?? first));
  }
}

/** @param {any} field */
const read = (field) => (field.type === "checkbox" ? field.checked : field.value);

/**
 * As if the user had.
 *
 * @param {any} field
 * @param {string | boolean} value
 */
function write(field, value) {
  if (read(field) === value) return;
  field[field.type === "checkbox" ? "checked" : "value"] = value;
  for (const name of ["input", "change"]) field.dispatchEvent(new Event(name, { bubbles: true }));
}
