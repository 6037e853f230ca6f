// The two ways in, at the top of the page: load a trained model and read what it writes, or train one of one's own.
//
// Which models are shipped says public/models/models.json: [{name, title, file, bytes, val_loss}].

import { PROMPT } from "./panels/generate.js";
import { bytes, duration } from "./words.js";

const MEASURED = 2000; // ms of steps before the estimate is told

export class Paths {
  // generate(): the Generate panel. show(name): brings a panel to the front.
  constructor({ session, controls, training, generate, show, status, models }) {
    Object.assign(this, { controls, training, generate, show, status, models });
    session.addEventListener("training", ({ detail }) => detail.forEach((message) => message.type === "start" && this.began(message)));
    training.chart.setReference(this.shipped?.val_loss ?? null, this.shipped?.title ?? "");
  }

  get shipped() {
    return this.models.find(({ name }) => name === "shakespeare");
  }

  // ---- a trained model ----

  async load() {
    const model = this.shipped;
    if (!model) {
      return this.status("This version of TinyGPT ships no trained model yet. Train your own: it says how long that takes here.", "bad");
    }
    if (this.controls.active) {
      return this.status("A run is under way: stop it first, so that the loaded model does not take the place of what it trains.", "bad");
    }
    this.status(`Loading ${model.title}: ${bytes(model.bytes)}`);
    const answer = await fetch("public/models/" + model.file);
    if (!answer.ok) throw new Error(`The model could not be fetched (${answer.status}): reload the page, or train your own.`);
    await this.controls.importModel(await answer.blob());
    this.status(`${model.title} is loaded: it writes below`, "good");
    this.show("generate");
    await this.generate().generate({ prompt: PROMPT });
  }

  // ---- one's own ----

  async train() {
    if (this.controls.held) return this.status(this.controls.held, "bad");
    this.show("samples");
    if (!this.controls.active) await this.controls.start();
  }

  // What the run will take, measured in its first seconds and told once.
  began({ step, steps, preset, goes_on }) {
    clearTimeout(this.timer);
    if (goes_on) return;
    const tell = () => {
      const done = (this.training.run?.done ?? 0) - step;
      if (this.controls.phase !== "running") return;
      if (done < 3) return void (this.timer = setTimeout(tell, MEASURED));
      const left = this.training.left(), ms = left / Math.max(1, steps - step - done);
      const all = `${steps.toLocaleString("en")} steps of ${preset} take about ${duration((left + done * ms) / 1000)}`;
      this.status(`${all} here, measured at ${ms.toFixed(ms < 10 ? 1 : 0)} ms a step`);
    };
    this.timer = setTimeout(tell, MEASURED);
  }
}
