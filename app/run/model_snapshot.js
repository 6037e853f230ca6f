// A model that came from a file as the training view shows it: its numbers and its curve, until it
// trains or another takes its place. TrainingView.restore takes what this gives.
//
// about: the answer to the request "import". name: of the run. preset: null where its shape is
// none's. val: a validation loss known from elsewhere, where the file's history has none.

export function modelSnapshot(about, { name, preset, choice, val = null, corpus = about.train?.corpus ?? null }) {
  const { step, parameters, config, train } = about;
  const history = about.history ?? [],
    logged = history.filter((entry) => entry.length === 2 && numbers(entry)),
    evaluated = history.filter((entry) => entry.length === 3 && numbers([entry[0], entry[2]]));
  const none = () => logged.map(() => null);
  const last = evaluated.at(-1) ?? (val === null ? [null, null, null] : [step, null, val]);
  return {
    run: {
      type: "start",
      name,
      preset: preset ?? "imported",
      parameters,
      steps: train?.steps ?? step,
      batch_tokens: (train?.batch_size ?? 1) * config.context,
      vocab_size: config.vocab_size,
      step,
      done: step,
      loss: logged.at(-1)?.[1] ?? null,
      lr: null,
      val: last[2],
      valStep: last[0],
      planned: 0,
      spent: 0,
      counted: 0,
      reason: null,
      paused: false,
      corpus,
      device: choice.device,
      precision: choice.precision,
      threads: 0,
    },
    facts: { preset: preset ?? "imported", vocab_size: config.vocab_size, corpus },
    curve: {
      steps: logged.map(([at]) => at),
      losses: logged.map(([, loss]) => loss),
      lrs: none(),
      norms: none(),
      ms: none(),
      evalSteps: evaluated.map(([at]) => at),
      evalLosses: evaluated.map(([, , loss]) => loss),
    },
    marks: [],
    elapsed: 0,
    samples: "",
  };
}

const numbers = (entry) => entry.every((value) => typeof value === "number");
