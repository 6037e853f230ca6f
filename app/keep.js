// Keeping runs: connects autosave, the saved runs, resuming and the Runs panel to the page (app/store/, app/panels/runs.js).

import { KeptPanel } from "./panels/runs.js";
import { Autosave } from "./store/autosave.js";
import { Notices } from "./store/notices.js";
import { Resume } from "./store/resume.js";
import { SavedRuns } from "./store/saved.js";

// parts: {session, controls, training, editor, settings(), choice, status, tabs}. Resolves when the page offers what it has saved.
export function keepRuns(parts) {
  const seconds = new URLSearchParams(location.search).get("autosave"); // for tests, and for pages that embed this one
  const saved = new SavedRuns();
  const autosave = new Autosave({ ...parts, saved, seconds: seconds === null ? null : Number(seconds) || 0 });
  const resume = new Resume({ ...parts, saved, autosave });
  parts.controls.addEventListener("replaced", ({ detail: { byFile } }) => parts.settings().follow(byFile));
  const notices = new Notices({ ...parts, saved, autosave, resume });
  parts.tabs.add("runs", "Runs", (element) => new KeptPanel(element, { ...parts, saved, autosave, resume }));
  return { autosave, saved, resume, offered: notices.offerLast() };
}
