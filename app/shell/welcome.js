// The first view: a card in the chart's place with the three ways in (index.html has it, so that it
// is there before any script). Once there is a run or a model the card goes, and the ways in move
// to the header, on a phone to the panel Models, so that nothing is pushed down; after a Reset of a
// page without any curve the card is back.
//
//   new Welcome({controls, runs, tour})    runs: the Runs of the chart

const part = (id) => document.getElementById(id);
const phone = matchMedia("(max-width: 720px)");

export class Welcome {
  constructor({ controls, runs, tour }) {
    Object.assign(this, { controls, runs });
    part("lessons").addEventListener("click", () => tour.start());
    controls.addEventListener("phase", () => this.place());
    runs.addEventListener("change", () => this.place());
    phone.addEventListener("change", () => this.place());
    this.place();
  }

  // Nothing has been trained, loaded or drawn here yet.
  get fresh() {
    return this.controls.phase === "idle" && !this.controls.resumable && this.runs.all.length === 0;
  }

  place() {
    const ways = part("paths"),
      header = document.querySelector("header");
    const home = this.fresh ? part("welcome") : ((phone.matches ? part("models") : null) ?? header);
    document.body.dataset.ways = this.fresh ? "card" : "header";
    if (ways.parentElement === home) return;
    const focused = ways.contains(document.activeElement) && document.activeElement;
    if (home === header) part("subtitle").after(ways);
    else if (this.fresh) home.append(ways);
    else home.prepend(ways);
    if (focused) focused.focus({ preventScroll: true });
  }
}
