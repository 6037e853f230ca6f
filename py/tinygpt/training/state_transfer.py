"""What new objects take over from old ones when edited code takes the place of code that runs.

The edited `train(run)` makes its model, optimizer and data anew, from its own classes and sizes;
`transfer` then brings what was learned: values by parameter name, moments and step counts by the
parameter that they belong to, random streams at their positions. Where a shape has changed, the
overlapping values are copied. The old objects stay as they are, so the code before can resume.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import nn
from ..core import generator
from ..core.state import no_grad
from ..core.tensor import Tensor
from ..data import Dataset
from ..optim import Optimizer
from ..schedule import Scheduler


class DataPosition:
    """The random streams of a run's data, in the place of the Dataset, which a file does not hold.

    values: {"train": {"seed", "offset"}, "validation": {...}, "corpus": name}. tokenizer: the
    file's, or None.
    """

    def __init__(self, values: dict[str, Any], tokenizer: Any = None) -> None:
        self.values, self.tokenizer, self.corpus = values, tokenizer, values.get("corpus")

    def get_state(self) -> dict[str, Any]:
        """The streams, without the name of the corpus."""
        return {name: value for name, value in self.values.items() if name != "corpus"}

    def restore(self, data: Dataset) -> list[str]:
        """Sets the Dataset's streams; returns sentences about what differs."""
        notes = []
        for name, stream in data.generators.items():
            saved = self.values.get(name)
            if saved is None:
                notes.append("the file has no position of the %s batches, so they start from the beginning" % name)
                continue
            if name == "train" and saved["seed"] != stream.seed:
                notes.append("the batches continue with the file's seed %d, not %d" % (saved["seed"], stream.seed))
            stream.set_state(saved)
        if self.corpus is not None and data.corpus != self.corpus:
            notes.append(
                "the file was trained on %.80s, and this run continues on %s"
                % (self.corpus, data.corpus or "another text")
            )
        return notes


# What a file may lack, as the user knows it.
_IN_WORDS = {"optimizer": "optimizer state", "data": "data position"}


def fresh(names: list[str]) -> list[str]:
    """A sentence about the kept objects that a file does not hold; none where it holds all."""
    missing = [words for name, words in _IN_WORDS.items() if name in names]
    missing += [name for name in names if name not in _IN_WORDS]
    if not missing:
        return []
    subject = (
        "so it starts fresh" if len(missing) == 1 else "so %s start fresh" % ("both" if len(missing) == 2 else "all")
    )
    listed = " or ".join([", ".join(missing[:-1]), missing[-1]] if len(missing) > 1 else missing)
    return ["the file has no %s, %s" % (listed, subject)]


_PLAIN = (list, dict, set, tuple, str, bytes, int, float, bool, type(None))


def transfer(old: Any, new: Any, before: dict[str, Any], now: dict[str, Any]) -> tuple[Any, list[str]]:
    """(The object to keep, sentences about what did not carry over).

    old, new: the object under one name of run.keep, before and made by the new code. before, now:
    all that was and is kept, by name: an optimizer's moments find their parameters through the
    models there.
    """
    if isinstance(old, nn.Module) and isinstance(new, nn.Module):
        return new, _module(old, new)
    if isinstance(old, Optimizer) and isinstance(new, Optimizer):
        return new, _optimizer(old, new, before, now)
    if isinstance(old, Dataset) and isinstance(new, Dataset):
        for name, stream in new.generators.items():
            _stream(old.generators.get(name), stream)
        return new, []
    if isinstance(old, DataPosition) and isinstance(new, Dataset):
        return new, old.restore(new)
    if isinstance(old, generator.Generator) and isinstance(new, generator.Generator):
        _stream(old, new)
        return new, []
    if isinstance(old, Scheduler) and isinstance(new, Scheduler):
        new.load_state_dict(old.state_dict())
        return new, []
    if isinstance(old, Tensor) and isinstance(new, Tensor):
        return new, _differences([_Part("a kept tensor", _copy(new, old), old.shape, new.shape)])
    if type(old) is type(new):
        return (old if isinstance(old, _PLAIN) else new), []
    return new, ["%s starts fresh: it was %s before" % (type(new).__name__, type(old).__name__)]


def _stream(old: Any, new: Any) -> Any:
    """The new generator resumes at the old one's offset, with its own seed."""
    if old is not None:
        new.set_state({"seed": new.seed, "offset": old.offset})


