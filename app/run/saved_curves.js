// The curves of the runs that are saved in this browser, drawn behind those of this page: a reload
// keeps what is compared; one that another tab trains is not among them. A curve goes when its run
// is deleted, and is there again when that is undone. The runs of this page learn here under which
// id they are saved, and which code they ran.

const MOST = 20; // curves: 200 kB each

export class SavedCurves {
  constructor({ saved, autosave, training, controls, editor }) {
    Object.assign(this, { saved, autosave, training, controls, editor });
    this.seen = new Set(); // ids whose curves have been read: one that the user removed stays away
    this.reading = Promise.resolve();
    saved.addEventListener("change", () => (this.reading = this.reading.then(() => this.look()).catch(reportError)));
    autosave.addEventListener("saved", () => this.note());
    training.runs.addEventListener("change", () => this.note());
  }

  // What is known of the current run besides.
  note() {
    const { current } = this.training.runs;
    if (!current) return;
    if (this.autosave.id) current.saved = this.autosave.id;
    if (this.controls.active) current.files = { ...(this.controls.inUse ?? this.editor.files) };
    current.files ??= { ...this.editor.files };
  }

  async look() {
    const { saved, training } = this,
      { runs } = training;
    const here = saved.entries.filter(({ gone, about, elsewhere }) => about && !gone && !elsewhere);
    for (const run of runs.all.filter((one) => one.saved && one !== runs.current)) {
      const entry = saved.entry(run.saved);
      if (entry && !entry.gone && run.name !== entry.name) runs.rename(run, entry.name);
      if (entry?.gone) {
        this.seen.delete(run.saved);
        runs.remove(run);
      }
    }
    for (const entry of here.slice(0, MOST)) {
      const known = runs.all.some((run) => run.saved === entry.id) || entry.id === this.autosave.id;
      if (known || this.seen.has(entry.id)) continue;
      this.seen.add(entry.id);
      const content = await saved.content(entry);
      if (content && whole(content) && !runs.all.some((run) => run.saved === entry.id))
        runs.addEarlier(entry.name, content, entry.id);
    }
  }
}

// Whether what a file says of a curve can be drawn: it may be of another version.
function whole({ curve, marks, facts }) {
  const columns = ["steps", "losses", "lrs", "norms", "ms"].map((name) => curve?.[name]);
  return (
    facts &&
    Array.isArray(marks) &&
    columns.every((column) => Array.isArray(column) && column.length === columns[0].length) &&
    Array.isArray(curve.evalSteps) &&
    curve.evalSteps.length === curve.evalLosses?.length
  );
}
