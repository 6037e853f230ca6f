// What the numbers of a run mean, in words: a sentence on the current loss, and a short text for
// each number.
//
// A loss is in nats for each token: loss / ln 2 is bits, e ** loss the number of equally likely
// choices it amounts to. The steps of the ladder are the losses of tables of counts on the last
// tenth of a text, counted on the rest (Witten-Bell smoothing, first 150 kB of that tenth), that
// know the last 0, 1, 2, 3 bytes: TinyShakespeare 3.35, 2.49, 2.05, 1.77; Python's standard library
// 3.14, 2.40, 1.79, 1.48. The best such table of any length has 1.67 and 1.42. nanoGPT's README
// shows what its models write at 1.88 (4 layers of 128 channels: many words made up) and reach at
// best on new text, 1.47 (6 layers of 384: whole lines as in the plays, without sense).

const LADDERS = {
  stdlib: [
    [3.14, "It is learning which bytes are common and which never occur"],
    [2.4, "It knows which bytes are common and begins to learn which byte follows which"],
    [1.78, "It knows which byte follows which, and the most common short sequences"],
    [1.42, "It knows sequences of three bytes and more: it spells the most common words"],
    [1.1, "It does better than any table of byte counts: it uses text from further back"],
    [0, "It is more confident than small models are on new text: compare the validation loss"],
  ],
  shakespeare: [
    [3.35, "It is learning which bytes are common and which never occur"],
    [2.5, "It knows which letters are common and where spaces go"],
    [2.05, "It knows which letter follows which: it writes short words, most of them made up"],
    [1.77, "Many words are real now, and speakers' names begin lines"],
    [1.6, "Most words are real, names and lines look like the plays'; the sense is missing"],
    [1.2, "Words, names and verse lines as in the plays; the sense still breaks from line to line"],
    [0, "It is more confident than small models are on new plays: compare the validation loss"],
  ],
};
const ELSEWHERE = [[0, "It does better than random guessing"]]; // other texts and tokens: nobody measured their tables
const RANDOM = 0.15; // around ln V; a fresh model's first loss is a few hundredths above it
const FAR = 1; // above ln V, and above the first loss: so high a loss is of no use for anything
const MANY = 20; // logged steps in a row that are so
const MEMORISED = 0.25; // validation above training by this: more than batches differ by

// loss: smoothed over some steps, in nats; guess: ln V; val: the last validation loss or null;
// corpus: "shakespeare", another name or null. diverged: what `divergence` gives. running: the run
// goes on.
export function meaning({ loss, guess = null, step = 0, val = null, corpus = null, diverged = null, running = false }) {
  if (diverged) return `Diverged: ${diverged}. ${running ? "Stop, lower" : "Lower"} the learning rate, then press Run.`;
  if (loss === null || !Number.isFinite(loss)) return "";
  const bytes = guess !== null && isBytes(guess),
    unit = bytes ? "byte" : "token";
  const choices = Math.exp(loss),
    rounded = choices < 9.95 ? choices.toFixed(1) : choices.toFixed(0);
  const amount = `${bitsPerToken(loss).toFixed(1)} bits per ${unit}: like choosing among ${rounded}.`;
  if (guess !== null && loss > guess + RANDOM) {
    return `Worse than random: confidently wrong. ${step < 20 ? "This usually passes within a few steps" : "The learning rate may be too high"}. ${amount}`;
  }
  if (guess !== null && loss > guess - RANDOM)
    return `It guesses at random: every ${unit} is about equally likely. ${amount}`;
  if (val !== null && val - loss > MEMORISED && loss < 2) {
    return `It is memorising the text: validation is ${(val - loss).toFixed(2)} above training. ${amount}`;
  }
  const ladder = (bytes && LADDERS[corpus]) || ELSEWHERE;
  const [, text] = ladder.find(([least]) => loss >= least) ?? ladder.at(-1);
  return `${text}. ${amount}`;
}

// How a run has diverged, in words, or null: it has not. losses: the logged ones, the first step's
// first. reason: how the run ended.
export function divergence({ losses, guess, reason = null }) {
  if (reason === "diverged") return "the loss became NaN or infinite";
  const last = losses.slice(-MANY);
  if (guess === null || losses.length < 2 * MANY || Math.min(...last) < Math.max(guess, losses[0]) + FAR) return null;
  return `the loss stays far above random guessing (${guess.toFixed(2)})`;
}

export const bitsPerToken = (loss) => loss / Math.LN2;

// 256 tokens: a byte each, the tokenizer of train.py.
export const isBytes = (guess) => Math.abs(guess - Math.log(256)) < 1e-9;

// The texts behind the names of the numbers.
export const WORDS = {
  loss:
    "How surprised the model was by the next tokens of this step's batch, in nats per token: 0 is certainty, ln V is random guessing. " +
    "Below it, the same in bits (loss / ln 2). With the byte tokenizer a token is a byte: a compressor with this model would need that many bits per byte.",
  val: "The loss on text that is never trained on (the last tenth), averaged over several batches. When it rises while the loss still falls, the model is memorising.",
  step: "A step trains on one batch: predict, measure the loss, and change every weight a little. Beside it: how many steps this run makes.",
  speed:
    "Training tokens per second, from the median time of the last 20 steps. Evaluations and samples are not counted. Plain PyTorch code does not say what a token is: its steps are counted.",
  eta: "How long the remaining steps, evaluations and samples will take at the current speed. Below it: how long the run has trained, without pauses.",
  model: "The preset of this run, and its number of weights.",
  device:
    "Where the arithmetic runs: wasm is the CPU, with SIMD and this many threads; webgpu is the GPU. f32 and f16 are the sizes of its numbers: 32 or 16 bits.",
  ms: "The time of one training step: the median of the last 20, without evaluation and samples.",
  planned:
    "The memory for everything that one training step computes, planned when the step was recorded. It stays the same for the complete run.",
  lr: "Learning rate: how far each step moves the weights.",
};

// Their sections in learn.html, where those have another name.
export const LEARN = { eta: "speed", ms: "step" };
