// The tab's title: how far the run is and its loss, so that another tab shows it, and how it ended.
//
//   new TabTitle({session, controls, training})

const NAME = document.title;
const PATIENCE = 500; // ms between two titles
const ENDED = { done: "Finished", stopped: "Stopped", error: "Failed" };

export class TabTitle {
  constructor({ session, controls, training }) {
    Object.assign(this, { controls, training });
    session.addEventListener("training", () => this.soon());
    controls.addEventListener("phase", () => this.soon());
  }

  soon() {
    this.timer ??= setTimeout(() => this.show(), PATIENCE);
  }

  show() {
    this.timer = null;
    document.title = [titleOf(this.controls.phase, this.training.run), NAME].filter(Boolean).join(" · ");
  }
}

// "1,200/2,000 · loss 1.52"; "" without a run.
function titleOf(phase, run) {
  if (!run) return "";
  const { done, steps, loss, reason } = run;
  const how = phase === "paused" ? "Paused" : phase === "running" ? "" : ENDED[reason];
  if (how === undefined) return ""; // a model that was loaded
  const far = reason === "done" && how ? `${count(steps)} steps` : `${count(done)}/${count(steps)}`;
  return [how, far, loss !== null && `loss ${loss.toFixed(2)}`].filter(Boolean).join(" · ");
}

const count = (number) => number.toLocaleString("en");
