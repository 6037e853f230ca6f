// Two of the ways in: load a trained model and read what it writes, or train one.
//
// Which models are shipped says public/models/models.json (app/run/shipped_models.js); the Models
// panel has a card for each.

import { bytes, duration } from "../ui/format.js";
import { promptsFor } from "./prompts.js";
import { fetched } from "./shipped_models.js";

// steps that Train further adds, with a batch that a processor bears and a small rate: the model is
// good already
const FURTHER = 500;
const FURTHER_SETTINGS = { batch_size: 4, lr: 1e-4, schedule: "constant", warmup_steps: 0 };
const MEASURED = 2000; // ms of steps before the estimate is told
const LONG = 60; // seconds: a run that takes longer is not begun without a question
const ABOUT = 150; // seconds that the run of Train one takes at most: "about two minutes"

export class EntryPoints {
  // generate: the Generate panel. tabs: the PanelTabs. untouched(): whether neither the inputs nor
  // train.py differ from what the page came with.
  // estimate: the MemoryEstimate. question: the Question. calm(): whether nothing newer is said
  // than that a run trains.
  constructor({
    session,
    controls,
    training,
    settings,
    generate,
    tabs,
    models,
    estimate,
    question,
    status,
    calm,
    untouched,
  }) {
    Object.assign(this, { session, controls, training, settings, generate, tabs, models, estimate, question });
    Object.assign(this, { status, calm, untouched });
    this.advice = "";
    this.note = document.querySelector("#train-own small"); // on the button: what it does now
    this.offer = this.note.textContent;
    session.addEventListener("training", ({ detail }) =>
      detail.forEach((message) => message.type === "start" && this.began(message)),
    );
    const { val_loss = null, title, corpus } = this.shipped ?? {};
    training.chart.setReference(val_loss, title, corpus);
  }

  get shipped() {
    return this.models.find(({ name }) => name === "shakespeare");
  }

  // ---- a trained model ----

  async load(model = this.shipped) {
    if (!model) {
      return this.status(
        "This version of TinyGPT ships no trained model yet. Press Train one: the page says first how long that takes.",
        "bad",
      );
    }
    await this.take(model);
    this.tabs.reveal("generate");
    await this.generate.generate({ prompt: (await promptsFor(model.corpus)).generate });
  }

  async look(model) {
    await this.take(model);
    this.tabs.reveal("inside");
  }

  // Goes on training a shipped model with the editor's code, on the text that it knows, after a
  // question that says how long that takes here.
  async further(model) {
    await this.take(model);
    this.tabs.show("samples");
    const settings = { corpus: model.corpus, steps: model.step + FURTHER, ...FURTHER_SETTINGS };
    const seconds = await this.seconds(settings, true);
    const sentence = `${FURTHER} more steps of the ${titled(model)} take ${spoken(seconds)} on this machine.`;
    this.status(sentence);
    // nobody waits for the answer: the cards of the other models stay in use meanwhile
    this.question.ask(sentence, "Train further", "Not now").then((said) => {
      if (said === false) this.status(`${titled(model)} loaded. Press Generate, or Resume to train it further.`);
      if (!said) return;
      for (const [name, value] of Object.entries(settings)) this.settings.choose(name, value);
      this.controls.resume(); // its end is told where the end of every run is
    });
  }

  // What a run of these settings would take here, in seconds, by a few steps of it; null where that
  // cannot be measured. loaded: it continues the loaded model.
  async seconds(settings, loaded = false) {
    const text = "Measuring a few steps on this machine";
    if (loaded) this.status(text);
    else this.say(text);
    await this.controls.graphicsSoon();
    const { seconds } = await this.session.request("estimate", { settings, loaded }).catch(() => ({ seconds: null }));
    return seconds;
  }

  // Makes a shipped model the current one.
  async take(model) {
    const free = () => {
      if (this.controls.active)
        throw new Error("A run is in progress. Stop it first, so that the loaded model does not replace it.");
    };
    free();
    const say = (loaded) => this.status(`Loading ${model.title}: ${bytes(loaded)} of ${bytes(model.bytes)}`);
    say(0);
    const { title: name, corpus, val_loss: val } = model;
    const file = await fetched(model, say);
    free(); // a run that was pressed meanwhile goes before
    await this.controls.importModel(file, { name, history: true }, { corpus, val, preset: name });
    this.status(`${titled(model)} loaded (step ${model.step.toLocaleString("en")}).`, "good");
  }

