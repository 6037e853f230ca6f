"""Random chains of views: each step and every element equals PyTorch's, or both refuse the step.

    python3 -m tests.fuzz.views --count 1000000           # compared with PyTorch
    python3 -m tests.fuzz.views --count 1000000 --asan    # read under AddressSanitizer

A chain starts at a tensor of consecutive numbers and takes up to five steps, whose arguments are
often wrong: sizes that are negative, too large, floats, bools or 0-d tensors. PyTorch and the
package get the same steps. Where both give a tensor, its shape and at the end its elements have to
be equal. Where one raises, the other has to raise an error of the same kind. A third of the chains
writes a number through the last view and compares the first tensor. Under AddressSanitizer each
tensor has an allocation of its own, and the elements are compared with offset and strides.
"""

import argparse
import random
import sys

SIZES = (0, 1, 1, 2, 2, 3, 4, 5)
HUGE = (7, -7, 1 << 31, -(1 << 31), 1 << 62, -(1 << 62))


class Wrapped:
    """An int as a 0-d integer tensor, or a float as a 0-d float tensor."""

    def __init__(self, value):
        self.value = value

    def __repr__(self):
        return "tensor(%r)" % self.value


def number(r, low, high):
    """Mostly an int in [low, high], at times what is no such int."""
    kind = r.random()
    high = max(low, high)
    if kind < 0.8:
        return r.randint(low, high)
    if kind < 0.88:
        return r.choice(HUGE)
    if kind < 0.92:
        return Wrapped(r.randint(low, high))
    return r.choice((1.0, 0.5, True, False, None, "1", Wrapped(1.0), Wrapped(True)))


def dim(r, x):
    return number(r, -x.ndim - (r.random() < 0.1), x.ndim - (r.random() < 0.9))


def divisors(r, n):
    """Sizes whose product is n, in one to three dimensions."""
    sizes = []
    while n > 1 and len(sizes) < 2:
        d = r.choice([d for d in range(1, n + 1) if n % d == 0])
        sizes.append(d)
        n //= d
    sizes.append(n)
    r.shuffle(sizes)
    return sizes


def sizes_of(r, x):
    if r.random() < 0.7:
        sizes = divisors(r, x.numel())
        if r.random() < 0.3:
            sizes[r.randrange(len(sizes))] = -1
        if r.random() < 0.1:
            sizes.insert(r.randrange(len(sizes) + 1), 1)
        return sizes
    return [number(r, -2, 6) for _ in range(r.randint(1, 3))]


def key(r, x):
    keys = []
    ellipsis = False
    for n in x.shape[: r.randint(0, x.ndim)]:
        kind = r.random()
        if kind < 0.4:
            keys.append(
                slice(*(r.choice((None, r.randint(-n - 1, n + 1))) for _ in range(2)), r.choice((None, 1, 2, 3)))
            )
        elif kind < 0.8:
            keys.append(number(r, -n - (r.random() < 0.2), n - (r.random() < 0.8)))
        elif kind < 0.9 and not ellipsis:
            ellipsis = True
            keys.append(Ellipsis)
        else:
            keys.append(None)
    # None is a new dimension, which `number` may give too; a str, bool or bool tensor as a key is
    # an error here and mostly none in PyTorch.
    keys = [
        0 if k is True or k is False or k == "1" or (isinstance(k, Wrapped) and k.value is True) else k for k in keys
    ]
    return tuple(keys) if len(keys) != 1 else keys[0]


def rows(r, x):
    """Index lists for leading dimensions; at times out of range in one of them."""
    count = r.randint(1, x.ndim)
    length = r.randint(1, 3)
    wrong = r.random() < 0.3
    return tuple([r.randint(-n - wrong, n - (not wrong)) if n else 0 for _ in range(length)] for n in x.shape[:count])


