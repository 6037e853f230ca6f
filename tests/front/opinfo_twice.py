"""PyTorch's own sample inputs (OpInfo): the gradients of gradients of every op of the front.

    python3 -m tests.front.opinfo_twice [--most 4] [names]

Of each differentiable entry of `op_db` that the front has, samples of float64: the gradient and
the gradient of its weighted sum must be PyTorch's.
"""

import argparse
import collections
import warnings

import torch

import tinygpt.torch as tt

from .opinfo import REORDERED, again, call, given, leaves, made_of, op_db, resolve, text_of, weights


def twice(lib, function, sample, convert, kind, tensor):
    """The gradients by the sample's tensors of the second order, None for those without."""
    inputs, out = call(function, sample, convert)
    wanted = [x for x in leaves(inputs, kind) if x.requires_grad]
    outputs = [y for y in leaves(out, kind) if y.requires_grad]
    if not outputs or not wanted:
        return None
    total = sum((y * tensor(weights(y, i), y.dtype)).sum() for i, y in enumerate(outputs))
    first = lib.autograd.grad(total, wanted, create_graph=True, allow_unused=True)
    parts = [(g * tensor(weights(g, i), g.dtype)).sum() for i, g in enumerate(first) if g is not None]
    parts = [part for part in parts if part.requires_grad]
    if not parts:
        return [None] * len(wanted)
    return lib.autograd.grad(sum(parts), wanted, allow_unused=True)


def numbers(g, like):
    """A gradient as float64 of PyTorch, zeros for None."""
    if g is None:
        return torch.zeros(like.shape, dtype=torch.float64)
    return torch.tensor(g.detach().tolist(), dtype=torch.float64).reshape(tuple(g.shape))


def compare(info, ours, sample):
    """("same", "refused" or "different", how)."""
    torch.manual_seed(7)
    try:
        want = twice(torch, info.op, sample, again, torch.Tensor, lambda w, dtype: w.to(dtype))
    except Exception:
        return "skipped", ""
    if hasattr(tt, "manual_seed"):
        tt.manual_seed(7)
    try:
        got = twice(tt, ours, sample, given, tt.Tensor, lambda w, dtype: made_of(w.numpy(), dtype=dtype))
    except Exception as error:
        return "refused", "%s: %s" % (type(error).__name__, error)
    if want is None:
        return ("same", "") if got is None else ("different", "there is a gradient")
    if got is None:
        return "different", "there is no gradient"
    like = [x for x in leaves([sample.input, sample.args, sample.kwargs], torch.Tensor) if x.requires_grad]
    for g, w, x in zip(got, want, like):
        a, b = numbers(g, x), numbers(w if w is None else w + 0.0, x)
        if a.shape != b.shape:
            return "different", "shape %s, not %s" % (tuple(a.shape), tuple(b.shape))
        finite = torch.isfinite(b)
        if not torch.allclose(a[finite], b[finite], 1e-6, 1e-6 * (1.0 + float(b[finite].abs().sum()))):
            return "different", "%s, not %s" % (a.ravel()[:4].tolist(), b.ravel()[:4].tolist())
    return "same", ""


def run(info, most):
    """[(status, how, sample)] of an OpInfo; None of one without a second derivative or not here."""
    ours = resolve(info.name)
    if ours is None or not info.supports_gradgrad or torch.float64 not in info.dtypes:
        return None
    ours = REORDERED.get(info.name, lambda f: f)(ours)
    torch.manual_seed(3)
    samples = list(info.sample_inputs("cpu", torch.float64, requires_grad=True))
    if len(samples) > most:
        samples = samples[:: -(-len(samples) // most)]
    return [(*compare(info, ours, sample), sample) for sample in samples]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="of ops; all without one")
    parser.add_argument("--most", type=int, default=4, help="samples of an op")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    totals = collections.Counter()
    for info in op_db():
        if options.names and info.name not in options.names:
            continue
        for status, how, sample in run(info, options.most) or ():
            totals[status] += 1
            if status in ("refused", "different"):
                print("%s %s%s: %s" % (status, info.name, text_of(sample), how[:160]), flush=True)
    print(dict(totals))


if __name__ == "__main__":
    main()
