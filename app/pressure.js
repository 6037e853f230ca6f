// A chip that says how busy this machine's processor is (Compute Pressure: PressureObserver). Where the browser has none, it stays hidden.

const WORDS = {
  nominal: ["CPU has room", "Other programs still get all they need."],
  fair: ["CPU busy", "Busy, but nothing suffers from it yet."],
  serious: ["CPU very busy", "Training may slow down, and so may other programs."],
  critical: ["CPU at its limit", "Near its limit of heat or load: training may be slowed down. Fewer threads or a smaller preset help."],
};

export class PressureChip {
  constructor(parent) {
    this.chip = parent.appendChild(document.createElement("span"));
    this.chip.className = "pressure";
    this.chip.hidden = true;
    this.observe().catch(() => {}); // not for this page, or not on this machine: no chip
  }

  async observe() {
    if (typeof PressureObserver !== "function") return;
    this.observer = new PressureObserver((records) => this.show(records.at(-1).state));
    await this.observer.observe("cpu", { sampleInterval: 2000 });
  }

  show(state) {
    const [text, title] = WORDS[state] ?? [];
    this.chip.hidden = !text;
    if (!text || this.chip.dataset.state === state) return;
    Object.assign(this.chip, { textContent: text, title: `Compute pressure: ${state}. ${title}` });
    this.chip.dataset.state = state;
  }
}
