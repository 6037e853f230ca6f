// A run on a device that puts pages to sleep. While a run trains on a phone or tablet the screen is
// kept on. Where the browser held the page back all the same (it was in the background, the machine
// slept), the page says so once when it is back, and the run continues.

import { duration, sentence } from "../ui/format.js";
import { batteryIsLow, handheld } from "./device_class.js";

const TICK = 1000; // ms
const GAP = 5000; // ms without a tick in a page that is in front: the machine slept, or the page stood still
const LEAST = 5; // seconds that were lost, of which the page speaks
const SETTLE = 1000; // ms for the steps that were made meanwhile to arrive

export class Background {
  // training: the TrainingView. note(text): where the sentence goes.
  constructor({ controls, training, note }) {
    Object.assign(this, { controls, training, note, left: null, lock: null, battery: null });
    document.addEventListener("visibilitychange", () => (document.hidden ? this.leave() : this.back()));
    document.addEventListener("freeze", () => this.leave());
    document.addEventListener("resume", () => document.hidden || this.back());
    controls.addEventListener("phase", () => this.follow());
    this.ticked = Date.now();
    setInterval(() => this.tick(), TICK);
    navigator.getBattery?.().then(
      (battery) => {
        this.battery = battery;
        for (const name of ["levelchange", "chargingchange"]) battery.addEventListener(name, () => this.follow());
      },
      () => {},
    );
  }

  get trains() {
    return this.controls.phase === "running";
  }

  get low() {
    return this.battery !== null && batteryIsLow(this.battery); // then the screen may turn off
  }

  // Where the run is: {at: Date.now(), run, step, worked: ms}.
  here() {
    const { run, step } = this.training.state();
    return { at: Date.now(), run, step, worked: this.training.worked() };
  }

  leave() {
    if (this.trains) this.left ??= this.here();
  }

  back() {
    this.ticked = Date.now();
    this.follow();
    const { left } = this;
    this.left = null;
    if (left) setTimeout(() => this.judge(left), SETTLE);
  }

  tick() {
    const gap = Date.now() - this.ticked;
    this.ticked = Date.now();
    if (!document.hidden && gap > GAP && this.last) setTimeout((left) => this.judge(left), SETTLE, this.last);
    this.last = this.trains && !document.hidden ? this.here() : null;
  }

  // What was lost is the time that the work done meanwhile does not explain.
  judge({ at, run, worked }) {
    const now = this.here();
    if (!this.trains || run !== now.run) return;
    const away = (now.at - at) / 1000,
      lost = away - (now.worked - worked) / 1000;
    if (lost < Math.max(LEAST, away / 2)) return;
    const why = handheld() ? "Keep this page in front while it trains" : "";
    this.note(
      `The browser paused this run for about ${duration(lost)} while the page was in the background or the device slept. It continues at step ${now.step.toLocaleString("en")}. ${why && sentence(why)}`.trim(),
    );
  }

  // The screen stays on while a run trains, unless the battery is low.
  async follow() {
    const wanted = this.trains && handheld() && !document.hidden && !this.low && "wakeLock" in navigator;
    if (!wanted) {
      this.lock?.then((lock) => lock?.release()).catch(() => {});
      this.lock = null;
    } else if (!this.lock) {
      const lock = navigator.wakeLock.request().catch(() => null); // refused: the screen turns off as ever
      this.lock = lock;
      (await lock)?.addEventListener("release", () => this.lock === lock && (this.lock = null));
    }
  }
}
