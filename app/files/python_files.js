// @ts-check
// The tree and the folder that Python works in: placed before a run, and looked through for what
// code wrote (py/tinygpt_session/features/files.py).

import { MOST_BYTES, pathProblem } from "./paths.js";

const TOGETHER = 16e6; // bytes that go to Python at once
const MOST_WRITTEN = 200; // files of a run that come into the tree

export class PythonFiles {
  placed = false; // something was placed in a Python of this page
  /** @type {Promise<string[]>} */
  last = Promise.resolve([]);

  /**
   * @param {object} parts
   * @param {import("../worker/session.js").Session} parts.session
   * @param {import("./file_tree.js").FileTree} parts.tree
   */
  constructor({ session, tree }) {
    this.session = session;
    this.tree = tree;
  }

  // Brings Python's folder to what the tree is. Throws an Error of one sentence.
  async place() {
    const { session, tree } = this;
    await tree.ready;
    if (!tree.entries.size && !this.placed) return;
    this.placed = true;
    const files = [...tree.entries.values()].map(({ path, version }) => ({ path, version }));
    const wanted = await session.request("files", { files });
    for (const group of groups(wanted.flatMap((path) => tree.entries.get(path) ?? []))) {
      const url = URL.createObjectURL(new Blob(group.map(({ blob }) => blob)));
      try {
        const about = group.map(({ path, version, blob }) => ({ path, version, bytes: blob.size }));
        await session.request("place files", { url, files: about });
      } finally {
        URL.revokeObjectURL(url);
      }
    }
  }

  // Takes what code has written into the tree. Resolves to sentences on what was left out.
  collect() {
    return (this.last = this.last.then(
      () => this.take(),
      () => this.take(),
    ));
  }

  async take() {
    const { session, tree } = this;
    /** @type {string[]} */
    const problems = [];
    const written = await session.request("written files", {});
    if (written.length > MOST_WRITTEN)
      problems.push(`Code wrote ${written.length} files: the tree takes ${MOST_WRITTEN} at a time.`);
    for (const { path, bytes } of written.slice(0, MOST_WRITTEN)) {
      const problem = pathProblem(path) ?? (bytes > MOST_BYTES ? `${path} is too large for the tree.` : null);
      if (problem) {
        problems.push(problem);
        continue;
      }
      const version = tree.newVersion();
      const content = await session.request("read file", { path, version });
      try {
        await tree.put([{ path, version, blob: new Blob([/** @type {any} */ (content)]) }]);
      } catch (error) {
        problems.push(/** @type {Error} */ (error).message);
      }
    }
    return problems;
  }
}

/**
 * @param {import("./file_tree.js").Entry[]} entries
 */
function groups(entries) {
  /** @type {import("./file_tree.js").Entry[][]} */
  const made = [];
  let size = Infinity;
  for (const entry of entries) {
    if (size + entry.blob.size > TOGETHER) {
      made.push([]);
      size = 0;
    }
    made[made.length - 1].push(entry);
    size += entry.blob.size;
  }
  return made;
}