def step(r, x):
    """(name, args) of a step from x."""
    name = r.choice(NAMES)
    if name in ("view", "reshape"):
        return name, (sizes_of(r, x),)
    if name == "expand":
        sizes = [r.choice((n, n, -1, r.randint(0, 3))) if n == 1 else r.choice((n, n, n, -1)) for n in x.shape]
        sizes = [number(r, -2, 4) if r.random() < 0.07 else n for n in sizes]
        return name, ([r.choice((1, 2, 3, -1)) for _ in range(r.choice((0, 0, 1)))] + sizes or [2],)
    if name == "permute":
        dims = list(range(x.ndim)) or [0]
        r.shuffle(dims)
        return name, ([number(r, -x.ndim, x.ndim) if r.random() < 0.1 else d - r.choice((0, 0, x.ndim)) for d in dims],)
    if name == "transpose":
        return name, (dim(r, x), dim(r, x))
    if name in ("unsqueeze", "squeeze"):
        d = dim(r, x)
        return name, (0 if d is None else d,)
    if name == "flatten":
        return name, (dim(r, x), dim(r, x))
    if name == "narrow":
        return name, (dim(r, x), number(r, -4, 5), number(r, -1, 4))
    if name == "select":
        return name, (dim(r, x), number(r, -5, 4))
    if name == "split":
        if r.random() < 0.5:
            return name, (number(r, -1, 6), dim(r, x))
        d = r.randrange(x.ndim) if x.ndim else 0
        rest, sizes = x.shape[d] if x.ndim else 1, []
        while rest > 0 and len(sizes) < 4:
            sizes.append(r.randint(0, rest))
            rest -= sizes[-1]
        sizes.append(rest)
        if r.random() < 0.3:
            sizes[r.randrange(len(sizes))] += r.choice((-1, 1, -3, 3))
        return name, (sizes, d)
    if name == "chunk":
        count = number(r, -1, 6)
        return name, (9 if count in HUGE else count, dim(r, x))  # a size of 0 is cut into as many parts
    if name == "index":
        return name, (key(r, x),)
    if name == "rows":
        return (name, (rows(r, x),)) if x.ndim else ("clone", ())
    return name, ()


NAMES = (
    "view reshape expand permute transpose unsqueeze squeeze flatten narrow select split chunk index index index "
    "rows contiguous clone t detach"
).split()


def given(library, value):
    """An argument as the library takes it."""
    if isinstance(value, Wrapped):
        return library.tensor(value.value)
    if isinstance(value, (list, tuple)):
        return type(value)([given(library, v) for v in value])
    return value


def apply(library, x, name, args):
    if name == "index":
        return x[given(library, args[0])]
    if name == "rows":
        return x[tuple([library.tensor(k) for k in args[0]])].contiguous()  # PyTorch keeps the order of the strides
    if name == "clone" and library.__name__ == "torch":  # else it keeps the order of the strides
        return x.clone(memory_format=library.contiguous_format)
    return getattr(x, name)(*given(library, args))


class Finding(Exception):
    """What differs, with the chain that shows it."""


def outcome(library, x, name, args):
    try:
        return apply(library, x, name, args), None
    except Exception as error:
        return None, error


def parts(value):
    return [p for v in value for p in parts(v)] if isinstance(value, (list, tuple)) else [value]


def same_kind(mine, theirs, args):
    """Whether the errors are of one kind. Where several arguments may be wrong, either may come
    first. A tensor that is no 0-d integer, None and an int beyond 64 bits have several kinds in
    PyTorch itself.
    """
    wrong = [v for v in parts(args) if v is None or isinstance(v, bool) or no_int(v)]
    if len(parts(args)) > 1 or wrong:
        return isinstance(mine, (IndexError, RuntimeError, TypeError, ValueError))
    return any(
        issubclass(type(mine), kind) for kind in (type(theirs), *type(theirs).__bases__) if kind is not Exception
    )


def no_int(value):
    return isinstance(value, Wrapped) and type(value.value) is not int


def stricter(error, name, args):
    """What PyTorch lets pass: of a list it looks at the first size alone, so that a later one may
    be a bool; a 0-d tensor of bool or float is a size in some functions; expand of no element takes
    negative sizes.
    """
    if isinstance(error, TypeError):
        return any(isinstance(v, bool) or no_int(v) for v in parts(args))
    # A count of elements that passes 64 bits is refused there too, unless a 0 is in front of it.
    numbers = [n for n in (getattr(v, "value", v) for v in parts(args)) if type(n) is int]
    huge = name in ("view", "reshape", "expand") and max(numbers, default=0) > 1 << 30
    return isinstance(error, RuntimeError) and (huge or (name == "expand" and min(numbers, default=0) < -1))


def compare(mine, theirs, chain):
    if tuple(mine.shape) != tuple(theirs.shape):
        raise Finding("%s: shape %s, in PyTorch %s" % (chain, tuple(mine.shape), tuple(theirs.shape)))


