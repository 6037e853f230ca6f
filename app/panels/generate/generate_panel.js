// The Generate panel: a prompt and the settings of sampling in, text out, each token the moment
// Python has decoded it.
//
//   new GeneratePanel(parent, {session, defaults})    defaults: TrainConfig's (py/defaults.json's
//                                                     `train`)
//   generate({prompt, tokens, temperature, top_k, top_p, seed, onToken})
//                                                     promise of {text, tokens, seed, stopped,
//                                                     seconds, first_token_ms, tokens_per_s};
//                                                     what is left out is Python's default
//   stop()                                            ends it within a token
//
// onToken({id, text, probability, top: [[text, probability] x 10]}) is called for each token as it
// arrives. Hovering a token, or going to it with the arrow keys, shows what else was likely there.

import { SHAKESPEARE, SuggestedPrompt } from "../../run/prompts.js";
import { element } from "../../ui/dom.js";
import { note } from "../../ui/field_notes.js";
import { sentence } from "../../ui/format.js";
import { exact, problem } from "../../ui/number_inputs.js";
import { Likeliest, percent, spoken, visible } from "../../ui/tokens.js";

const BUSY = 600; // ms without a token after which the panel says what it waits for
const INPUTS = [
  // name, label, attributes, what it is
  [
    "tokens",
    "Length",
    { min: 1, max: 100000, step: 1, required: true, inputMode: "numeric" },
    "How many tokens to write. With the byte tokenizer a token is one byte.",
  ],
  [
    "temperature",
    "Temperature",
    { min: 0, max: 100, step: "any", required: true, inputMode: "decimal" },
    "Below 1: safer, more repetitive. Above 1: more varied. 0: always the most likely token.",
  ],
  [
    "top_k",
    "Top-k",
    { min: 0, max: 1000000, step: 1, required: true, inputMode: "numeric" },
    "Samples from the k most likely tokens only. 0: no limit.",
  ],
  [
    "top_p",
    "Top-p",
    { data: { above: 0 }, max: 1, step: "any", required: true, inputMode: "decimal" },
    "Samples from the most likely tokens that together reach this probability. 1: no limit.",
  ],
  [
    "seed",
    "Seed",
    { min: 0, max: "18446744073709551615", step: 1, inputMode: "numeric", placeholder: "random" },
    "The same seed, settings and model give the same text. Empty: a random seed each time.",
  ],
];

export class GeneratePanel {
  constructor(parent, { session, defaults = {} }) {
    this.session = session;
    this.running = null; // the request under way
    this.tokens = []; // what Python sent, in order
    this.at = -1; // the token that the arrow keys are on
    this.defaults = { ...defaults, tokens: defaults.sample_tokens, seed: "" }; // the seed of training is not a text's
    this.build(parent, this.defaults);
    this.likeliest = new Likeliest(this.root);
  }

