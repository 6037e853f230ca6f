"""What new objects take over from old ones when edited code takes the place of code that runs.

The edited `train(run)` makes its model, optimizer and data anew, from its own classes and sizes; `over` then brings what was learned:
values by parameter name, moments and step counts by the parameter they belong to, random streams where they stood. Where a shape has
changed, the corner that both have is taken. The old objects stay as they are, so the code before can go on with them.
"""

from . import nn
from .data import Dataset
from .ops import random
from .optim import Optimizer
from .schedule import Scheduler
from .state import no_grad
from .tensor import Tensor


class Position:
    """Where the random streams of a run's data stood, in the place of the Dataset, which a file does not hold.

    values: {"train": {"seed", "offset"}, "validation": {...}, "corpus": name}; tokenizer: the file's, or None.
    """

    def __init__(self, values, tokenizer=None):
        self.values, self.tokenizer, self.corpus = values, tokenizer, values.get("corpus")

    def get_state(self):
        return {name: value for name, value in self.values.items() if name != "corpus"}

    def put_into(self, data):
        """Sets the Dataset's streams; returns sentences about what is not as it was."""
        notes = []
        for name, stream in data.generators.items():
            saved = self.values.get(name)
            if saved is None:
                notes.append("the %s batches start at their beginning: the file does not say where they stood" % name)
                continue
            if name == "train" and saved["seed"] != stream.seed:
                notes.append("the batches go on with the file's seed %d, not %d" % (saved["seed"], stream.seed))
            stream.set_state(saved)
        if self.corpus is not None and data.corpus != self.corpus:
            notes.append("the file was trained on %.80s, this goes on with %s" % (self.corpus, data.corpus or "another text"))
        return notes


_PLAIN = (list, dict, set, tuple, str, bytes, int, float, bool, type(None))


def over(old, new, before, now):
    """(the object to keep, sentences about what could not be taken over as it was).

    old, new: the object under one name of run.keep, before and made by the new code. before, now: all that was and is kept, by name: an
    optimizer's moments find their parameters through the models there.
    """
    if isinstance(old, nn.Module) and isinstance(new, nn.Module):
        return new, _module(old, new)
    if isinstance(old, Optimizer) and isinstance(new, Optimizer):
        return new, _optimizer(old, new, before, now)
    if isinstance(old, Dataset) and isinstance(new, Dataset):
        for name, stream in new.generators.items():
            _stream(old.generators.get(name), stream)
        return new, []
    if isinstance(old, Position) and isinstance(new, Dataset):
        return new, old.put_into(new)
    if isinstance(old, random.Generator) and isinstance(new, random.Generator):
        _stream(old, new)
        return new, []
    if isinstance(old, Scheduler) and isinstance(new, Scheduler):
        new.load_state_dict(old.state_dict())
        return new, []
    if isinstance(old, Tensor) and isinstance(new, Tensor):
        return new, _told([("a kept tensor", _take(new, old), old.shape, new.shape)])
    if type(old) is type(new) and isinstance(old, _PLAIN):
        return old, []
    return new, ["%s is new: it was %s before" % (type(new).__name__, type(old).__name__)] if type(old) is not type(new) else []


def _stream(old, new):
    """The new generator goes on where the old one stood, with its own seed."""
    if old is not None:
        new.set_state({"seed": new.seed, "offset": old.offset})


def _module(old, new):
    known = dict(old.named_parameters())
    known.update(_buffers(old))
    parts = []
    names = set()
    for name, tensor in [*new.named_parameters(), *_buffers(new)]:
        names.add(name)
        source = known.get(name)
        parts.append((name, None if source is None else _take(tensor, source), getattr(source, "shape", None), tensor.shape))
    parts += [(name, "gone", tensor.shape, None) for name, tensor in known.items() if name not in names]
    return _told(parts)


def _buffers(module):
    return [
        (path + "." + name if path else name, tensor)
        for path, part in module.named_modules()
        for name, tensor in part._buffers.items()
        if isinstance(tensor, Tensor)
    ]


def _take(new, old):
    """new's values from old: "whole", the common corner ("part"), or None where the numbers of dimensions differ."""
    with no_grad():
        old = old.detach()
        if old.device is not new.device:
            old = old.to(new.device)
        if old.shape == new.shape:
            new.detach().copy_(old)
            return "whole"
        if len(old.shape) != len(new.shape):
            return None
        corner = tuple([slice(0, min(a, b)) for a, b in zip(old.shape, new.shape)])
        new.detach()[corner].copy_(old[corner])
        return "part"


def _told(parts):
    """Sentences for the parts that are not whole; layers that came or went as one."""
    out = []
    groups = {}
    for name, how, before, after in parts:
        if how == "part":
            out.append("%s was %s and is %s: the part that both have is kept" % (name, _shape(before), _shape(after)))
        elif how == "gone":
            groups.setdefault(("is gone", _layer(name)), []).append(name)
        elif how is None:
            groups.setdefault(("starts new", _layer(name)), []).append(name)
    for (what, layer), names in groups.items():
        out.append("%s %s" % (names[0] if len(names) == 1 else "%s (%d tensors)" % (layer, len(names)), what))
    return out


def _layer(name):
    """The layer that a parameter belongs to: up to the number in its path ("blocks.3.attn.qkv.weight": "blocks.3"), else its module."""
    path = name.split(".")
    for i, part in enumerate(path):
        if part.isdigit():
            return ".".join(path[: i + 1])
    return ".".join(path[:-1]) or name


def _shape(shape):
    return "×".join(map(str, shape)) or "a number"


def _optimizer(old, new, before, now):
    """Moments and counts of the parameters that both know; the settings (learning rate, decay) are the new code's."""
    if type(old).__name__ != type(new).__name__ or old.moments != new.moments:
        return ["the optimizer was %s and is %s: its moments start at zero" % (type(old).__name__, type(new).__name__)]
    olds, news = _names(before), _names(now)
    sources = {name: p for p, name in _known(old, olds)}
    counts, steps = old.steps, new.steps
    taken = 0
    for p, name in _known(new, news):
        source = sources.get(name)
        if source is None:
            continue
        steps[id(p)] = counts[id(source)]
        taken += 1
        for a, b in zip(new.arenas, old.arenas):
            _take(new.flat.part(a, new.flat.ranges[id(p)][0], p.shape), old.flat.part(b, old.flat.ranges[id(source)][0], source.shape))
    if not taken:
        return ["the optimizer knows none of the parameters it had: its moments start at zero"]
    return []


def _names(kept):
    """{id(parameter): name} of all that lies in kept modules."""
    modules = [(key, value) for key, value in kept.items() if isinstance(value, nn.Module)]
    return {id(p): "%s.%s" % (key, name) for key, module in modules for name, p in module.named_parameters()}


def _known(optimizer, names):
    return [(p, names[id(p)]) for group in optimizer.param_groups for p in group["params"] if id(p) in names]
