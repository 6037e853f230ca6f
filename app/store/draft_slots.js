// @ts-check
// Where drafts are: one text in localStorage for each tab, because only that can be written in the
// moment in which a page goes. The id of the tab's draft is in its sessionStorage, which a reload
// keeps.
//
// A tab holds its draft's lock for as long as it lives. A new tab takes the newest draft that no
// tab holds: that of one that was closed or killed. A duplicated tab has the other one's id, whose
// lock is held: it reads that draft and writes one of its own.

const KEY = "tinygpt draft ";
const KEPT = 8; // drafts of tabs that are gone
const PATIENCE = 600; // ms in which the page before a reload lets go of its lock
const AGAIN = 50; // ms

export class DraftSlot {
  id = "";
  /** @type {(value?: unknown) => void} */
  release = () => {};

  /**
   * Takes this tab's draft. Resolves to its text, or null.
   *
   * @param {{ orphans: boolean }} options  orphans: where it has none, that of a tab that is gone
   */
  async take({ orphans }) {
    const own = tried(() => sessionStorage.getItem(KEY));
    if (own && /^[\w-]{1,40}$/.test(own)) {
      if (await this.hold(own, PATIENCE)) this.name(own);
      else await this.fresh();
      return read(own);
    }
    for (const id of orphans && navigator.locks ? all() : []) {
      if (!(await this.hold(id))) continue;
      this.name(id);
      return read(id);
    }
    await this.fresh();
    return null;
  }

  // From here on this tab writes another draft; the one before is kept as it is.
  async fresh() {
    this.release();
    const id = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
    this.name(id);
    await this.hold(id);
  }

  /** @param {string} id */
  name(id) {
    this.id = id;
    tried(() => sessionStorage.setItem(KEY, id));
  }

  /**
   * Whether this tab may write the draft from now on.
   *
   * @param {string} id
   * @param {number} patience  ms
   */
  async hold(id, patience = 0) {
    for (let left = patience; ; left -= AGAIN) {
      const mine = !navigator.locks || (await this.lock(id));
      if (mine || left <= 0) return mine;
      await new Promise((resume) => setTimeout(resume, AGAIN));
    }
  }

  /**
   * @param {string} id
   * @returns {Promise<boolean>}
   */
  lock(id) {
    return new Promise((resolve) => {
      const held = navigator.locks.request(KEY + id, { ifAvailable: true }, (lock) => {
        resolve(lock !== null);
        return lock && new Promise((release) => (this.release = release));
      });
      held.catch(() => resolve(true)); // the browser gives the page no storage: no other tab has any
    });
  }

  /**
   * Writes the draft; null: there is none. False where the browser does not keep it.
   *
   * @param {string | null} text
   */
  write(text) {
    const key = KEY + this.id;
    const kept = tried(() => {
      if (text === null) localStorage.removeItem(key);
      else localStorage.setItem(key, `${Date.now()}\n${text}`);
      return true;
    });
    return kept ?? false;
  }

  /**
   * Removes the drafts of tabs that are gone, but for so many. Resolves to whether there was one.
   *
   * @param {number} keep
   */
  async prune(keep = KEPT) {
    if (!navigator.locks) return false;
    const { held } = await navigator.locks.query().catch(() => ({ held: null }));
    if (!held) return false;
    const names = new Set(held.map(({ name }) => name));
    const gone = all().filter((id) => id !== this.id && !names.has(KEY + id));
    for (const id of gone.slice(keep)) localStorage.removeItem(KEY + id);
    return gone.length > keep;
  }
}

/** @param {string} id */
function read(id) {
  const text = tried(() => localStorage.getItem(KEY + id));
  return text === null ? null : text.slice(text.indexOf("\n") + 1);
}

// The ids of all drafts, newest first.
function all() {
  const ids = tried(() => Object.keys(localStorage).filter((key) => key.startsWith(KEY))) ?? [];
  const age = (/** @type {string} */ key) => Number.parseInt(localStorage.getItem(key) ?? "", 10) || 0;
  return ids.sort((a, b) => age(b) - age(a)).map((key) => key.slice(KEY.length));
}

/**
 * Storage throws where it is full or the browser gives the page none.
 *
 * @template T
 * @param {() => T} act
 * @returns {T | null}
 */
function tried(act) {
  try {
    return act();
  } catch {
    return null;
  }
}
