// Whether this page's program is the one that its build wrote, as far as a page can tell of itself:
// its service worker is the build's and no other, what that answers has the build's checksums, and
// what it keeps needed no repair.

import { ask } from "./new_version.js";

// The files by which everything else is loaded.
const OWN = ["", "app/shell/start_guard.js", "app/shell/site.js", "app/start.js", "app/main.js"];

// Resolves to sentences, none where nothing is wrong. `registration`: of the build's service
// worker.
export async function checkOwnFiles(registration) {
  const worker = registration.active,
    controller = navigator.serviceWorker.controller;
  const sentences = [];
  const root = new URL("../../", import.meta.url),
    expected = new URL("sw.js", root).href;
  const other = [worker, controller].find((each) => each && each.scriptURL !== expected);
  if (other)
    return [
      `Another service worker answers for this page (${other.scriptURL}). Delete this site's data in the browser's settings, then reload.`,
    ];
  const { problem, replaced, digests } = await ask(worker, "keep");
  if (replaced.length)
    sentences.push(
      `${named(replaced)} in this browser's storage ${replaced.length === 1 ? "was" : "were"} changed by something other than this page, and the build's own ${replaced.length === 1 ? "file is" : "files are"} back. None of the changed ones was used.`,
    );
  if (!controller || problem) return sentences; // the host's files, which "This browser" has a sentence on
  const different = [];
  for (const path of OWN) {
    const answer = await fetch(new URL(path, root));
    if ((await sha256(await answer.arrayBuffer())) !== digests[path]) different.push(path);
  }
  if (different.length) sentences.push(`${named(different)} is not this version's. Reload the page.`);
  return sentences;
}

async function sha256(body) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const MOST = 3; // names in a sentence
function named(paths) {
  const names = paths.slice(0, MOST).map((path) => path || "index.html");
  const rest = paths.length - names.length;
  if (rest) names.push(`${rest} more`);
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