class _Part(NamedTuple):
    """A tensor of either module. copied: see `_copy`, or "gone" where only the old has it."""

    name: str
    copied: str | None
    before: tuple[int, ...]
    after: tuple[int, ...]


def _module(old: Any, new: Any) -> Any:
    sources = dict(old.named_parameters())
    sources.update(_buffers(old))
    parts = []
    targets = dict([*new.named_parameters(), *_buffers(new)])
    for name, target in targets.items():
        source = sources.get(name)
        copied = None if source is None else _copy(target, source)
        parts.append(_Part(name, copied, () if source is None else source.shape, target.shape))
    parts += [_Part(name, "gone", source.shape, ()) for name, source in sources.items() if name not in targets]
    return _differences(parts)


def _buffers(module: Any) -> Any:
    return [
        (path + "." + name if path else name, tensor)
        for path, part in module.named_modules()
        for name, tensor in part._buffers.items()
        if isinstance(tensor, Tensor)
    ]


def _copy(new: Any, old: Any) -> Any:
    """new's values from old: "whole", the overlapping values ("overlap"), or None where the numbers
    of dimensions differ.
    """
    with no_grad():
        old = old.detach()
        if old.device is not new.device:
            old = old.to(new.device)
        if old.shape == new.shape:
            new.detach().copy_(old)
            return "whole"
        if len(old.shape) != len(new.shape):
            return None
        overlap = tuple([slice(0, min(a, b)) for a, b in zip(old.shape, new.shape)])
        new.detach()[overlap].copy_(old[overlap])
        return "overlap"


def _differences(parts: Any) -> Any:
    """Sentences about what was not copied whole: resized tensors together, layers as one."""
    notes = []
    resized = [part for part in parts if part.copied == "overlap"]
    if resized:
        name, sizes = resized[0].name, "%s to %s" % (_shape(resized[0].before), _shape(resized[0].after))
        if len(resized) == 1:
            notes.append("%s (%s) resized; overlapping values kept" % (name, sizes))
        else:
            notes.append("%d tensors resized; overlapping values kept (%s: %s)" % (len(resized), name, sizes))
    layers = {}
    for part in parts:
        if part.copied == "gone":
            layers.setdefault(("removed", _layer(part.name)), []).append(part.name)
        elif part.copied is None:
            layers.setdefault(("starts fresh", _layer(part.name)), []).append(part.name)
    for (what, layer), names in layers.items():
        notes.append("%s %s" % (names[0] if len(names) == 1 else "%s (%d tensors)" % (layer, len(names)), what))
    return notes


def _layer(name: Any) -> Any:
    """The layer that a parameter belongs to: up to the number in its path
    ("blocks.3.attn.qkv.weight": "blocks.3"), else its module.
    """
    path = name.split(".")
    for i, part in enumerate(path):
        if part.isdigit():
            return ".".join(path[: i + 1])
    return ".".join(path[:-1]) or name


def _shape(shape: Any) -> Any:
    return "×".join(map(str, shape)) or "a number"


def _optimizer(old: Any, new: Any, before: Any, now: Any) -> Any:
    """Moments and step counts of the parameters in both; the settings are the new code's."""
    if type(old).__name__ != type(new).__name__ or old.moments != new.moments:
        changed = type(old).__name__, type(new).__name__
        return ["optimizer changed from %s to %s; its state starts from zero" % changed]
    olds, news = _names(before), _names(now)
    sources = {name: p for p, name in _known(old, olds)}
    counts, steps = old.steps, new.steps
    transferred = 0
    for p, name in _known(new, news):
        source = sources.get(name)
        if source is None:
            continue
        steps[id(p)] = counts[id(source)]
        transferred += 1
        for a, b in zip(new.arenas, old.arenas):
            _copy(
                new.flat.part(a, new.flat.ranges[id(p)][0], p.shape),
                old.flat.part(b, old.flat.ranges[id(source)][0], source.shape),
            )
    if not transferred:
        return ["the optimizer has none of its previous parameters; its state starts from zero"]
    return []


def _names(kept: Any) -> Any:
    """{id(parameter): name} of all parameters of kept modules."""
    modules = [(key, value) for key, value in kept.items() if isinstance(value, nn.Module)]
    return {id(p): "%s.%s" % (key, name) for key, module in modules for name, p in module.named_parameters()}


def _known(optimizer: Any, names: Any) -> Any:
    return [(p, names[id(p)]) for group in optimizer.param_groups for p in group["params"] if id(p) in names]
