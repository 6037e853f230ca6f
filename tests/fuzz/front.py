"""Random calls of the front's array functions: values, dtypes, gradients and classes of error are
PyTorch's.

    python3 -m tests.fuzz.front --count 10000 --seed 1
    python3 -m tests.fuzz.front --only scatter_add --count 500

A call has a random tensor of up to four dimensions, sizes 0 to 4, contiguous or not, of a random
dtype, and random arguments, which are often wrong. Functions, methods and forms in place are called
alike. Where both give a value it is compared, and its gradient; where one raises, the other has to.
"""

import argparse
import random
import sys
import warnings

import torch

import tinygpt.torch as tt

from ..front.expressions import near, plain, tensors
from . import front_calls
from .front_calls import Both, full, one

FLOATS, WHOLE = ("float32", "float64"), ("int64", "int32", "uint8", "bool")
SIZES = (0, 1, 1, 2, 2, 3, 3, 4)


class Call:
    """Random arguments, each made once and given to both sides."""

    def __init__(self, r):
        self.r, self.made = r, []

    def shape(self, most=4, least=0):
        return [self.r.choice(SIZES) for _ in range(self.r.randint(least, most))]

    def tensor(self, shape, kind=None, gradient=True, low=-3, high=3):
        """A tensor of each side: contiguous, or seen through a transpose or a slice."""
        r = self.r
        kind = kind or r.choice(FLOATS * 3 + WHOLE)
        shape = list(shape)
        seen = r.choice(("dense", "dense", "turned", "sliced"))
        base = shape[::-1] if seen == "turned" else [n + 1 for n in shape] if seen == "sliced" else shape
        count = torch.Size(base).numel()
        whole = kind not in FLOATS
        values = [
            r.randint(0 if kind in ("uint8", "bool") else low, high) if whole else r.uniform(low, high)
            for _ in range(count)
        ]
        gradient = gradient and not whole and r.random() < 0.6
        pair = []
        for T in (torch, tt):
            x = T.tensor(values, dtype=getattr(T, kind)).reshape(base).requires_grad_(gradient)
            y = x * 1 if gradient else x
            if seen == "turned" and len(shape) > 1:
                y = y.permute(*range(len(shape) - 1, -1, -1))
            elif seen == "sliced" and shape:
                y = y[tuple([slice(1, None)] * len(shape))]
            elif seen == "sliced":
                y = y.reshape(())
            pair.append(y)
            self.made.append(x)
        return Both(pair)

    def dim(self, rank):
        rank = max(rank, 1)
        return self.r.randint(-rank, rank - 1) if self.r.random() < 0.95 else self.r.choice((rank, -rank - 1))

    def index(self, shape, n, wrong=0.05):
        """An int64 tensor of numbers below n."""
        r = self.r
        count = torch.Size(shape).numel()
        values = [r.randint(0, max(n - 1, 0)) for _ in range(count)]
        if values and r.random() < wrong:
            values[r.randrange(len(values))] = r.choice((n, -1))
        kind = "int64" if r.random() < 0.95 else r.choice(("int32", "float32"))
        return Both([T.tensor(values, dtype=getattr(T, kind)).reshape(shape) for T in (torch, tt)])


def side(x, k):
    if isinstance(x, Both):
        return x.pair[k]
    if isinstance(x, dict):
        return {name: side(v, k) for name, v in x.items()}
    return type(x)(side(v, k) for v in x) if isinstance(x, (list, tuple)) else x


# ---- arguments -----------------------------------------------------------------------------------


def _along(c, x, shape):
    """dim and an index of gather or scatter."""
    d = c.dim(len(shape))
    rank = len(shape)
    at = [c.r.randint(0, n) for n in shape]
    if rank and -rank <= d < rank:
        at[d] = c.r.choice(SIZES)
    return d, at, (shape[d] if rank and -rank <= d < rank else 1)


def gather(c):
    shape = c.shape()
    d, at, n = _along(c, None, shape)
    return (c.tensor(shape), d, c.index(at, n)), {}


def scatter(c):
    shape = c.shape()
    d, at, n = _along(c, None, shape)
    x = c.tensor(shape)
    kind = str(x.pair[0].dtype)[6:]
    src = c.tensor(at, kind) if c.r.random() < 0.95 else c.tensor(c.shape())
    return (x, d, c.index(at, n), src), {}


