// Where a static build starts (tools/setup/build.py): brings the service worker, then the page.
//
// A host that does not send the isolation headers gives a page with one thread. The service worker
// can send them, from the next load on: so a first visit reloads once, before main.js is loaded and
// anything could be lost. A page that is not isolated after that stays as it is.

const RELOADED = "tinygpt reloaded for isolation"; // in this tab's storage
const PATIENCE = 5000; // ms for the service worker to take control
const worker = navigator.serviceWorker;

async function begin() {
  const registering = worker?.register("sw.js", { updateViaCache: "none" });
  registering?.catch(() => {}); // no worker here (a private window, a host that has lost sw.js): the page works without
  if (crossOriginIsolated) remember(null);
  else if (worker && !remembered() && (await within(PATIENCE, inControl(registering))) && remember("yes")) {
    // The browser may bring this document back, from its cache of pages: it has started nothing.
    addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
    location.reload();
    return;
  }
  import("../start.js").catch(() => {}); // Python starts before main.js is here, which tells of a failure
  await import("../main.js");
  const registration = await registering?.catch(() => null);
  if (!registration) return;
  await window.tinygpt.ready.catch(() => {}); // the start comes first
  const { NewVersion } = await import("./new_version.js");
  new NewVersion(registration);
  if (!registration.active) await worker.ready;
  const { checkOwnFiles } = await import("./own_files.js"); // and the service worker starts to keep them
  const { banner } = await import("./status.js");
  banner("own files", (await checkOwnFiles(registration)).join(" "));
}

// Resolves to true when a reload would go through the service worker.
async function inControl(registering) {
  const registration = await registering;
  // the second: this load went past it, as a forced reload does
  if (worker.controller || registration.active) return true;
  return new Promise((resolve) => worker.addEventListener("controllerchange", () => resolve(true), { once: true }));
}

function within(ms, promise) {
  return Promise.race([promise.catch(() => false), new Promise((resolve) => setTimeout(resolve, ms, false))]);
}

// Without storage nothing could end a loop of reloads: then there is none.
function remembered() {
  try {
    return sessionStorage.getItem(RELOADED);
  } catch {
    return "no storage";
  }
}

function remember(value) {
  try {
    if (value) sessionStorage.setItem(RELOADED, value);
    else sessionStorage.removeItem(RELOADED);
    return true;
  } catch {
    return false;
  }
}

await begin();
