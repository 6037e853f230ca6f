// The page's first program: starts Python's worker and fetches the files that the page is made
// from.
//
// It imports little, so that Python starts while the browser still loads the rest of the page
// (main.js). What the worker says until then, the session keeps.

import { pageFiles } from "./shell/page_files.js";
import { requestedChoice } from "./worker/devices.js";
import { Session } from "./worker/session.js";

// For tests and comparisons: ?variant= and ?threads= choose the extension's build and threads,
// ?device= and ?precision= the device, ?datasets= the server of datasets.
export const address = new URLSearchParams(location.search);

export const files = pageFiles();

export const session = new Session({
  variant: address.get("variant"),
  threads: Number(address.get("threads")) || undefined,
  choice: requestedChoice(address),
  after: files, // a run before them would not be shown
  attended: false,
});