def scatter_reduce(c):
    args, _ = scatter(c)
    return (*args, c.r.choice(("sum", "mean", "amax", "amin", "prod"))), {"include_self": c.r.random() < 0.5}


def index_add(c):
    shape = [n or 1 for n in c.shape(4, 1)]
    d = c.dim(len(shape))
    inside = -len(shape) <= d < len(shape)
    k = c.r.randint(0, 4)
    x = c.tensor(shape)
    source = [k if e == d % len(shape) else n for e, n in enumerate(shape)] if inside else shape
    index = c.index([k], shape[d] if inside else 1)
    return (x, d, index, c.tensor(source, str(x.pair[0].dtype)[6:])), {}


def masked(c):
    shape = c.shape()
    mask = [n if c.r.random() < 0.8 else 1 for n in shape][c.r.randint(0, min(1, len(shape))) :]
    return (c.tensor(shape), c.tensor(mask, "bool"), c.r.choice((0, 1, 2.5, True))), {}


def joined(c):
    shape = c.shape(3, 1)
    d = c.dim(len(shape))
    parts = []
    for _ in range(c.r.randint(1, 3)):
        own = list(shape)
        if -len(shape) <= d < len(shape):
            own[d] = c.r.choice(SIZES)
        parts.append(c.tensor(own))
    return (parts, d), {}


def products(*shapes):
    """Operands of shapes written in letters, with random sizes for them."""

    def arguments(c):
        size = {k: c.r.choice(SIZES) for k in "abcdefg"}
        kind = c.r.choice((*FLOATS, "int64"))
        made = [[size[k] if c.r.random() < 0.97 else c.r.choice(SIZES) for k in text] for text in shapes]
        return tuple(c.tensor(shape, kind) for shape in made), {}

    return arguments


def square(rank=2):
    def arguments(c):
        n = c.r.randint(1, 4)
        shape = [c.r.randint(0, 2) for _ in range(c.r.randint(0, 1))] + [n, n]
        return (c.tensor(shape, "float64"),), {}

    return arguments


def solved(c):
    (A,), _ = square()(c)
    shape = list(A.pair[0].shape)
    return (A, c.tensor([*shape[:-1], c.r.randint(1, 3)], "float64")), {}


def dims_of(c, shape):
    rank = len(shape)
    return [c.dim(rank) for _ in range(c.r.randint(0, 2))]


def sizes_of(c, shape):
    n, sizes = torch.Size(shape).numel(), []
    while n > 1 and len(sizes) < 2:
        k = c.r.choice([k for k in range(1, n + 1) if n % k == 0])
        sizes.append(k)
        n //= k
    sizes.append(n)
    if c.r.random() < 0.3:
        sizes[c.r.randrange(len(sizes))] = -1
    return tuple(sizes)


def two_dims(c, shape):
    return c.dim(len(shape)), c.dim(len(shape))


def permutation(c, shape):
    order = list(range(len(shape)))
    c.r.shuffle(order)
    return (tuple(order if c.r.random() < 0.95 else order[1:]),)


def cuts(c, shape):
    d = c.dim(len(shape))
    n = shape[d] if shape and -len(shape) <= d < len(shape) else 1
    if c.r.random() < 0.5:
        return c.r.randint(-1, 4), d
    at = c.r.randint(0, n)
    return [at, n - at], d


EQUATIONS = (
    (("ab", "bc"), "ab,bc->ac"), (("ab", "ab"), "ab,ab->"), (("abc", "acd"), "abc,acd->abd"), (("aab",), "iij->ij"),
    (("ab", "cb", "c"), "ab,cb,c->a"), (("abc",), "...i->i..."), (("ab", "ba"), "ij,ji"), (("a", "b"), "i,j->ji"),
    (("dabc", "dcb"), "dabc,dcb->da"), (("abc", "bcd"), "i...j,...jk->i...k"),
)  # fmt: skip


def einsum(c):
    shapes, equation = c.r.choice(EQUATIONS)
    args, _ = products(*shapes)(c)
    return (equation, *args), {}


