"""PyTorch's own sample inputs of modules (ModuleInfo) over every module of the front's torch.nn.

    python3 -m tests.front.moduleinfo                    # the table: same, refused, different
    python3 -m tests.front.moduleinfo --detail 3 -- GRU  # of one module, with the first sentences

Each module is made by both, printed, given PyTorch's values and called, while training and not,
with float32 and float64: results, dtypes, gradients of inputs and parameters must be PyTorch's.
"""

import argparse
import collections
import sys
import types
import unittest
import warnings

import torch

import tinygpt.torch as tt
from tests.front.layers import converted, flat, near

TOLERANCE = {torch.float32: dict(rtol=2e-4, atol=1e-4), torch.float64: dict(rtol=1e-7, atol=1e-9)}


def module_db():
    """PyTorch's list of ModuleInfo. Its module imports a package for a class that is not used."""
    if "expecttest" not in sys.modules:
        stub = types.ModuleType("expecttest")
        stub.TestCase = unittest.TestCase
        sys.modules["expecttest"] = stub
    from torch.testing._internal.common_modules import module_db

    return module_db


def given(value, made):
    """A sample's value for the front: tensors and modules converted, each once."""
    if isinstance(value, torch.nn.utils.rnn.PackedSequence):
        parts = [None if part is None else given(part, made) for part in value]
        return tt.nn.utils.rnn.PackedSequence(*parts)
    if isinstance(value, torch.Tensor):
        if id(value) not in made:
            made[id(value)] = converted(tt, value)
        return made[id(value)]
    if isinstance(value, torch.dtype):
        return getattr(tt, str(value)[6:])
    if isinstance(value, torch.device):
        return "cpu"
    if isinstance(value, (tuple, list)) and type(value) in (tuple, list):
        return type(value)(given(v, made) for v in value)
    if isinstance(value, dict):
        return {k: given(v, made) for k, v in value.items()}
    name = getattr(value, "__name__", "")
    if callable(value) and getattr(torch.nn.functional, name or "-", None) is value:
        return getattr(tt.nn.functional, name)
    if isinstance(value, torch.nn.TransformerEncoderLayer):
        raise unittest.SkipTest("a module as an argument")
    if type(value).__module__.startswith("torch.nn"):
        return getattr(tt.nn, type(value).__name__)()
    return value


def called(module, args, kwargs):
    """What the module returns, and the sum whose gradient is taken."""
    torch.manual_seed(5), tt.manual_seed(5)
    outputs = [x for x in flat(module(*args, **kwargs)) if hasattr(x, "requires_grad")]
    total = None
    for x in outputs:
        if x.requires_grad:
            weight = torch.arange(1.0, x.numel() + 1).sin().to(getattr(torch, str(x.dtype)[6:])).reshape(tuple(x.shape))
            term = (x * (weight if isinstance(x, torch.Tensor) else converted(tt, weight))).sum()
            total = term if total is None else total + term
    if total is not None:
        total.backward()
    return outputs


def compare(info, sample, dtype, training):
    """None where both are equal, else (status, sentence)."""
    made = {}
    constructor, forward = sample.constructor_input, sample.forward_input
    theirs = info.module_cls(*constructor.args, **constructor.kwargs).to(dtype).train(training)
    try:
        kind = getattr(tt.nn, info.module_cls.__name__)
        ours = (
            kind(*given(list(constructor.args), made), **given(constructor.kwargs, made))
            .to(given(dtype, made))
            .train(training)
        )
        if forward is None:
            return None
        if hasattr(theirs, "has_uninitialized_params"):
            return None
        ours.load_state_dict({name: converted(tt, x) for name, x in theirs.state_dict().items()})
        if repr(ours) != repr(theirs):
            return "different", "printed as %s, not %s" % (repr(ours), repr(theirs))
        copies = given(list(forward.args), made), given(forward.kwargs, made)
        mine = called(ours, *copies)
    except unittest.SkipTest:
        return None
    except (TypeError, RuntimeError, NotImplementedError, AttributeError, ValueError) as error:
        mine, raised = None, error
    try:
        expected = called(theirs, forward.args, forward.kwargs)
    except Exception as error:
        right = mine is None and isinstance(raised, type(error))
        return None if right else ("different", "no %s: %s" % (type(error).__name__, error))
    if mine is None:
        return "refused", "%s: %s" % (type(raised).__name__, raised)
    try:
        assert len(mine) == len(expected), "%d results, not %d" % (len(mine), len(expected))
        for i, (a, b) in enumerate(zip(expected, mine, strict=True)):
            near(a, b, "result %d" % i, **TOLERANCE[dtype])
        named = dict(ours.named_parameters())
        for name, p in theirs.named_parameters():
            assert (p.grad is None) == (named[name].grad is None), "gradient of %s" % name
            if p.grad is not None:
                near(p.grad, named[name].grad, "gradient of " + name, **TOLERANCE[dtype])
        for x in flat([list(forward.args), list(forward.kwargs.values())]):
            if isinstance(x, torch.Tensor) and x.grad is not None:
                near(x.grad, made[id(x)].grad, "gradient of an input", **TOLERANCE[dtype])
    except AssertionError as error:
        return "different", str(error)
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="of modules; all without one")
    parser.add_argument("--detail", type=int, nargs="?", const=3, default=0, help="sentences of each module")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    totals, absent = collections.Counter(), []
    for info in module_db():
        name = info.module_cls.__name__
        if options.names and name not in options.names:
            continue
        if not hasattr(tt.nn, name):
            absent.append(name)
            continue
        counts, said = collections.Counter(), []
        for dtype in TOLERANCE:
            for training in (True, False):
                torch.manual_seed(1)
                samples = info.module_inputs_func(
                    info, device="cpu", dtype=dtype, requires_grad=True, training=training
                )
                for sample in samples:
                    found = compare(info, sample, dtype, training)
                    counts[found[0] if found else "same"] += 1
                    if found:
                        said.append("%s (%s): %s" % (found[0], sample.desc or dtype, found[1][:300]))
        totals.update(counts)
        print("%-32s %s" % (name, "  ".join("%s %d" % pair for pair in sorted(counts.items()))), flush=True)
        for sentence in said[: options.detail]:
            print("    " + sentence)
    print("not here:", " ".join(absent))
    print(dict(totals))


if __name__ == "__main__":
    main()
