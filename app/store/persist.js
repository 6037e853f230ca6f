// @ts-check
// Keeping runs: connects autosave, the saved runs and resuming to the page (app/store/).

import { Autosave } from "./autosave.js";
import { Notices } from "./notices.js";
import { Resume } from "./resume.js";
import { SavedRuns } from "./saved_runs.js";

/**
 * The page's parts that saving needs.
 *
 * @typedef {object} PageParts
 * @property {import("../worker/session.js").Session} session
 * @property {import("../run/controls.js").Controls & Record<string, any>} controls
 * @property {any} training  the TrainingView
 * @property {any} editor
 * @property {any} settings  the Settings
 * @property {import("../run/device_choice.js").DeviceChoice} choice
 * @property {(text: string, kind?: string) => void} status  the status line
 */

/**
 * `offered` resolves when the page offers what it has saved.
 *
 * @param {PageParts} parts
 */
export function keepRuns(parts) {
  const seconds = new URLSearchParams(location.search).get("autosave"); // for tests, and for pages that embed this one
  const saved = new SavedRuns();
  const autosave = new Autosave({ ...parts, saved, seconds: seconds === null ? null : Number(seconds) || 0 });
  const resume = new Resume({ ...parts, saved, autosave });
  parts.controls.addEventListener("replaced", (/** @type {any} */ { detail: { byFile, about } }) =>
    parts.settings.follow(byFile, about),
  );
  const notices = new Notices({ ...parts, saved, autosave, resume });
  return { autosave, saved, resume, offered: notices.offerLast() };
}
