// Why the page did not start, where its program cannot say so itself: a module that is missing or
// throws leaves the rest of the page without one line of JavaScript. A classic script without
// imports, before everything else, so that nothing can fail before it.
//
// `tinygptStarting.end()`: the program runs, and speaks for itself from here on. `failed(reason)`:
// it does not, for a reason that no event tells.

(() => {
  const PATIENCE = 30000; // ms without the program, after which the page says that it waits
  const STATUS = "The page did not start";
  let ended = false,
    said = null,
    shown = ""; // the banner's text, while it is from here

  // A system without a language ("C", "POSIX") gives browsers one that their own Intl refuses, and
  // uPlot's first line makes a number format of it.
  try {
    new Intl.NumberFormat(navigator.language);
  } catch {
    Object.defineProperty(navigator, "language", { value: "en-US", configurable: true });
  }

  function show(text, status) {
    const part = (id) => document.getElementById(id);
    let banner = part("banner");
    if (!banner) {
      banner = document.createElement("p");
      banner.id = "banner";
      banner.setAttribute("role", "alert");
      document.body.prepend(banner);
    }
    banner.textContent = shown = text;
    banner.hidden = !text;
    if (!status) return;
    if (part("boot")) part("boot").hidden = true;
    for (const id of ["device", "status"]) if (part(id)) part(id).textContent = status;
    if (part("status")) part("status").className = "bad";
  }

  // The first reason is the one: what comes after it comes of it.
  function failed(reason) {
    if (ended || said) return;
    said = `The page could not start: ${String(reason).trim().replace(/\.$/, "").slice(0, 300)}. Reload the page; if that does not help, use a current Chrome, Edge, Firefox or Safari.`;
    if (document.body && document.getElementById("banner")) show(said, STATUS);
    else addEventListener("DOMContentLoaded", () => ended || show(said, STATUS), { once: true });
  }

  const name = (address) => String(address).split(/[?#]/)[0].replace(new URL(".", document.baseURI).href, "");

  // The file that did not come, where the browser kept a note of it: a script's own name is that of
  // the first module of many.
  function missing(script) {
    const lost = performance
      .getEntriesByType("resource")
      .find(({ name: address, responseStatus }) => /\.m?js$/.test(address.split("?")[0]) && responseStatus >= 400);
    return name(lost ? lost.name : script);
  }

  function heard(event) {
    const { target, message, filename, lineno, error } = event;
    const from = target instanceof HTMLScriptElement ? target.src : filename;
    if (from && !from.startsWith(location.origin)) return; // of an extension of the browser
    if (target instanceof HTMLScriptElement)
      setTimeout(() => failed(`${missing(target.src)}, or a file that it imports, could not be loaded`), 0);
    else if (target === window && (message || error))
      failed(`${message || error}${filename ? ` (${name(filename)}, line ${lineno})` : ""}`);
  }

  const rejected = ({ reason }) => failed(reason?.message ?? reason);

  const timer = setTimeout(() => {
    if (!ended && !said)
      show(
        `The page's program has not loaded after ${PATIENCE / 1000} s. It starts when its files arrive. If nothing changes, check the connection and reload the page.`,
      );
  }, PATIENCE);

  function end() {
    ended = true;
    clearTimeout(timer);
    removeEventListener("error", heard, true);
    removeEventListener("unhandledrejection", rejected);
    const banner = document.getElementById("banner");
    if (shown && banner && banner.textContent === shown) show("");
  }

  addEventListener("error", heard, true);
  addEventListener("unhandledrejection", rejected);
  if (!("noModule" in HTMLScriptElement.prototype)) failed("this browser cannot run JavaScript modules");
  window.tinygptStarting = { end, failed };
})();
