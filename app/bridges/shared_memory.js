// @ts-check
// Whether this page and its workers share memory. Threads, a Stop and a Pause that reach running
// Python, the choice of threads and every sentence about them follow from this one answer, which is
// the same in the page and in a worker.

// The browser gives shared memory to the extension, too.
function sharesWasm() {
  try {
    const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    return buffer instanceof SharedArrayBuffer;
  } catch {
    return false;
  }
}

/**
 * Null where memory is shared, else why it is not: a clause. Isolation alone is not enough: some
 * browsers isolate the page and have no SharedArrayBuffer (WebKitGTK). Node.js shares memory and
 * knows no isolation.
 *
 * @returns {string | null}
 */
export function noSharedMemory() {
  if (globalThis.isSecureContext === false) return "the address is neither https nor localhost";
  if (globalThis.crossOriginIsolated === false) return "the host does not send the headers for cross-origin isolation";
  if (typeof SharedArrayBuffer !== "function" || !sharesWasm())
    return "this browser shares no memory between threads (it has no SharedArrayBuffer)";
  return null;
}
