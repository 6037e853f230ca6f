// Chips that say how busy this machine's processor is (Compute Pressure: PressureObserver), and
// that the battery is low. Where the browser tells neither, they stay hidden.

import { element } from "../ui/dom.js";
import { batteryIsLow } from "./device_class.js";

const WORDS = {
  nominal: ["CPU is free", "Other programs still get all they need."],
  fair: ["CPU busy", "Busy, but nothing is slowed down yet."],
  serious: ["CPU very busy", "Training may slow down, and so may other programs."],
  critical: [
    "CPU at its limit",
    "The processor is near its thermal or load limit, and training may slow down. Use fewer threads or a smaller preset.",
  ],
};

export class PressureChip {
  constructor(parent) {
    this.chip = parent.appendChild(element("span", { class: "pressure", hidden: true }));
    this.battery = parent.appendChild(element("span", { class: "pressure battery", hidden: true }));
    navigator.getBattery?.().then(
      (battery) => {
        for (const name of ["levelchange", "chargingchange"])
          battery.addEventListener(name, () => this.showBattery(battery));
        this.showBattery(battery);
      },
      () => {},
    );
    this.observe().catch(() => {}); // not for this page, or not on this machine: no chip
  }

  async observe() {
    if (typeof PressureObserver !== "function") return;
    this.observer = new PressureObserver((records) => this.show(records.at(-1).state));
    await this.observer.observe("cpu", { sampleInterval: 2000 });
  }

  showBattery(battery) {
    this.battery.hidden = !batteryIsLow(battery);
    this.battery.dataset.state = "serious";
    this.battery.textContent = `Battery ${Math.round(battery.level * 100)} %`;
    this.battery.title = "Training drains the battery. Plug the device in, or press Pause: the run stays saved.";
  }

  show(state) {
    const [text, title] = WORDS[state] ?? [];
    this.chip.hidden = !text;
    if (!text || this.chip.dataset.state === state) return;
    Object.assign(this.chip, { textContent: text, title: `Compute pressure: ${state}. ${title}` });
    this.chip.dataset.state = state;
  }
}
