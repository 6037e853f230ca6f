// Says, quietly, that the host has a newer TinyGPT, which the service worker has fetched whole: a
// button in the header. Nothing changes before it is pressed, or before all of the page's tabs have
// been closed.

import { element } from "../ui/dom.js";

export class NewVersion {
  constructor(registration) {
    this.registration = registration;
    registration.addEventListener("updatefound", () => this.watch(registration.installing));
    this.watch(registration.installing);
    this.offer();
  }

  watch(coming) {
    coming?.addEventListener("statechange", () => this.offer());
  }

  offer() {
    if (!this.registration.waiting || this.button) return;
    const title = "Reloads the page with the newer TinyGPT that is ready. This ends the current run.";
    this.button = element("button", { id: "new-version", type: "button", title }, "New version");
    this.button.addEventListener("click", () => this.take());
    document.getElementById("help").before(this.button);
  }

  async take() {
    if (document.body.dataset.phase === "running" || document.body.dataset.phase === "paused")
      return this.say("A run is in progress. Stop it, then press New version again.");
    const { others } = await ask(this.registration.waiting, "replace");
    if (others)
      return this.say(
        `TinyGPT is open in ${others === 1 ? "another tab" : `${others} other tabs`}: close ${others === 1 ? "it" : "them"} first, so that no tab has files of two versions.`,
      );
    navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
  }

  say(text) {
    Object.assign(document.getElementById("status"), { textContent: text, title: text, className: "" });
  }
}

// The service worker's answer to a question (tools/setup/service_worker.js).
export function ask(worker, type) {
  const { port1, port2 } = new MessageChannel();
  worker.postMessage({ type }, [port2]);
  return new Promise((resolve) => (port1.onmessage = ({ data }) => resolve(data)));
}
