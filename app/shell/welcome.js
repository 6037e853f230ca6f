// The first view: a card in the chart's place with the three ways in (index.html has it, so that it
// is there before any script). Once there is a run or a model the card goes, and the ways in move
// to the header; after a Reset of a page without any curve it is back.
//
//   new Welcome({controls, runs, tour})    runs: the Runs of the chart

const part = (id) => document.getElementById(id);

export class Welcome {
  constructor({ controls, runs, tour }) {
    Object.assign(this, { controls, runs });
    part("lessons").addEventListener("click", () => tour.start());
    controls.addEventListener("phase", () => this.place());
    runs.addEventListener("change", () => this.place());
    this.place();
  }

  // Nothing has been trained, loaded or drawn here yet.
  get fresh() {
    return this.controls.phase === "idle" && !this.controls.resumable && this.runs.all.length === 0;
  }

  place() {
    const ways = part("paths"),
      home = this.fresh ? part("welcome") : document.querySelector("header");
    if (ways.parentElement === home) return;
    const focused = ways.contains(document.activeElement) && document.activeElement;
    if (this.fresh) home.append(ways);
    else part("subtitle").after(ways);
    document.body.dataset.ways = this.fresh ? "card" : "header";
    if (focused) focused.focus({ preventScroll: true });
  }
}
