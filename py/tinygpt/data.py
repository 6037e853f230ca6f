"""Batches: a text becomes one int32 token buffer on the device, split 90/10 by position; batches are random windows cut from it there.

Tokens stay on the device: a batch is one launch of the kernel `batch_windows`, and Python never sees the ids. Training windows come from
the dataset's own random stream (its seed), so they do not depend on how the model was initialised or on dropout; the validation stream is
another one, so how often one evaluates never changes training. `reference/batches.py` cuts the same windows in PyTorch.
"""

from array import array

from .corpora import Corpus, CorpusError, fetch_corpora, find_corpus
from .tokenizer import ByteTokenizer, check_ids

__all__ = ["CorpusError", "Dataset", "fetch_corpora", "find_corpus", "split_point"]

TRAIN_FRACTION = 0.9
SPLITS = {"train": "train", "validation": "validation", "val": "validation"}
VALIDATION_STREAM = 1 << 32  # added to the seed: the high half of the Philox key, where no 32-bit training seed reaches


def split_point(count):
    """Tokens [0, split_point) train, the rest validates."""
    return int(count * TRAIN_FRACTION)


def check_split(count, context):
    """{split: (low, high)} for `count` tokens; CorpusError where a split is shorter than a window and its target."""
    if count == 0:
        raise CorpusError("the corpus is empty; give a text of at least %d tokens for a context of %d" % (10 * (context + 1), context))
    if count == 1:
        raise CorpusError(
            "the corpus has one token, and nothing follows it to predict; give at least %d tokens for a context of %d"
            % (10 * (context + 1), context)
        )
    middle = split_point(count)
    splits = {"train": (0, middle), "validation": (middle, count)}
    for name, (low, high) in splits.items():
        if high - low < context + 1:
            raise CorpusError(
                "the %s split has %d tokens, but a context of %d needs at least %d; give about %d tokens of text or a context of at most %d"
                % (name, high - low, context, context + 1, 10 * (context + 1), max(0, min(middle, count - middle) - 1))
            )
    return splits


class Dataset:
    """One corpus as tokens on one device.

    text: str, bytes, a Corpus, or token ids. context: T of the batches. device: a name, or the current one. seed: of the training
    and validation streams; the default is the last manual_seed.
    """

    def __init__(self, text, tokenizer=None, context=64, device=None, seed=None):
        import tinygpt

        from .ops import random

        self.tokenizer = tokenizer or ByteTokenizer()
        self.context = context
        self.seed = random.default_generator.seed if seed is None else int(seed)
        self.corpus = text.name if isinstance(text, Corpus) else None
        text = text.text if isinstance(text, Corpus) else text
        if isinstance(text, (str, bytes)):
            tokens = self.tokenizer.encode(text)
        else:
            tokens = array("i", check_ids(text, self.tokenizer.vocab_size))
        self.splits = check_split(len(tokens), context)
        self.tokens = tinygpt.tensor(tokens, dtype=tinygpt.int32, device=device)
        self.generators = {"train": tinygpt.Generator(self.seed), "validation": tinygpt.Generator(self.seed + VALIDATION_STREAM)}

    def __len__(self):
        return self.splits["validation"][1]

    def batch(self, batch_size, split="train", generator=None):
        """(x, y), int32 [batch_size, context] each, y one token on. generator: another random stream than the split's own."""
        from .ops import random

        low, high = self._range(split)
        stream = self.generators[SPLITS[split]] if generator is None else generator
        return random.batch_windows(self.tokens, batch_size, self.context, low, high, generator=stream)

    def to(self, device):
        """Moves the tokens to `device` (a name or a Device); the random streams go on where they are. Returns self."""
        from .moving import move
        from .state import get_device

        move(get_device(device), self)
        return self

    def get_state(self):
        """Where both random streams stand, as JSON for a checkpoint."""
        return {name: generator.get_state() for name, generator in self.generators.items()}

    def set_state(self, values):
        """Goes on where get_state was called: the next training batch is the one that would have come then."""
        if not set(self.generators) <= set(values):
            raise ValueError("the data position names the streams %s; it needs %s" % (sorted(values), sorted(self.generators)))
        for name, generator in self.generators.items():
            generator.set_state(values[name])

    def _range(self, split):
        if split not in SPLITS:
            raise ValueError("there is no split %r; choose train or validation" % (split,))
        return self.splits[SPLITS[split]]

    def __repr__(self):
        return "Dataset(%d tokens, %r, context=%d)" % (len(self), self.tokenizer, self.context)