def chain_beside_torch(r, T, torch):
    shape = [r.choice(SIZES) for _ in range(r.choice((0, 1, 2, 2, 3, 3, 4)))]
    n = 1
    for size in shape:
        n *= size
    base, torch_base = T.arange(n).reshape(shape), torch.arange(n, dtype=torch.int32).reshape(shape)
    if r.random() < 0.5:
        base, torch_base = base.float(), torch_base.float()
    x, y = base, torch_base
    chain = ["arange(%d).reshape(%s)" % (n, shape)]
    for _ in range(r.randint(1, 5)):
        name, args = step(r, y)
        chain.append("%s%r" % (name, args))
        mine, error = outcome(T, x, name, args)
        theirs, torch_error = outcome(torch, y, name, args)
        if torch_error is None and stricter(error, name, args):
            chain.pop()
            continue
        if (error is None) != (torch_error is None):
            raise Finding("%s: %r, in PyTorch %r" % (chain, error or mine.shape, torch_error or "a result"))
        if error is not None:
            if not same_kind(error, torch_error, args):
                raise Finding("%s: %r, in PyTorch %r" % (chain, error, torch_error))
            chain.pop()
            continue
        if isinstance(theirs, tuple):
            if len(mine) != len(theirs):
                raise Finding("%s: %d parts, in PyTorch %d" % (chain, len(mine), len(theirs)))
            for a, b in zip(mine, theirs):
                compare(a, b, chain)
            if not theirs:
                continue
            at = r.randrange(len(theirs))
            chain.append("[%d]" % at)
            mine, theirs = mine[at], theirs[at]
        compare(mine, theirs, chain)
        if max(theirs.numel(), *theirs.shape, 0) > 3000:
            break
        x, y = mine, theirs
    if x.tolist() != y.tolist():
        raise Finding("%s: %s, in PyTorch %s" % (chain, x.tolist(), y.tolist()))
    if r.random() < 0.3 and 0 not in [s for n, s in zip(y.shape, y.stride()) if n > 1]:
        x.fill_(-1)
        y.fill_(-1)
        if base.tolist() != torch_base.tolist():
            raise Finding("%s.fill_(-1): %s, in PyTorch %s" % (chain, base.tolist(), torch_base.tolist()))


def elements(shape, strides, at):
    """Nested lists of the places that a view shows."""
    if not shape:
        return at
    return [elements(shape[1:], strides[1:], at + i * strides[0]) for i in range(shape[0])]


def chain_read(r, T):
    """A chain without an oracle: every element is read, and is where offset and strides say."""
    shape = [r.choice(SIZES) for _ in range(r.choice((0, 1, 2, 2, 3, 3, 4)))]
    n = 1
    for size in shape:
        n *= size
    base = x = T.arange(n).reshape(shape)
    chain = ["arange(%d).reshape(%s)" % (n, shape)]
    for _ in range(r.randint(1, 5)):
        name, args = step(r, x)
        got, error = outcome(T, x, name, args)
        if error is not None:
            continue
        chain.append("%s%r" % (name, args))
        if isinstance(got, tuple):
            for part in got:
                part.tolist()
            if not got:
                continue
            got = got[r.randrange(len(got))]
        if max(got.numel(), *got.shape, 0) > 3000:
            break
        x = got
    values = x.tolist()
    if x._storage is base._storage and values != elements(x.shape, x._strides, x._offset):
        raise Finding("%s: %s" % (chain, values))
    if x._storage is base._storage and 0 not in [s for n, s in zip(x.shape, x._strides) if n > 1]:
        x.fill_(-1)
        base.tolist()


def run(count, seed, torch=None, findings=1):
    """`count` chains; the sentences of what differed, at most `findings`."""
    import tinygpt as T

    found = []
    for i in range(count):
        r = random.Random((seed << 32) + i)
        try:
            if torch is None:
                chain_read(r, T)
            else:
                chain_beside_torch(r, T, torch)
        except Finding as finding:
            found.append("chain %d of seed %d: %s" % (i, seed, finding))
            if len(found) >= findings:
                break
    return found


UNDER_ASAN = """
from tests.fuzz import views
from tinygpt.devices import cpu
cpu.BLOCK = 0  # each tensor is an allocation of its own
views.run(%d, %d)
"""


def run_under_asan(count, seed, each=50000):
    """As `run` without PyTorch, in the build with AddressSanitizer, whose report ends it."""
    from tests import hosts

    found = []
    for start in range(0, count, each):
        found += hosts.value(UNDER_ASAN % (min(each, count - start), seed + start), variant="asan")
    hosts.stop("native", "asan")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--findings", type=int, default=10)
    parser.add_argument("--asan", action="store_true")
    args = parser.parse_args()
    if args.asan:
        found = run_under_asan(args.count, args.seed)
    else:
        import torch

        import tinygpt

        tinygpt.set_device("native")
        torch.set_num_threads(1)
        found = run(args.count, args.seed, torch, args.findings)
    print("\n".join(found) or "%d chains, no finding" % args.count)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
