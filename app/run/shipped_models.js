// The shipped models and the files they are in. public/models/models.json lists them: [{name,
// title, file, bytes, corpus, parameters, step, val_loss, licence, sample}]; tests/demo/ship.py
// writes it.

// The bytes of a shipped model. onBytes(loaded): how many have come.
export async function fetched(model, onBytes = () => {}) {
  const answer = await fetch("public/models/" + model.file).catch(() => null);
  if (!answer?.ok) {
    const again = answer ? `(${answer.status}): reload the page` : "(no connection): try again when you are online";
    throw new Error(`${model.title} could not be fetched ${again}, or train your own.`);
  }
  const pieces = [];
  let loaded = 0;
  for (const reader = answer.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return new Blob(pieces);
    pieces.push(value);
    onBytes((loaded += value.length));
  }
}
