"""PyTorch's own sample inputs (OpInfo) over every op of the front, against PyTorch.

    python3 -m tests.front.opinfo                    # the table of all: same, refused, different
    python3 -m tests.front.opinfo --detail 3 -- sum  # of one op, with the first three sentences

Of each entry of `op_db` whose name the front has, the samples of float32, float64, int64 and bool
run as function, as method and in place: value, dtype, shape, gradient and class of error must be
PyTorch's. A refusal is a TypeError, RuntimeError or NotImplementedError where PyTorch has a value.
"""

import argparse
import collections
import math
import sys
import types
import unittest
import warnings

import torch

import tinygpt.torch as tt
from tinygpt.core.factory import tensor as made_of

KINDS = ("float32", "float64", "int64", "bool")
# Of float32: PyTorch's own rounding near a pole, and of large numbers.
LOOSE = {"digamma": 1e-3, "polygamma": 1e-3, "special.polygamma": 1e-3, "logcumsumexp": 5e-3}
REORDERED = {  # OpInfo calls them with the arguments in another order
    "polygamma": lambda f: lambda x, n: f(n, x),
    "special.polygamma": lambda f: lambda x, n: f(n, x),
    "where": lambda f: lambda x, condition, other: f(condition, x, other),
}
VALUES_ALONE = ("mode", "kthvalue", "sort", "topk")  # PyTorch's indices of equal elements are any
SEED = 42  # that of OpInfo's own wrapper of random functions
REFUSALS = (TypeError, RuntimeError, NotImplementedError)
RTOL = {"float32": 2e-5, "float64": 1e-9, "float16": 2e-3, "bfloat16": 2e-2}
ATOL = {"float32": 1e-5, "float64": 1e-9, "float16": 1e-3, "bfloat16": 1e-2}
RANDOM = frozenset("empty empty_like empty_permuted empty_strided new_empty new_empty_strided".split())


def op_db():
    """PyTorch's list of OpInfo. Its module imports a package for a class that is not used here."""
    if "expecttest" not in sys.modules:
        stub = types.ModuleType("expecttest")
        stub.TestCase = unittest.TestCase
        sys.modules["expecttest"] = stub
    from torch.testing._internal.common_methods_invocations import op_db

    return op_db


def resolve(name):
    """The front's function of a dotted name, else the Tensor's method, else None."""
    found = tt
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except (AttributeError, ImportError):
            return getattr(tt.Tensor, name, None)
    return found if callable(found) else getattr(tt.Tensor, name, None)


def dtype_of(dtype):
    """A dtype of the front. NotImplementedError where it has none of the name."""
    found = getattr(tt, str(dtype).rpartition(".")[2], None)
    if found is None:
        raise NotImplementedError("no %s" % dtype)
    return found


def given(x):
    """A sample's value for the front."""
    if isinstance(x, torch.Tensor):
        if x.is_complex():
            raise NotImplementedError("complex numbers")
        values = x.detach().cpu()
        if values.dtype is torch.bfloat16:
            return made_of(values.float().tolist(), dtype=tt.bfloat16).requires_grad_(x.requires_grad)
        made = made_of(values.numpy().copy(), dtype=dtype_of(x.dtype))
        return made.requires_grad_() if x.requires_grad else made
    if isinstance(x, torch.dtype):
        return dtype_of(x)
    if isinstance(x, torch.device):
        return str(x)
    if isinstance(x, torch.Size):
        return tuple(x)
    if isinstance(x, (list, tuple)):
        made = [given(v) for v in x]
        return type(x)(*made) if hasattr(x, "_fields") else type(x)(made)
    if isinstance(x, dict):
        return {k: given(v) for k, v in x.items()}
    if isinstance(x, torch.memory_format):
        return getattr(tt, str(x).rpartition(".")[2])
    if isinstance(x, (complex, torch.layout, torch.Generator)):
        raise NotImplementedError("a %s" % type(x).__name__)
    return x


def again(x):
    """A sample's value for PyTorch: leaves of its own."""
    if isinstance(x, torch.Tensor):
        return x.detach().clone(memory_format=torch.contiguous_format).requires_grad_(x.requires_grad)
    if isinstance(x, (list, tuple)) and not isinstance(x, torch.Size):
        made = [again(v) for v in x]
        return type(x)(*made) if hasattr(x, "_fields") else type(x)(made)
    return {k: again(v) for k, v in x.items()} if isinstance(x, dict) else x


def leaves(x, kind):
    """The tensors of `kind` in nested lists, tuples and dicts."""
    if isinstance(x, kind):
        return [x]
    if isinstance(x, dict):
        x = list(x.values())
    return [leaf for v in x for leaf in leaves(v, kind)] if isinstance(x, (list, tuple)) else []


