// @ts-check
// How long a submit to the GPU takes, and where one that takes too long is cut.
//
// A GPU that draws the desktop too does nothing else during a submit, and a driver ends a device
// whose submit passes its limit (about 2 s on Windows). So a step of more than 75 ms is cut into
// submits of about 50 ms; a shorter one stays one submit. What a launch takes is at first what
// Python expects for the class of the GPU (py/tinygpt/devices/webgpu/adapter_class.py), times the
// factor by which this GPU has been off so far, and then what its Program was measured to take.
// One launch cannot be cut.

export const SUBMIT_MS = 50;
const UNCUT_MS = 75; // up to here one submit is nearer to SUBMIT_MS than two are
const LOOKS = 3; // replays that are measured before a Program is cut anew; the fastest counts
const FAR_TOO_LONG_MS = 300; // is cut after one
const CAUTION = 4; // the most by which one measurement changes the factor: a late answer looks like a slow GPU
const TELLING_MS = 5; // a shorter expectation says little: the browser's answers are 1 to 2 ms late

/**
 * Where launches of these times are cut: the end of each piece, at least one.
 *
 * @param {ArrayLike<number>} ms
 * @param {number} [factor]  of all of them
 * @returns {number[]}
 */
export function cut(ms, factor = 1) {
  let total = 0;
  for (let i = 0; i < ms.length; i++) total += ms[i] * factor;
  if (total <= UNCUT_MS) return [ms.length];
  const target = total / Math.round(total / SUBMIT_MS);
  const ends = [];
  let held = 0;
  for (let i = 0; i < ms.length; i++) {
    const next = ms[i] * factor;
    if (held && held + next / 2 > target) {
      ends.push(i);
      held = 0;
    }
    held += next;
  }
  ends.push(ms.length);
  return ends;
}

/** What all submits of a GPU have shown. */
export class Pacing {
  factor = 1; // measured time over expected time
  #lastDone = 0;

  /**
   * Milliseconds of a submit that has ended now and was made at the time `begun`: the GPU does one
   * after the other.
   *
   * @param {number} begun
   */
  took(begun) {
    const now = performance.now();
    const ms = now - Math.max(begun, this.#lastDone);
    this.#lastDone = now;
    return ms;
  }

  /**
   * Whether a submit that Python expects to take so long is worth measuring.
   *
   * @param {number} expected
   */
  telling(expected) {
    return expected * this.factor >= TELLING_MS;
  }

  /**
   * Learns from a submit of launches.
   *
   * @param {number} expected  ms, as Python said
   * @param {number} ms
   */
  learn(expected, ms) {
    if (!this.telling(expected) && ms < TELLING_MS) return;
    const seen = Math.max(ms, 0.1) / Math.max(expected, 0.001);
    this.factor = Math.min(Math.max(Math.sqrt(seen * this.factor), this.factor / CAUTION), this.factor * CAUTION);
  }
}

/** The times of a Program's launches, and its pieces. */
export class ProgramPacing {
  /** @type {number[]} */
  ends = [];
  #ms;
  #pacing;
  #measured = false;
  #expected;
  #looks = 0;
  /** @type {number[]} */
  #fastest = [];

  /**
   * @param {number[]} expected  ms of each launch, as Python said
   * @param {Pacing} pacing
   */
  constructor(expected, pacing) {
    this.#ms = expected;
    this.#expected = sum(expected);
    this.#pacing = pacing;
  }

  /** The pieces of the next replay, as ends. */
  pieces() {
    if (!this.ends.length) this.ends = cut(this.#ms, this.#pacing.factor);
    return this.ends;
  }

  /**
   * A replay in `ends` pieces has ended; took: ms of each.
   *
   * @param {number[]} ends
   * @param {number[]} took
   */
  replayed(ends, took) {
    if (ends !== this.ends) return; // cut anew meanwhile
    const total = sum(took);
    if (!this.#measured) this.#pacing.learn(this.#expected, total);
    if (ends.length === 1 && total <= UNCUT_MS) {
      this.#looks = 0;
      return;
    }
    if (!this.#looks || total < sum(this.#fastest)) this.#fastest = took;
    const clear = total <= UNCUT_MS || took.some((ms) => ms > FAR_TOO_LONG_MS);
    if (++this.#looks < LOOKS && !clear) return;
    this.#looks = 0;
    // Answers may come in a bunch: then the pieces are not told apart.
    const apart = this.#fastest.every((ms) => ms >= 1);
    for (let k = 0, from = 0; k < ends.length; from = ends[k++]) {
      const [first, end] = apart ? [from, ends[k]] : [0, this.#ms.length];
      const scale = (apart ? this.#fastest[k] : sum(this.#fastest)) / Math.max(sum(this.#ms, first, end), 1e-6);
      for (let i = first; i < end; i++) this.#ms[i] = Math.max(this.#ms[i], 1e-6) * scale;
      if (!apart) break;
    }
    this.#measured = true;
    const next = cut(this.#ms);
    if (next.join() !== ends.join()) this.ends = next;
  }
}

/**
 * @param {ArrayLike<number>} numbers
 * @param {number} [from]
 * @param {number} [to]
 */
function sum(numbers, from = 0, to = numbers.length) {
  let total = 0;
  for (let i = from; i < to; i++) total += numbers[i];
  return total;
}
