// "Report my GPU", in the card "This browser": a text with the GPU's limits, features, tiles, times
// and the check of its losses against the CPU's, to paste into a bug report. Python measures it
// (py/tinygpt/tools/gpu_report.py) when the button is pressed and not before; nothing is sent.
//
//   card.append(new GpuReport({session}).element)

import { element } from "../ui/dom.js";
import { sentence } from "../ui/format.js";

export class GpuReport {
  constructor({ session }) {
    Object.assign(this, { session, asking: null });
    this.start = element("button", { id: "gpu-report", type: "button", onclick: () => this.write() }, "Report my GPU");
    this.cancel = element(
      "button",
      { id: "gpu-report-cancel", type: "button", hidden: true, onclick: () => this.stop() },
      "Cancel",
    );
    this.copy = element(
      "button",
      { id: "gpu-report-copy", type: "button", hidden: true, onclick: () => this.copied() },
      "Copy",
    );
    this.line = element(
      "p",
      { id: "gpu-report-line", role: "status" },
      "Measures the GPU for a few seconds and writes a text for a bug report. Nothing is sent.",
    );
    this.text = element("textarea", {
      id: "gpu-report-text",
      readOnly: true,
      hidden: true,
      rows: 8,
      spellcheck: false,
      "aria-label": "Report of the GPU",
    });
    const buttons = element("p", { class: "buttons" }, this.start, this.cancel, this.copy);
    this.element = element("section", { class: "gpu-report", hidden: true }, buttons, this.line, this.text);
    session.addEventListener("graphics", ({ detail: { facts } }) => {
      this.element.hidden = !facts || Boolean(facts.missing) || !facts.canWait;
    });
  }

  async write() {
    if (this.asking) return;
    this.show({ busy: true, line: "Starting." });
    try {
      this.asking = this.session.request("gpu report", {}, ({ stage }) => {
        this.line.textContent = `Measuring: ${stage}.`;
      });
      const report = await this.asking;
      this.show({ text: `${report}Browser: ${navigator.userAgent}\n` });
      await this.copied();
    } catch (error) {
      this.show({ line: this.stopped ? "Cancelled." : sentence(error.message) });
    } finally {
      this.asking = null;
      this.stopped = false;
    }
  }

  stop() {
    if (!this.asking) return;
    this.stopped = true;
    this.line.textContent = "Cancelling after this stage.";
    this.session.cancel(this.asking);
  }

  // A browser lets a page write to the clipboard for a few seconds after a press; the button is
  // there for later.
  async copied() {
    try {
      await navigator.clipboard.writeText(this.text.value);
      this.line.textContent = "Copied to the clipboard. Paste it into the bug report.";
    } catch {
      this.line.textContent = "The report is ready. Press Copy, or select the text.";
      this.text.select();
    }
  }

  show({ busy = false, line = "", text = "" }) {
    this.start.disabled = busy;
    this.cancel.hidden = !busy;
    this.copy.hidden = this.text.hidden = !text;
    this.text.value = text;
    this.line.textContent = line;
  }
}
