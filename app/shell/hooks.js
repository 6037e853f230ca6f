// `window.tinygpt`: what the buttons do, for tests, for automation, and for pages that embed this
// one (docs/embed.md).

// What needs Python alone, there from the beginning. built: resolves when the page's parts are
// made.
export function sessionHooks({ session, entries, built }) {
  return {
    get ready() {
      return Promise.all([session.ready, built]).then(([started]) => started);
    },
    get graphics() {
      return session.graphics;
    },
    async run(source) {
      const { ok, stdout, result, error, omitted } = await session.run(source);
      return { ok, stdout, result, error, ...(omitted && { omitted }) };
    },
    interrupt: () => entries.stop(),
  };
}

// What needs the page's parts.
export function hooks({ session, editor, controls, training, generate, autosave, sharing, visitors }) {
  return {
    source: () => editor.text,
    start: () => controls.start(),
    pause: () => controls.pause(),
    step: () => controls.step(),
    resume: () => controls.resume(),
    stop: () => controls.stop(),
    reset: () => controls.reset(),
    async apply(source) {
      if (source !== undefined) editor.text = source;
      return controls.apply();
    },
    // The visitor's files: [{path, bytes, kept}].
    files: () => visitors.list(),
    visitors,
    share: (options) => sharing.link(options),
    state: () => ({ running: controls.active, paused: controls.phase === "paused", ...training.state() }),
    history: () => training.history(),
    async exportModel({ optimizer = true } = {}) {
      return new Blob([await session.request("export", { optimizer })], { type: "application/octet-stream" });
    },
    // What autosave does: {id, step, saves, saving, interval_s, cost_s, age_s, problem, ...};
    // save(): now.
    autosave: () => autosave.state(),
    save: () => autosave.save(),
    importModel: (blob) => controls.importModel(blob),
    generate: (options) => generate.generate(options),
  };
}
