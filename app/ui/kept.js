// What this browser keeps of the user's choices: short texts by name, in localStorage.
//
// Storage throws where it is full, and where the browser gives the page none: then a choice lasts
// for this visit.

/**
 * The text of this name; null: none is kept.
 *
 * @param {string} name
 */
export function kept(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/**
 * Keeps the text; null: none any more.
 *
 * @param {string} name
 * @param {string | null} text
 */
export function keep(name, text) {
  try {
    if (text === null) localStorage.removeItem(name);
    else localStorage.setItem(name, text);
  } catch {
    // for this visit then
  }
}
