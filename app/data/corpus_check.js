// How far a text goes: its split, how often a run reads it, and whether it is enough for the model.
//
//   judge({tokens, model, steps, batch, contexts}) -> {train, validation, passes, parameters, stop,
//                      warning}; contexts: {preset: its context}
//
// train, validation: tokens, as py/tinygpt/data.py splits them. passes: how often the run reads
// each training token, on average. stop: the sentence why a run cannot work with this text, or
// null; warning: why it will learn little, or null.

import { parameterCount } from "../run/parameter_count.js";

const TRAIN_FRACTION = 0.9; // data.py's
const MANY = 40; // passes after which more of them teach next to nothing new (Muennighoff et al. 2023, section 6)

export function judge({ tokens, model, steps, batch, contexts = {} }) {
  const train = Math.floor(tokens * TRAIN_FRACTION),
    validation = tokens - train;
  const { context } = model,
    size = parameterCount(model);
  const passes = train > 0 ? (steps * batch * context) / train : 0;
  const verdict = { train, validation, passes, parameters: size, stop: null, warning: null };
  const count = (n) => n.toLocaleString("en");
  if (Math.min(train, validation) < context + 1) {
    const largest = Math.min(train, validation) - 1;
    const other = Object.keys(contexts).filter((name) => contexts[name] <= largest);
    // The largest that fits. A token is at most a character, so that many characters are enough.
    const preset = other.sort((a, b) => contexts[b] - contexts[a])[0];
    verdict.stop =
      `Too short: this preset needs at least ${count(shortest(context))} characters. Add text` +
      (preset ? `, or choose the preset ${preset}.` : ".");
  } else if (train < size) {
    verdict.warning =
      `This text is small for the model: ${count(train)} training tokens for ${count(size)} parameters, so the model may memorise it. ` +
      "Use a longer text or a smaller preset, and watch the validation loss.";
  } else if (passes > MANY) {
    verdict.warning = `The run reads each token about ${passes.toFixed(0)} times; after about ${MANY} epochs there is little left to learn. Use fewer steps or a longer text.`;
  }
  return verdict;
}

// The smallest number of tokens whose splits both hold a window and its target.
function shortest(context) {
  let tokens = 10 * context;
  while (tokens - Math.floor(tokens * TRAIN_FRACTION) < context + 1) tokens++;
  return tokens;
}
