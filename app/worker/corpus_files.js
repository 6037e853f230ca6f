// @ts-check
// The site's texts as files of Python's file system. They are fetched beside Python's own start, so
// that a page that has lost its network later can train on them. A text that is wanted before it is
// here is fetched at once, while Python waits (a worker may). Where it cannot be had, Python gets
// an OSError (EIO), whereas a JavaScript error there would end the interpreter.

const EIO = 29; // errno of WASI

/**
 * @typedef {object} Node  of Emscripten's MEMFS
 * @property {Uint8Array} contents
 * @property {number} usedBytes
 * @property {Record<string, (...args: unknown[]) => unknown>} node_ops
 */

/**
 * @param {any} FS  Pyodide's
 * @param {string} folder
 * @param {string[]} names  of files
 * @param {(name: string) => string} addressOf
 */
export function mountTexts(FS, folder, names, addressOf) {
  FS.mkdirTree(folder);
  for (const name of names) {
    const path = `${folder}/${name}`;
    FS.writeFile(path, new Uint8Array(0));
    /** @type {Node} */
    const node = FS.lookupPath(path).node;
    const ops = node.node_ops;
    const give = (/** @type {ArrayBuffer} */ buffer) => {
      if (node.node_ops === ops) return; // it is here, and may be open
      node.contents = new Uint8Array(buffer);
      node.usedBytes = buffer.byteLength;
      node.node_ops = ops;
    };
    // what asks for its size, as each opening does, waits for it
    node.node_ops = {
      ...ops,
      getattr: (...args) => {
        const buffer = fetchedAtOnce(addressOf(name));
        if (!buffer) throw new FS.ErrnoError(EIO);
        give(buffer);
        return ops.getattr(...args);
      },
    };
    fetch(addressOf(name))
      .then((answer) => (answer.ok ? answer.arrayBuffer() : null))
      .then((buffer) => buffer && give(buffer))
      .catch(() => {}); // without a network now: it is fetched when it is wanted
  }
}

/** @param {string} address */
function fetchedAtOnce(address) {
  const request = new XMLHttpRequest();
  request.open("GET", address, false);
  request.responseType = "arraybuffer";
  try {
    request.send();
  } catch {
    return null;
  }
  return request.status === 200 ? /** @type {ArrayBuffer} */ (request.response) : null;
}