CALLS = {
    **front_calls.CALLS,
    **dict.fromkeys(("gather",), gather),
    **dict.fromkeys(("scatter", "scatter_add"), scatter),
    "scatter_reduce": scatter_reduce,
    **dict.fromkeys(("index_add", "index_copy"), index_add),
    "index_select": one(lambda c, s: (c.dim(len(s)), c.index([c.r.randint(0, 3)], min(s or [1])))),
    "index_fill": full(lambda c, s: (c.dim(len(s)), c.index([c.r.randint(0, 3)], min(s or [1])), c.r.choice((1, 0.5)))),
    "take": one(lambda c, s: (c.index(c.shape(2), torch.Size(s).numel()),)),
    "masked_fill": masked,
    "masked_select": lambda c: (masked(c)[0][:2], {}),
    "nonzero": one(lambda c, s: ()),
    "argwhere": one(lambda c, s: ()),
    "sort": one(lambda c, s: (c.dim(len(s)), c.r.random() < 0.5)),
    "msort": one(lambda c, s: ()),
    "topk": one(lambda c, s: (c.r.randint(0, 3), c.dim(len(s)), c.r.random() < 0.5)),
    "kthvalue": one(lambda c, s: (c.r.randint(0, 3), c.dim(len(s)), c.r.random() < 0.5)),
    "cat": joined,
    "stack": joined,
    "hstack": lambda c: (joined(c)[0][:1], {}),
    "vstack": lambda c: (joined(c)[0][:1], {}),
    "reshape": one(lambda c, s: (sizes_of(c, s),)),
    "flatten": one(two_dims),
    "squeeze": one(lambda c, s: dims_of(c, s)[:1]),
    "unsqueeze": one(lambda c, s: (c.dim(len(s) + 1),)),
    "permute": one(permutation),
    "transpose": one(two_dims),
    "movedim": one(two_dims),
    "flip": one(lambda c, s: (tuple(dims_of(c, s)),)),
    "roll": one(lambda c, s: (c.r.randint(-3, 3), *dims_of(c, s)[:1])),
    "rot90": one(lambda c, s: (c.r.randint(-4, 4), two_dims(c, s))),
    "split": one(cuts),
    "chunk": one(lambda c, s: (c.r.randint(0, 3), c.dim(len(s)))),
    "unbind": one(lambda c, s: (c.dim(len(s)),)),
    "tensor_split": one(lambda c, s: (c.r.randint(0, 3), c.dim(len(s)))),
    "narrow": one(lambda c, s: (c.dim(len(s)), c.r.randint(-2, 3), c.r.randint(-1, 3))),
    "select": one(lambda c, s: (c.dim(len(s)), c.r.randint(-3, 3))),
    "diagonal": one(lambda c, s: (c.r.randint(-3, 3), *two_dims(c, s))),
    "diag": one(lambda c, s: (c.r.randint(-2, 2),)),
    "diag_embed": one(lambda c, s: (c.r.randint(-2, 2),)),
    "diagflat": one(lambda c, s: ()),
    "tril": one(lambda c, s: (c.r.randint(-3, 3),)),
    "triu": one(lambda c, s: (c.r.randint(-3, 3),)),
    "trace": one(lambda c, s: ()),
    "repeat_interleave": one(lambda c, s: (c.r.randint(-1, 3), *dims_of(c, s)[:1])),
    "tile": one(lambda c, s: (tuple(c.shape(3)),)),
    "broadcast_to": one(lambda c, s: (tuple(c.shape(2)) + tuple(s if c.r.random() < 0.8 else c.shape()),)),
    ".unfold": one(lambda c, s: (c.dim(len(s)), c.r.randint(-1, 4), c.r.randint(0, 3))),
    ".repeat": one(lambda c, s: tuple(c.shape(5, len(s)))),
    ".expand": one(lambda c, s: (tuple(n if n != 1 else c.r.choice(SIZES) for n in s),)),
    ".view": one(lambda c, s: (sizes_of(c, s),)),
    "as_strided": one(
        lambda c, s: ((c.r.randint(0, 2), c.r.randint(0, 2)), (c.r.randint(0, 2), c.r.randint(0, 2)), c.r.randint(0, 1))
    ),
    "mm": products("ab", "bc"),
    "bmm": products("abc", "acd"),
    "mv": products("ab", "b"),
    "dot": products("a", "a"),
    "outer": products("a", "b"),
    "inner": products("ab", "cb"),
    "matmul": products("abc", "cd"),
    "addmm": products("ac", "ab", "bc"),
    "baddbmm": products("abd", "abc", "acd"),
    "tensordot": products("abc", "bcd"),
    "einsum": einsum,
    "norm": one(lambda c, s: (c.r.choice((1, 2, 3, 0, float("inf"))), *dims_of(c, s)[:1])),
    "cdist": products("ab", "cb"),
    "linalg.det": square(),
    "linalg.slogdet": square(),
    "linalg.inv": square(),
    "linalg.qr": square(),
    "linalg.svdvals": square(),
    "linalg.pinv": square(),
    "linalg.matrix_exp": square(),
    "linalg.solve": solved,
    "linalg.lu": square(),
}
IN_PLACE = (
    "scatter_",
    "scatter_add_",
    "index_add_",
    "index_fill_",
    "masked_fill_",
    "tril_",
    "triu_",
    "transpose_",
    "squeeze_",
    *front_calls.IN_PLACE,
)
UNORDERED = ("sort", "topk", "kthvalue", "median", "nanmedian")  # indices of equal elements