  // ---- your own model ----

  // With the inputs as the user has set them; where nobody has touched them, with what ends best
  // here in about two minutes.
  async train() {
    if (this.note.textContent !== this.offer) return; // it measures, or it has asked
    try {
      if (!(await this.agreed())) return;
    } finally {
      this.note.textContent = this.offer;
    }
    await this.controls.start({ own: true });
  }

  // What the machine's measurement does, where the user looks: on the button and the status line.
  say(text) {
    this.note.textContent = text[0].toLowerCase() + text.slice(1);
    this.status(text);
  }

  // Whether Train was pressed. Where a run began while this machine was measured, nobody is asked.
  async asked(sentence) {
    if (this.controls.active) return false;
    this.note.textContent = "measured: choose Train or Not now";
    this.status("Nothing has started yet.");
    const said = await this.question.ask(sentence, "Train", "Not now");
    if (said === false) this.status("Nothing was started.");
    return said;
  }

  // Whether the run may start: the inputs are sound, and the user wants what it takes.
  async agreed() {
    if (this.controls.held) return this.status(this.controls.held, "bad");
    this.tabs.show("samples");
    await this.controls.importing;
    if (this.controls.active) return;
    const wrong = this.settings.refuse({ begins: true });
    if (wrong) return this.status(wrong, "bad");
    const { drops } = this.controls;
    const lost = drops ? ` Training drops ${drops}.` : "";
    if (this.untouched()) {
      const { settings, sentence, advice } = await this.recommended();
      if (!(await this.asked(sentence + lost))) return false;
      for (const [name, value] of Object.entries(settings)) this.settings.choose(name, value);
      this.advice = advice;
    } else {
      const refused = await this.estimate.refused();
      if (refused) return this.status(refused, "bad");
      const seconds = await this.seconds(this.settings.values());
      const { steps } = this.settings.next();
      const sentence = `${steps.toLocaleString("en")} steps take ${spoken(seconds)} on this machine.`;
      const asks = drops || seconds === null || seconds > LONG;
      if (asks) return this.asked(sentence + lost);
    }
    return true;
  }

  async recommended() {
    const names = (part) => this.say(`Measuring this machine: a few steps of ${part.measuring}`);
    this.say("Measuring this machine");
    await this.controls.graphicsSoon();
    const { preset, settings, loss, seconds } = await this.session.request("recommend", { seconds: ABOUT }, names);
    const end = loss.toFixed(2);
    return {
      settings: { preset, ...settings },
      sentence: `Recommended here: ${preset}, ${settings.steps.toLocaleString("en")} steps. They take ${spoken(seconds)} on this machine and end at a loss near ${end}.`,
      advice: `; expect a final loss near ${end}`,
    };
  }

  // What the run will take, measured in its first seconds and told once.
  began({ step, steps, preset, goes_on }) {
    clearTimeout(this.timer);
    if (goes_on) return;
    const tell = () => {
      const done = this.training.state().step - step;
      if (this.controls.phase !== "running") return;
      if (done < 3) return void (this.timer = setTimeout(tell, MEASURED));
      if (!this.calm()) return; // something newer was said
      const all = this.training.elapsed() + this.training.left(),
        ms = all / Math.max(1, steps - step);
      const sentence = `${steps.toLocaleString("en")} steps of ${preset} take about ${duration(all / 1000)}`;
      this.status(`${sentence} here, measured at ${ms.toFixed(ms < 10 ? 1 : 0)} ms a step${this.advice}`);
      this.advice = "";
    };
    this.timer = setTimeout(tell, MEASURED);
  }
}

// "Shakespeare model"
const titled = ({ title }) => `${title.replace(/ after .*/, "")} model`;

const spoken = (seconds) => (seconds === null ? "a time that could not be measured" : `about ${duration(seconds)}`);
