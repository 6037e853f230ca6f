// The panel Look inside: three views of the model that trains, or was trained last. Each view is a
// file of its own in inside/:
//
//   attention_view.js   where each head looks, over a prompt
//   lens_view.js        what each layer would say next (the logit lens)
//   weights_view.js     the size of weights and gradients over time
//
//   new InsidePanel(parent, {session})
//
// While it can be seen, it asks Python anew at most every REFRESH ms of training; nothing is asked
// while it is hidden.

import { SHAKESPEARE, SuggestedPrompt } from "../../run/prompts.js";
import { element } from "../../ui/dom.js";
import { sentence } from "../../ui/format.js";
import { moveByKeys } from "../../ui/tab_keys.js";
import { Likeliest } from "../../ui/tokens.js";
import { AttentionView } from "./attention_view.js";
import { LensView } from "./lens_view.js";
import { WeightsView } from "./weights_view.js";

const REFRESH = 3000;
const VIEWS = [
  ["attention", "Attention", AttentionView],
  ["lens", "Logit lens", LensView],
  ["weights", "Weights and gradients", WeightsView],
];

export class InsidePanel {
  constructor(parent, { session }) {
    this.session = session;
    this.views = {};
    this.statuses = {}; // view -> which step it shows
    this.pending = false; // a question is under way
    this.asked = -Infinity; // when the last one was asked
    this.stale = true; // the model may have changed since
    this.build(parent);
    this.show("attention");
    session.addEventListener("training", ({ detail }) => this.trained(detail));
    // a run, or the console, may have changed it
    session.addEventListener("state", ({ detail: { state } }) => state === "ready" && this.lookAgain());
    // it came into view
    new ResizeObserver(() => this.seen && this.stale && !this.waiting && this.ask()).observe(this.root);
    const restyle = () => Object.values(this.views).forEach((view) => view.restyle?.());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", restyle);
    new MutationObserver(restyle).observe(document.documentElement, {
      attributes: true,
      attributeFilter: ["data-theme"],
    });
  }

  build(parent) {
    this.tabs = VIEWS.map(([name, label]) =>
      element(
        "button",
        {
          type: "button",
          role: "tab",
          id: `inside-tab-${name}`,
          "aria-controls": `inside-${name}`,
          data: { view: name },
        },
        label,
      ),
    );
    const list = element(
      "div",
      { class: "inside-tabs", role: "tablist", "aria-label": "What to look at" },
      ...this.tabs,
    );
    list.addEventListener("click", ({ target }) => target.dataset.view && this.show(target.dataset.view));
    moveByKeys(list);
    this.follow = element("input", { id: "inside-follow", type: "checkbox", checked: true });
    this.status = element("p", { class: "inside-status" });
    this.prompt = element("textarea", { id: "inside-prompt", rows: 1, value: SHAKESPEARE.inside, spellcheck: false });
    this.suggested = new SuggestedPrompt(this.prompt);
    this.form = element(
      "form",
      { class: "inside-form" },
      element("label", {}, "Prompt", this.prompt),
      element("button", { type: "submit" }, "Look"),
    );
    this.form.addEventListener("submit", (event) => (event.preventDefault(), this.ask()));
    this.prompt.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.preventDefault(), this.ask();
    });
    this.error = element("p", { class: "inside-error", role: "status", hidden: true });
    this.root = element(
      "div",
      { class: "inside" },
      element(
        "div",
        { class: "inside-bar" },
        list,
        element(
          "label",
          { class: "inside-follow", title: "Updates about every 3 s while a run trains and this panel is visible." },
          this.follow,
          "Follow training",
        ),
        this.status,
      ),
      this.form,
      this.error,
    );
    parent.append(this.root);
    const likeliest = new Likeliest(this.root);
    for (const [name, , View] of VIEWS) {
      const panel = element("div", {
        class: `inside-view inside-${name}`,
        id: `inside-${name}`,
        role: "tabpanel",
        "aria-labelledby": `inside-tab-${name}`,
        hidden: true,
      });
      this.root.append(panel);
      this.views[name] = new View(panel, { likeliest, ask: () => this.ask() });
    }
  }

  get view() {
    return this.views[this.shown];
  }

  get panel() {
    return document.getElementById(`inside-${this.shown}`);
  }

  get seen() {
    return !document.hidden && this.root.getClientRects().length > 0;
  }

  show(name) {
    this.shown = name;
    for (const tab of this.tabs) {
      const chosen = tab.dataset.view === name;
      tab.setAttribute("aria-selected", chosen);
      tab.tabIndex = chosen ? 0 : -1;
      document.getElementById(`inside-${tab.dataset.view}`).hidden = !chosen;
    }
    this.form.hidden = name === "weights";
    this.status.textContent = this.statuses[name] ?? ""; // of this view's own answer
    this.error.hidden = true;
    if (this.seen) this.ask();
    else this.stale = true;
  }

  // ---- when to ask ----

  trained(messages) {
    for (const { type } of messages) {
      if (type === "start") this.views.weights.restart();
      if (type === "step" || type === "finish") this.stale = true;
    }
    if (this.stale && this.follow.checked) this.lookAgain();
  }

  // Asks again, now or when REFRESH has passed since the last question.
  lookAgain() {
    this.stale = true;
    if (this.waiting || !this.follow.checked) return;
    const wait = Math.max(0, REFRESH - (performance.now() - this.asked));
    this.waiting = setTimeout(() => {
      this.waiting = 0;
      if (this.seen && this.stale && this.follow.checked) this.ask();
    }, wait);
  }

  async ask() {
    if (this.pending) return (this.again = true);
    if (this.session.state === "booting")
      return this.session.ready.then(
        () => this.ask(),
        () => {},
      );
    this.pending = true;
    this.asked = performance.now();
    this.stale = false;
    const { view } = this;
    try {
      const facts = await view.ask(this.session, this.prompt.value);
      if (view === this.view) {
        this.error.hidden = true;
        this.panel.hidden = false;
        this.status.textContent = this.statuses[this.shown] = `At step ${facts.step.toLocaleString("en")}`;
      }
    } catch (error) {
      if (view === this.view) {
        this.error.textContent = sentence(error.message);
        this.error.hidden = false;
        this.panel.hidden = true; // it shows the answer to another question
      }
    } finally {
      this.pending = false;
      if (this.again) (this.again = false), this.ask();
    }
    return undefined;
  }
}
