// The two ways in, at the top of the page: load a trained model and read what it writes, or train one of one's own.
//
// Which models are shipped says public/models/models.json (app/models.js); the Models panel has a card for each.

import { fetched } from "./models.js";
import { PROMPT } from "./panels/generate.js";
import { bytes, duration } from "./words.js";

const FURTHER = 500; // steps that Train further adds, with a batch that a processor bears and a small rate: the model is good already
const FURTHER_SETTINGS = { batch_size: 4, lr: 1e-4, schedule: "constant", warmup_steps: 0 };
const MEASURED = 2000; // ms of steps before the estimate is told

export class Paths {
  // generate(): the Generate panel. show(name): brings a panel to the front. choose(name, value): fills an input, as by hand.
  // preset: what the page comes with. untouched(): whether neither the inputs nor train.py differ from what the page came with.
  constructor({ session, controls, training, generate, show, status, models, choose, preset, untouched }) {
    Object.assign(this, { session, controls, training, generate, show, status, models, choose, preset, untouched });
    this.advice = "";
    session.addEventListener("training", ({ detail }) => detail.forEach((message) => message.type === "start" && this.began(message)));
    training.chart.setReference(this.shipped?.val_loss ?? null, this.shipped?.title ?? "");
  }

  get shipped() {
    return this.models.find(({ name }) => name === "shakespeare");
  }

  // ---- a trained model ----

  async load(model = this.shipped) {
    if (!model) {
      return this.status("This version of TinyGPT ships no trained model yet. Train your own: it says how long that takes here.", "bad");
    }
    await this.take(model);
    this.show("generate");
    await this.generate().generate({ prompt: model.corpus === "stdlib" ? "def " : PROMPT });
  }

  async look(model) {
    await this.take(model);
    this.show("inside");
  }

  // Goes on training a shipped model with the editor's code, on the text that it knows.
  async further(model) {
    await this.take(model);
    for (const [name, value] of Object.entries({ corpus: model.corpus, steps: model.step + FURTHER, ...FURTHER_SETTINGS })) this.choose(name, value);
    this.show("samples");
    this.controls.resume(); // its end is told where the end of every run is
  }

  // Makes a shipped model the current one.
  async take(model) {
    if (this.controls.active) throw new Error("A run is under way: stop it first, so that the loaded model does not take the place of what it trains.");
    const say = (loaded) => this.status(`Loading ${model.title}: ${bytes(loaded)} of ${bytes(model.bytes)}`);
    say(0);
    this.choose("preset", this.preset); // one that was chosen before would be the shape to go on with
    await this.controls.importModel(await fetched(model, say), { name: model.title });
    this.status(`${model.title} is loaded, as it was at step ${model.step.toLocaleString("en")}`, "good");
  }

  // ---- one's own ----

  // With the inputs as the user has set them; where nobody has touched them, with what reaches readable text here in a quarter of an hour.
  async train() {
    if (this.controls.held) return this.status(this.controls.held, "bad");
    this.show("samples");
    if (this.controls.active) return;
    if (this.untouched()) await this.recommend();
    await this.controls.start();
  }

  async recommend() {
    const names = (part) => this.status(`Measuring this machine: a few steps of ${part.measuring}`);
    this.status("Measuring this machine");
    await this.controls.graphicsSoon();
    const { preset, settings, loss, seconds } = await this.session.request("recommend", {}, names);
    for (const [name, value] of Object.entries({ preset, ...settings })) this.choose(name, value);
    this.advice = `; expect a loss near ${loss.toFixed(2)} at the end`;
    this.status(`Recommended here: ${preset}, ${settings.steps.toLocaleString("en")} steps, about ${duration(seconds)}`);
  }

  // What the run will take, measured in its first seconds and told once.
  began({ step, steps, preset, goes_on }) {
    clearTimeout(this.timer);
    if (goes_on) return;
    const tell = () => {
      const done = (this.training.run?.done ?? 0) - step;
      if (this.controls.phase !== "running") return;
      if (done < 3) return void (this.timer = setTimeout(tell, MEASURED));
      const all = this.training.elapsed() + this.training.left(), ms = all / Math.max(1, steps - step);
      const sentence = `${steps.toLocaleString("en")} steps of ${preset} take about ${duration(all / 1000)}`;
      this.status(`${sentence} here, measured at ${ms.toFixed(ms < 10 ? 1 : 0)} ms a step${this.advice}`);
      this.advice = "";
    };
    this.timer = setTimeout(tell, MEASURED);
  }
}