def found(name, k):
    owner = (torch, tt)[k]
    if name in front_calls.OWN:
        return front_calls.OWN[name](owner)
    if name.startswith("."):
        return getattr(owner.Tensor, name[1:])
    if name.endswith("_"):
        return getattr(owner.Tensor, name)
    for part in name.split("."):
        owner = getattr(owner, part)
    return owner


def outcome(name, args, keywords, made, k):
    T = (torch, tt)[k]
    try:
        given = [side(a, k) for a in args]
        if name.endswith("_"):
            given[0] = given[0] * 1 if given[0].dtype is not T.bool else given[0].clone()
        out = found(name, k)(*given, **side(keywords, k))
        result = plain(out, T)
    except Exception as error:
        return "error", [kind.__name__ for kind in type(error).__mro__], str(error).split("\n")[0]
    total = None
    for j, y in enumerate(tensors(out, T)):
        if y.requires_grad and y.numel() and y.dtype.is_floating_point:
            term = (y * T.arange(1 + j, 1 + j + y.numel(), dtype=y.dtype).reshape(y.shape)).sum().to(T.float64)
            total = term if total is None else total + term
    if total is not None:
        try:
            total.backward()
        except Exception as error:
            return "error", [kind.__name__ for kind in type(error).__mro__], str(error).split("\n")[0]
    return "value", result, [plain(x.grad.clone(), T) if x.grad is not None else 0 for x in made[k::2]]


def complaint(r, names):
    """None where a random call agrees, else a sentence."""
    name = r.choice(names)
    c = Call(r)
    args, keywords = CALLS[name[:-1] if name.endswith("_") else name](c)
    want, got = [outcome(name, args, keywords, c.made, k) for k in (0, 1)]
    text = "%s(%s%s)" % (name, ", ".join(shown(a) for a in args), "".join(", %s=%r" % v for v in keywords.items()))
    if want[0] != got[0]:
        return "%s: PyTorch %s, here %s" % (text, want[:3], got[:3])
    if want[0] == "error":
        return None if want[1][0] in got[1] else "%s: PyTorch raises %s, here %s" % (text, want[1:], got[1:])
    if name in UNORDERED:
        want, got = [(v[0], v[1][:1], []) for v in (want, got)]
    if not near(want[1], got[1], 1e-4):
        return "%s: PyTorch %s, here %s" % (text, want[1], got[1])
    return None if near(want[2], got[2], 1e-3) else "%s: gradients are %s, here %s" % (text, want[2], got[2])


def shown(a):
    if isinstance(a, Both):
        x = a.pair[0]
        if isinstance(x, torch.dtype):
            return str(x)
        return "%s%s%s" % (str(x.dtype)[6:], list(x.shape), "" if x.is_contiguous() else "'")
    return "[%s]" % ", ".join(map(shown, a)) if isinstance(a, list) else repr(a)


def run(count, seed, names=None):
    """The complaints of `count` random calls."""
    names = names or [*CALLS, *IN_PLACE]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for n in range(count):
            problem = complaint(random.Random("%s:%d" % (seed, n)), names)
            if problem:
                yield "%d: %s" % (n, problem)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--only", nargs="*", help="names of functions")
    options = parser.parse_args()
    problems = 0
    for text in run(options.count, options.seed, options.only):
        problems += 1
        print(text[:1000], flush=True)
    print("%d calls, %d differ" % (options.count, problems))
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
