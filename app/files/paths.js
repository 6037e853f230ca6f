// @ts-check
// What a file of the visitor's tree may be called, how large it may be, and what of a dropped
// folder is left out.

import { bytes } from "../ui/format.js";

export const STANDING = ["train.py", "model.py", "generate.py"]; // the page's own, in the tree's root
export const MOST_FILES = 1000;
export const MOST_BYTES = 64e6; // of a file: Python's memory holds it beside the browser's
export const MOST_TOTAL = 256e6;
export const MOST_TEXT = 1e6; // bytes of a file that the editor opens
const LONGEST = 200; // characters of a path
const DEEPEST = 16; // folders
const LEFT_OUT =
  /(^|\/)(\.git|\.hg|\.svn|\.venv|venv|node_modules|__pycache__|__MACOSX|\.ipynb_checkpoints)\/|(^|\/)(\.DS_Store|Thumbs\.db)$|\.pyc$/;
// Control characters, and those that turn the direction of text: a name would read other than it
// is.
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\\]/u;

/**
 * Why the tree cannot have a file of this path: a sentence, or null.
 *
 * @param {string} path
 */
export function pathProblem(path) {
  const shown = path.length > 60 ? `${path.slice(0, 60)}…` : path;
  const parts = path.split("/");
  if (!path) return "A file needs a name.";
  if (path.length > LONGEST) return `The name ${shown} is longer than ${LONGEST} characters.`;
  if (parts.length > DEEPEST) return `The name ${shown} is deeper than ${DEEPEST} folders.`;
  if (path.startsWith("/")) return `The name ${shown} begins with a slash: names are relative to the tree.`;
  if (parts.some((part) => part === "" || part === "." || part === ".." || part !== part.trim()))
    return `The name ${shown} has a part that is empty, a dot, or begins or ends with a space.`;
  if (UNSEEN.test(path)) return `The name ${shown} has characters that a file's name cannot have.`;
  if (STANDING.includes(path.toLowerCase()))
    return `${shown} is one of the page's own files: choose another name, or a folder.`;
  return null;
}

/** @param {number} number */
export const sizeText = (number) => (number < 1000 ? `${number} B` : bytes(number));

/** @param {string} path */
export const leftOut = (path) => LEFT_OUT.test(path);

/**
 * Why files cannot be added: a sentence, or null.
 *
 * @param {{ path: string, blob: Blob }[]} items
 * @param {Map<string, { blob: Blob }>} there
 */
export function sizeProblem(items, there) {
  const large = items.find(({ blob }) => blob.size > MOST_BYTES);
  if (large) return `${large.path} has ${bytes(large.blob.size)}: a file may have ${bytes(MOST_BYTES)}.`;
  const after = new Map(there);
  for (const item of items) after.set(item.path, item);
  if (after.size > MOST_FILES)
    return `That makes ${after.size.toLocaleString("en")} files: there may be ${MOST_FILES.toLocaleString("en")}.`;
  const total = [...after.values()].reduce((sum, { blob }) => sum + blob.size, 0);
  if (total > MOST_TOTAL) return `That makes ${bytes(total)} of files: there may be ${bytes(MOST_TOTAL)}.`;
  for (const path of after.keys()) {
    const parts = path.split("/");
    for (let i = 1; i < parts.length; i++)
      if (after.has(parts.slice(0, i).join("/")))
        return `${parts.slice(0, i).join("/")} cannot be both a file and a folder.`;
  }
  return null;
}

// The last part of a path, and what is before it.
/** @param {string} path */
export const baseOf = (path) => path.slice(path.lastIndexOf("/") + 1);
/** @param {string} path */
export const folderOf = (path) => path.slice(0, Math.max(0, path.lastIndexOf("/")));