  build(parent, defaults) {
    const id = (name) => `generate-${name}`;
    this.prompt = element("textarea", {
      id: id("prompt"),
      rows: 2,
      value: SHAKESPEARE.generate,
      spellcheck: false,
      required: true,
    });
    this.suggested = new SuggestedPrompt(this.prompt);
    this.inputs = {};
    const settings = INPUTS.map(([name, label, attributes, what]) => {
      this.inputs[name] = element("input", {
        type: "number",
        id: id(name),
        title: what,
        value: defaults[name] ?? "",
        ...attributes,
      });
      return element("label", { title: what }, label, this.inputs[name]);
    });
    this.start = element("button", { type: "submit", class: "primary" }, "Generate");
    this.end = element("button", { type: "button", disabled: true }, "Stop");
    this.copy = element("button", { type: "button", disabled: true }, "Copy");
    this.status = element("p", { class: "generate-status", role: "status" });
    // numbers that change too fast to be read out
    this.live = element("p", { class: "generate-status", "aria-hidden": "true", hidden: true });
    this.error = element("p", { class: "generate-error", role: "alert", hidden: true });
    this.form = element(
      "form",
      // notes at its end: a sentence that appears moves no button from under the pointer
      { class: "generate-form", noValidate: true, data: { notes: "" } },
      element("label", { class: "generate-prompt" }, "Prompt", this.prompt),
      element("div", { class: "generate-settings" }, ...settings),
      element("div", { class: "generate-actions" }, this.start, this.end, this.copy, this.status, this.live),
      this.error,
    );
    this.text = element(
      "div",
      {
        class: "generate-text",
        role: "textbox",
        tabIndex: 0,
        "aria-readonly": "true",
        "aria-multiline": "true",
        "aria-label": "Generated text. The arrow keys move between tokens and show what else was likely.",
      },
      element(
        "span",
        { class: "empty" },
        "The text appears here, token by token. Hover over a token, or use the arrow keys, to see what else was likely.",
      ),
    );
    this.root = element("div", { class: "generate" }, this.form, this.text);
    parent.append(this.root);

    this.form.addEventListener("submit", (event) => (event.preventDefault(), this.pressed()));
    this.form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !this.running)
        event.preventDefault(), this.pressed();
    });
    for (const input of [this.prompt, ...Object.values(this.inputs)]) {
      input.addEventListener("change", () => note(input, problem(input), { bad: true }));
      input.addEventListener("input", () => !problem(input) && note(input, null));
    }
    this.end.addEventListener("click", () => this.stop());
    this.copy.addEventListener("click", () => this.copyText());
    this.text.addEventListener(
      "pointerover",
      ({ target }) => target.dataset?.token && this.explain(Number(target.dataset.token)),
    );
    this.text.addEventListener("pointerout", () => this.likeliest.leave());
    this.text.addEventListener(
      "click",
      ({ target }) => target.dataset?.token && this.explain(Number(target.dataset.token)),
    );
    this.text.addEventListener("keydown", (event) => this.key(event));
    this.text.addEventListener(
      "scroll",
      () => (this.following = this.text.scrollHeight - this.text.scrollTop - this.text.clientHeight < 24),
      { passive: true },
    );
    this.text.addEventListener("blur", () => (this.likeliest.hide(), this.mark(-1)));
  }

  // ---- the buttons ----

  async pressed() {
    if (this.running) return;
    const fields = [this.prompt, ...Object.values(this.inputs)];
    for (const input of fields) note(input, problem(input), { bad: true });
    const wrong = fields.find(problem);
    if (wrong) return wrong.focus();
    const options = { prompt: this.prompt.value };
    for (const [name, { value }] of Object.entries(this.inputs)) if (value !== "") options[name] = exact(value);
    await this.generate(options).catch(() => {}); // the panel has said it
  }

  stop() {
    if (!this.running) return;
    this.say("Stopping");
    this.session.cancel(this.running);
  }

  async generate({ onToken = null, ...options } = {}) {
    while (this.running) {
      this.stop();
      await this.running.catch(() => {});
    }
    const before = { nodes: [...this.text.childNodes], tokens: this.tokens, options: this.options };
    this.clear(options.prompt ?? "\n");
    this.options = options;
    this.say("");
    const waiting = setTimeout(() => {
      if (!this.tokens.length)
        this.say(
          this.session.state === "running"
            ? "Python is busy. The text starts after the current training step."
            : "Starting",
        );
    }, BUSY);
    let complete = "";
    const request = this.session.request("generate", options, (token) => {
      complete += token.text;
      this.append(token);
      onToken?.(token);
      this.count(token.ms);
    });
    this.running = request;
    this.buttons(true);
    try {
      const { text: rest, ...result } = await request;
      if (rest) this.write(rest);
      this.say(summary(result));
      return { ...result, text: complete + rest };
    } catch (error) {
      if (!this.tokens.length) this.putBack(before);
      this.say("", sentence(error.message));
      throw error;
    } finally {
      clearTimeout(waiting);
      if (this.running === request) this.running = null;
      this.buttons(false);
    }
  }

  async copyText() {
    const all = this.text.textContent;
    try {
      await navigator.clipboard.writeText(all);
      this.say(`Copied ${all.length.toLocaleString("en")} characters`);
    } catch {
      getSelection().selectAllChildren(this.text); // no permission: at least it is selected
      this.say("The browser did not allow copying; the text is selected.");
    }
  }

  // A button that is switched off cannot keep the focus: it goes to the other one.
  buttons(running) {
    const [on, off] = running ? [this.end, this.start] : [this.start, this.end];
    on.disabled = false;
    if (document.activeElement === off) on.focus({ preventScroll: true });
    off.disabled = true;
  }

  // The numbers so far. ms: Python's clock, from the request to this token.
  count(ms) {
    const made = this.tokens.length;
    if (made === 1) [this.firstMs, this.counted] = [ms, 0];
    if (made > 1 && performance.now() - this.counted < 200) return;
    this.counted = performance.now();
    [this.status.hidden, this.live.hidden] = [true, false];
    this.live.textContent = summary({
      tokens: made,
      first_token_ms: this.firstMs,
      tokens_per_s: made > 1 ? ((made - 1) * 1e3) / (ms - this.firstMs) : null,
    });
  }

  say(status, error = "") {
    [this.status.hidden, this.live.hidden] = [false, true];
    this.status.textContent = this.status.title = status;
    this.error.textContent = error;
    this.error.hidden = !error;
  }

  // ---- the text ----

  clear(prompt) {
    this.likeliest.hide();
    this.tokens = [];
    this.at = -1;
    this.following = true;
    this.copy.disabled = true;
    this.text.replaceChildren(element("span", { class: "prompt-text" }, prompt));
  }

  // The text before stays where the request for another one failed.
  putBack({ nodes, tokens, options }) {
    Object.assign(this, { tokens, options });
    this.text.replaceChildren(...nodes);
    this.copy.disabled = !tokens.length;
  }

  // A token's text; one without (half a character) is shown with the next that has some.
  append(token) {
    const number = this.tokens.push(token) - 1;
    this.copy.disabled = false;
    if (token.text) this.write(token.text, number);
  }

  write(text, number = null) {
    const span = element("span", number === null ? {} : { data: { token: number } }, text);
    if (text === "\n") span.className = "line-end"; // has no width of its own to point at
    this.text.append(span);
    if (!this.following || this.scrolling) return;
    this.scrolling = true; // one layout for all tokens of a delivery
    queueMicrotask(() => {
      this.scrolling = false;
      this.text.scrollTop = this.text.scrollHeight;
    });
  }

  explain(number) {
    const token = this.tokens[number],
      span = this.text.querySelector(`[data-token="${number}"]`);
    if (!token || !span) return;
    const { temperature, top_k: k, top_p: p } = this.settingsUsed();
    const cut = [k > 0 && "top-k", p < 1 && "top-p"].filter(Boolean).join(" and ");
    const note =
      temperature === 0
        ? "Temperature 0 always takes the most likely token."
        : `Probabilities at temperature ${temperature}${cut ? `, before ${cut}` : ""}.`;
    this.likeliest.show(span, {
      title: element(
        "span",
        {},
        element("b", { "aria-hidden": "true" }, visible(token.text)),
        element("span", { class: "sr-only" }, spoken(token.text)),
        ` was sampled with probability ${percent(token.probability)}`,
      ),
      top: token.top,
      chosen: token.text,
      note,
    });
  }

  settingsUsed() {
    const used = {};
    for (const name of ["temperature", "top_k", "top_p"]) used[name] = this.options?.[name] ?? this.defaults[name];
    return used;
  }

  // Arrow keys: from shown token to shown token.
  key(event) {
    const spans = [...this.text.querySelectorAll("[data-token]")];
    if (!spans.length || event.ctrlKey || event.metaKey || event.altKey) return;
    const now = spans.findIndex(({ dataset }) => Number(dataset.token) === this.at);
    const to = {
      ArrowRight: now + 1,
      ArrowLeft: now < 0 ? spans.length - 1 : now - 1,
      ArrowDown: now + 10,
      ArrowUp: now < 0 ? spans.length - 1 : now - 10,
      Home: 0,
      End: spans.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const span = spans[Math.max(0, Math.min(to, spans.length - 1))];
    span.scrollIntoView({ block: "nearest" });
    this.mark(Number(span.dataset.token));
    this.explain(this.at);
  }

  mark(number) {
    this.text.querySelector(".current")?.classList.remove("current");
    this.at = number;
    if (number >= 0) this.text.querySelector(`[data-token="${number}"]`)?.classList.add("current");
  }
}

function summary({ tokens, stopped, seed, first_token_ms: first, tokens_per_s: speed }) {
  const count = `${stopped ? "Stopped after " : ""}${tokens.toLocaleString("en")} ${tokens === 1 ? "token" : "tokens"}`;
  const rate = speed ? `${Math.round(speed).toLocaleString("en")} tokens/s` : null;
  return [
    count,
    rate,
    first === null ? null : `first token after ${first < 10 ? first.toFixed(1) : Math.round(first)} ms`,
    seed === undefined ? null : `seed\u00a0${seed}`,
  ]
    .filter(Boolean)
    .join(" · ");
}