def unlike(got, want, values=True, loose=0.0):
    """None where two results agree, else how they differ."""
    if isinstance(want, torch.Tensor):
        if not isinstance(got, tt.Tensor):
            return "a %s, not a tensor" % type(got).__name__
        kind = str(want.dtype).rpartition(".")[2]
        if got.dtype.name != kind:
            return "%s, not %s" % (got.dtype.name, kind)
        if tuple(got.shape) != tuple(want.shape):
            return "shape %s, not %s" % (tuple(got.shape), tuple(want.shape))
        if got.requires_grad != want.requires_grad:
            return "requires_grad is %s" % got.requires_grad
        if not values or not want.numel():
            return None
        have, want = torch.tensor(got.detach().tolist(), dtype=torch.float64), want.detach()
        if not want.dtype.is_floating_point:
            exact = torch.tensor(got.tolist(), dtype=want.dtype)
            return (
                None
                if torch.equal(exact, want)
                else "%s, not %s" % (exact.ravel()[:6].tolist(), want.ravel()[:6].tolist())
            )
        want = want.double()
        near = torch.isclose(
            have, want, loose if loose and kind == "float32" else RTOL[kind], ATOL[kind], equal_nan=True
        )
        if bool(near.all()):
            return None
        i = int((~near).ravel().nonzero()[0])
        return "element %d is %r, not %r" % (i, have.ravel()[i].item(), want.ravel()[i].item())
    if isinstance(want, (list, tuple)):
        if not isinstance(got, (list, tuple)) or len(got) != len(want):
            return "a %s of other length" % type(got).__name__
        fields = getattr(type(want), "__match_args__", ())
        if getattr(type(got), "__match_args__", ()) != fields:
            return "fields are not %s" % (fields,)
        return next((text for g, w in zip(got, want) if (text := unlike(g, w, values, loose))), None)
    if isinstance(want, float) and isinstance(got, float):
        return (
            None if math.isclose(got, want, rel_tol=1e-5) or got != got and want != want else "%r, not %r" % (got, want)
        )
    if isinstance(want, (torch.dtype, torch.device, torch.Size)):
        return None
    return None if type(got) is type(want) and got == want else "%r, not %r" % (got, want)


def gradients(outputs, inputs, backward_of):
    """d (sum of outputs times fixed numbers) / d inputs."""
    total = None
    for i, y in enumerate(outputs):
        if y.requires_grad:
            part = backward_of(y, i)
            total = part if total is None else total + part
    if total is None:
        return None
    total.backward()
    return [x.grad for x in inputs if x.requires_grad]


def weights(y, i):
    return torch.cos(torch.arange(y.numel(), dtype=torch.float64) + i).reshape(y.shape) + 1.25


def call(function, sample, convert, in_place=False):
    arguments = [convert(sample.input), *convert(list(sample.args))]
    named = convert(dict(sample.kwargs))
    inputs = [arguments, named]
    if in_place and isinstance(arguments[0], (torch.Tensor, tt.Tensor)) and arguments[0].requires_grad:
        arguments = [arguments[0].clone(), *arguments[1:]]
    return inputs, function(*arguments, **named)


def compare(theirs, ours, sample, in_place=False, values=True, loose=0.0, only_first=False):
    """("same" or "refused" or "different", how)."""
    torch.manual_seed(SEED)
    try:
        inputs, want = call(theirs, sample, again, in_place)
        refused = None
    except Exception as error:  # PyTorch's refusal, which is compared
        inputs, want, refused = None, None, error
    if hasattr(tt, "manual_seed"):
        tt.manual_seed(SEED)
    try:
        own_inputs, got = call(ours, sample, given, in_place)
    except NotImplementedError as error:
        return ("same", "") if isinstance(refused, NotImplementedError) else ("refused", str(error))
    except Exception as error:
        if refused is not None and (
            isinstance(error, type(refused)) or isinstance(refused, RuntimeError) and isinstance(error, RuntimeError)
        ):
            return "same", ""
        refusal = isinstance(error, REFUSALS) and not isinstance(error, RecursionError)
        kind = "refused" if refusal and refused is None else "different"
        return kind, "%s: %s" % (type(error).__name__, error)
    if refused is not None:
        return "different", "accepts what raises %s: %s" % (type(refused).__name__, str(refused).split("\n")[0])
    how = unlike(got[0], want[0]) if only_first else unlike(got, want, values, loose)
    if how:
        return "different", how
    try:
        want = gradients(
            leaves(want, torch.Tensor), leaves(inputs, torch.Tensor), lambda y, i: (y * weights(y, i).to(y.dtype)).sum()
        )
    except RuntimeError as error:
        want = error
    try:
        got = gradients(
            leaves(got, tt.Tensor), leaves(own_inputs, tt.Tensor),
            lambda y, i: (y * made_of(weights(y, i).numpy(), dtype=y.dtype)).sum(),
        )  # fmt: skip
    except REFUSALS as error:
        return ("same", "") if isinstance(want, RuntimeError) else ("refused", "gradient: %s" % error)
    if isinstance(want, RuntimeError):
        if "inplace version" in str(want):  # of acosh, asinh, atanh: an omission
            return "same", ""
        return "different", "has a gradient where PyTorch raises %s" % str(want).split("\n")[0]
    if got is None and want is None:
        return "same", ""
    for g, w in zip(got or [], want or []):
        if (g is None) != (w is None):
            if (w if g is None else g).count_nonzero() == 0:
                continue  # no gradient, or zeros
            return "different", "gradient is %s" % ("None" if g is None else "there, PyTorch's is None")
        how = unlike(g, w, values, loose) if w is not None else None
        if how:
            return "different", "gradient: " + how
    return "same", ""


