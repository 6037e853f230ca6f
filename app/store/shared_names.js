// @ts-check
// What the tabs of one browser share: names in the browser's storage. A tab changes them under a
// lock, looks what there is before it does, and tells the others.
//
//   under(lock, act, mode)   runs act() while this tab alone holds the lock ("shared": while no tab
//                            changes anything), and gives what it gives
//   news(name, heard)        tell(): calls heard() in the other tabs, soon

/**
 * @template T
 * @param {string} lock
 * @param {() => Promise<T>} act
 * @param {LockMode} mode
 * @returns {Promise<T>}
 */
export async function under(lock, act, mode = "exclusive") {
  if (!navigator.locks) return act(); // not a secure address: then nothing is kept either
  let begun = false;
  const alone = () => ((begun = true), act());
  try {
    return await navigator.locks.request(lock, { mode }, alone);
  } catch (error) {
    if (begun) throw error;
    return act(); // the browser gives the page no storage: no other tab has any
  }
}

const TOGETHER = 100; // ms: what comes together is heard once

/**
 * @param {string} name
 * @param {() => void} heard
 */
export function news(name, heard) {
  if (typeof BroadcastChannel !== "function") return () => {};
  const channel = new BroadcastChannel(name);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  channel.onmessage = () => {
    clearTimeout(timer);
    timer = setTimeout(heard, TOGETHER);
  };
  return () => channel.postMessage(null);
}
