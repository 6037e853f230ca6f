"""Batches: a text becomes one int32 token buffer on the device, split 90/10 by position; batches
are random windows cut from it there.

Tokens stay on the device: a batch is one launch of the kernel `batch_windows`, and Python never
sees the ids. Training windows come from the dataset's own random stream (its seed), so they do not
depend on how the model was initialised or on dropout; the validation stream is another one, so how
often one evaluates never changes training. `reference/batches.py` cuts the same windows in PyTorch.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

from .config import MOST
from .core import generator as streams
from .core.current_device import get_device
from .core.factory import tensor
from .core.moving import Moving, Table, attributes_of
from .core.quoting import quoted
from .core.tensor import int32, whole_number
from .core.transfer import TransferState, move
from .corpora import Corpus, CorpusError, fetch_corpora, find_corpus
from .kernels import place_problem
from .ops.random import batch_windows
from .tokenizer import ByteTokenizer, check_ids

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .core.reads import Read
    from .core.tensor import Tensor
    from .devices.base import Device
    from .tokenizer import Tokenizer


__all__ = ["CorpusError", "Dataset", "fetch_corpora", "find_corpus", "split_point"]

TRAIN_FRACTION = 0.9
SPLITS = {"train": "train", "validation": "validation", "val": "validation"}
VALIDATION_STREAM = 1 << 32  # added to the seed: the high half of the Philox key, where no 32-bit training seed reaches


def split_point(count: int) -> int:
    """Tokens [0, split_point) train, the rest validates."""
    return int(count * TRAIN_FRACTION)


def check_split(count: int, context: int) -> dict[str, tuple[int, int]]:
    """{split: (low, high)} for `count` tokens.

    CorpusError where a split is shorter than a window and its target.
    """
    if count == 0:
        raise CorpusError(
            "the corpus is empty; give a text of at least %d tokens for a context of %d" % (10 * (context + 1), context)
        )
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
                "the %s split has %d tokens, but a context of %d needs at least %d; "
                "give about %d tokens of text or a context of at most %d"
                % (name, high - low, context, context + 1, 10 * (context + 1), max(0, min(middle, count - middle) - 1))
            )
    return splits


def _count(value: int, name: str) -> int:
    """A whole number of at least 1. TypeError, ValueError."""
    count = whole_number(value, name)
    if not 1 <= count <= MOST:
        raise ValueError("%s is %s; give a whole number from 1 to %d" % (name, quoted(value), MOST))
    return count


class Dataset(Moving):
    """One corpus as tokens on one device.

    text: str, bytes, a Corpus, or token ids. context: T of the batches. device: a name, or the
    current one. seed: of the training and validation streams; the default is the last manual_seed.
    """

    def __init__(
        self,
        text: str | bytes | Corpus | Sequence[int],
        tokenizer: Tokenizer | None = None,
        context: int = 64,
        device: str | Device | None = None,
        seed: int | None = None,
    ) -> None:
        self.tokenizer = tokenizer or ByteTokenizer()
        self.context = _count(context, "context")
        self.seed = streams.default_generator.seed if seed is None else streams.checked_seed(seed)
        self.corpus = text.name if isinstance(text, Corpus) else None
        text = text.text if isinstance(text, Corpus) else text
        if isinstance(text, (str, bytes)):
            tokens = self.tokenizer.encode(text)  # pyright: ignore[reportArgumentType]: bytes as bytes
        else:
            tokens = array("i", check_ids(text, self.tokenizer.vocab_size))
        self.splits = Table(check_split(len(tokens), self.context))
        self.tokens = tensor(tokens, dtype=int32, device=device)
        self.generators = Table(
            train=streams.Generator(self.seed),
            validation=streams.Generator((self.seed + VALIDATION_STREAM) % (1 << 64)),
        )

    def __len__(self) -> int:
        return self.splits["validation"][1]

    def batch(
        self, batch_size: int, split: str = "train", generator: streams.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """(x, y), int32 [batch_size, context] each, y one token on.

        generator: another random stream than the split's own.
        """
        batch_size = _count(batch_size, "batch_size")
        low, high = self._range(split)
        stream = self.generators[SPLITS[split]] if generator is None else generator
        return batch_windows(self.tokens, batch_size, self.context, low, high, generator=stream)

    def _read_live(self) -> Iterator[Read]:
        """What a recorded batch does not read anew before each replay (core/reads.py)."""
        attributes = attributes_of(self)
        for name in ("tokens", "context", "splits", "generators"):
            yield "item", attributes, name, attributes[name], True
        for table in (self.splits, self.generators):
            for name, value in dict(table).items():
                yield "item", table, name, value, isinstance(table, Table)

    def to(self, device: str | Device) -> Dataset:
        """Moves the tokens to `device` (a name or a Device). Returns self.

        The random streams continue where they are.
        """
        move(get_device(device), self)
        return self

    def _transfer_state(self) -> TransferState:
        return TransferState(list(attributes_of(self).values()), constants=[self.tokens])

    def get_state(self) -> dict[str, Any]:
        """Where both random streams stand, as JSON for a checkpoint."""
        return {name: generator.get_state() for name, generator in self.generators.items()}

    def set_state(self, values: dict[str, Any]) -> None:
        """Resumes where get_state was called.

        The next training batch is the one that would have come then.
        """
        if not set(self.generators) <= set(values):
            raise ValueError(
                "the data position names the streams %s; it needs %s"
                % (quoted(sorted(map(str, values))), sorted(self.generators))
            )
        for name in self.generators:  # all before the first is set
            if problem := place_problem(values[name]):
                raise ValueError("the %s stream's place is %s; %s" % (name, quoted(values[name]), problem))
        for name, generator in self.generators.items():
            generator.set_state(values[name])

    def _range(self, split: str) -> tuple[int, int]:
        if not isinstance(split, str) or split not in SPLITS:
            raise ValueError("there is no split %s; choose train or validation" % quoted(split))
        return self.splits[SPLITS[split]]

    def __repr__(self) -> str:
        return "Dataset(%d tokens, %r, context=%d)" % (len(self), self.tokenizer, self.context)