def text_of(sample):
    def short(x):
        if isinstance(x, torch.Tensor):
            return "%s%s" % (str(x.dtype).rpartition(".")[2], list(x.shape))
        if isinstance(x, (list, tuple)):
            return "[%s]" % ", ".join(map(short, x))
        return repr(x)

    named = ["%s=%s" % (k, short(v)) for k, v in sample.kwargs.items()]
    return "(%s)" % ", ".join([short(sample.input), *map(short, sample.args), *named])


def run(info, most=None, kinds=KINDS, variants=True):
    """[(variant, dtype, status, how, sample)] of an OpInfo, or None where its name is not here."""
    ours = resolve(info.name)
    if ours is None:
        return None
    if info.name in REORDERED:
        ours = REORDERED[info.name](ours)
    functions = [(info.name, info.op, ours, False)]
    if variants:
        for alias in info.aliases:
            functions.append((alias.name, alias.op, resolve(alias.name), False))
        if info.method_variant is not None:
            functions.append(("." + info.name, info.method_variant, getattr(tt.Tensor, info.name, None), False))
        if info.inplace_variant is not None:
            name = getattr(info.inplace_variant, "__name__", info.name + "_")
            functions.append(("." + name, info.inplace_variant, getattr(tt.Tensor, name, None), True))
    found = []
    for kind in kinds:
        dtype = getattr(torch, kind)
        if dtype not in info.dtypes:
            continue
        torch.manual_seed(3)
        gradient = dtype.is_floating_point and info.supports_autograd
        samples = list(info.sample_inputs("cpu", dtype, requires_grad=gradient))
        if most and len(samples) > most:
            samples = samples[:: -(-len(samples) // most)]
        for name, theirs, ours, in_place in functions:
            if ours is None:
                found.append((name, kind, "missing", "", None))
                continue
            for sample in samples if name == info.name else samples[: most or 20]:
                status, how = compare(
                    theirs,
                    ours,
                    sample,
                    in_place,
                    info.name not in RANDOM,
                    LOOSE.get(info.name, 0.0),
                    info.name in VALUES_ALONE,
                )
                found.append((name, kind, status, how, sample))
    if info.error_inputs_func is not None:
        for case in info.error_inputs("cpu"):
            sample = case.sample_input
            if isinstance(sample.input, torch.Tensor) and sample.input.ndim <= 16 and "out" not in sample.kwargs:
                status, how = compare(info.op, ours, sample)
                found.append((info.name, "error", status, how, sample))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="of ops; all without one")
    parser.add_argument("--detail", type=int, nargs="?", const=3, default=0, help="sentences of each op")
    parser.add_argument("--most", type=int, help="samples of an op and dtype")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    absent, totals = [], collections.Counter()
    for info in op_db():
        if options.names and info.name not in options.names:
            continue
        found = run(info, options.most)
        name = info.name + ("(%s)" % info.variant_test_name if info.variant_test_name else "")
        if found is None:
            absent.append(name)
            continue
        counts = collections.Counter(status for _, _, status, _, _ in found)
        totals.update(counts)
        missing = sorted({n for n, _, status, _, _ in found if status == "missing"})
        line = "%-44s %s" % (
            name,
            "  ".join("%s %d" % (k, counts[k]) for k in ("same", "refused", "different") if counts[k]),
        )
        print(line + ("  missing: " + " ".join(missing) if missing else ""), flush=True)
        shown = set()
        for variant, kind, status, how, sample in found:
            if status in ("refused", "different") and len(shown) < options.detail and (variant, how) not in shown:
                shown.add((variant, how))
                print("    %s %s%s %s: %s" % (status, variant, text_of(sample), kind, how[:300]))
    print("not here:", " ".join(absent))
    print(dict(totals))


if __name__ == "__main__":
    main()
