// The line at the top: how far the start of Python is, then the device in use, as Python says. The
// bar of the start and the banner's sentence on the start belong to it.

import { bytes, sentence } from "../ui/format.js";
import { answered } from "../worker/bounded_json.js";

const SHARES = { TinyGPT: 0.75, "C++ extension": 0.9 }; // of the bar, when a stage begins

export class DeviceLine {
  // choice: the DeviceChoice, which shows the same device. banner(subject, text), status(text,
  // kind), notice(text): where sentences go.
  constructor({ session, choice, banner, status, notice }) {
    Object.assign(this, { choice, banner, status, notice });
    this.line = document.getElementById("device");
    this.bar = document.getElementById("boot");
    this.surroundings = []; // what the line says besides the device
    this.total = 0; // bytes of a start; 0: not known
    fetch("public/vendor/stamp.json")
      .then(answered)
      .then(
        (stamp) => (this.total = stamp.boot_bytes),
        () => {},
      );
    session.addEventListener("stage", ({ detail }) => {
      if (session.state !== "failed") this.showStage(detail); // what still comes is of no use
    });
    session.addEventListener("ready", ({ detail: { device } }) => this.showStart(device));
    session.addEventListener("device", ({ detail }) => this.show(detail));
    session.addEventListener("failed", ({ detail: { message } }) => this.showFailure(message));
  }

  showStage({ name, loaded }) {
    const { bar, line, total } = this;
    bar.hidden = false;
    const amount = loaded ? `: ${bytes(loaded)}${total ? " of " + bytes(total) : ""}` : "";
    line.textContent = `Starting ${name}${amount}`;
    bar.value = name === "Python" ? 0.05 + (total ? 0.6 * (loaded / total) : 0) : (SHARES[name] ?? bar.value);
  }

  showStart(device) {
    this.bar.hidden = true;
    this.surroundings = [isolation(device), "Python " + device.python];
    this.show(device);
    this.choice.offerWide(device.wide);
    const problems = [];
    if (device.missing) {
      problems.push(sentence(device.missing) + " Python works, but there is no device to train on.");
      if (device.reason) this.notice(device.reason);
    }
    if (device.unshared)
      problems.push(
        `Training uses one thread here: ${device.unshared}. Stop restarts Python and clears its variables.`,
      );
    this.banner("start", problems.join(" "));
  }

  showFailure(message) {
    this.bar.hidden = true;
    this.line.textContent = "Python did not start";
    this.banner("start", sentence(message) + " Reload the page to try again.");
    this.status("Python did not start", "bad");
  }

  // facts: {device, build, threads, precision}.
  show(facts) {
    const { line, surroundings, choice } = this;
    const threads = facts.threads === 1 ? "1 thread" : `${facts.threads} threads`;
    const parts = !facts.build
      ? ["no device"]
      : facts.device === "webgpu"
        ? ["GPU", facts.build]
        : ["CPU", facts.build, threads];
    line.textContent = [...parts, ...surroundings].join(" · ");
    line.title = line.textContent;
    choice.show(facts.build ? facts : { ...facts, problem: "There is no device to train on in this browser." });
  }
}

// An isolated page may have no shared memory, in some browsers.
const isolation = ({ unshared }) =>
  !unshared ? "isolated" : crossOriginIsolated ? "no shared memory" : "not isolated";
