"""Random expressions of int32, bool and float32 tensors and Python numbers: value, dtype and error
are PyTorch's.

    python3 -m tests.fuzz.integers --count 100000

PyTorch's int64 is int32 here: where it holds a value that int32 does not, the package has to refuse
the expression. It may refuse a Python number that int32 does not hold, which PyTorch wraps.
"""

import argparse
import math
import random
import sys

INTS = (0, 1, -1, 2, 3, 5, 7, -8, 31, 32, 255, 65535, 65536, 16777217, -16777217, 2147483647, -2147483648, 1 << 30)
OUTSIDE = (2147483648, -2147483649, 1 << 40, -(1 << 40))
FLOATS = (0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 16777216.0, 1e10, -1e10, math.inf, -math.inf, math.nan)

BINARY = "+ - * / // % ** & | ^ << >> == != < <= > >=".split()
# a, b, c: operands. t: a tensor operand. k: a bool tensor of t's shape. n: a number of elements.
EXPRESSIONS = [
    *("a %s b" % symbol for symbol in BINARY),
    *("t %s b" % symbol for symbol in BINARY),
    *("b %s t" % symbol for symbol in BINARY),
    "-t", "~t", "abs(t)", "t.square()", "t.relu()", "t.float()", "t.bool()", "t.sigmoid() * 0", "t.neg()",
    "t.sum()", "t.sum(0)", "t.sum(-1)", "t.sum(0, keepdim=True)", "t.max()", "t.min()", "t.max(0)[0]", "t.min(-1)[1]",
    "t.argmax()", "t.argmin(-1)", "t.any()", "t.all()", "t.mean()", "t.clamp(b)", "t.clamp(max=b)", "t.clamp(b, c)",
    "m.maximum(t, u)", "m.minimum(t, u)",
    "m.where(k, t, b)", "m.where(k, b, t)", "m.where(k, b, c)", "m.where(t, b, c)",
    "t.masked_fill(k, b)", "m.cat([t, u])", "m.cat([t, u, t], -1)", "m.stack([t, u])", "m.stack([u, t], -1)",
    "t[i]", "t[i, j]", "t[0]", "t[..., -1]", "t.add(b, alpha=n)", "t.sub(u, alpha=n)", "t.add(u, alpha=0.5)",
    "m.full((2,), b, dtype=m.int32)", "m.full((2,), b, dtype=m.bool)", "m.arange(n, n + 3, dtype=m.int32)",
    "t.T.contiguous()", "m.tril(t)", "t + t", "t * t", "t == t", "t.reshape(-1)[0]", "t.item()", "u.tolist()",
    "bool(t.any())", "t.bitwise_and(u)", "t.bitwise_xor(b)", "t.logical_and(k)", "t.logical_not()", "t.type_as(u)",
    *("set: t %s= b" % symbol for symbol in "+ - * / // % ** & | ^ << >>".split()),
    *("set: t %s= u" % symbol for symbol in "+ - * / // % ** & | ^ << >>".split()),
    "set: t[0] = b", "set: t[:, 1] = b", "set: t[k] = b", "set: t[k] = u.reshape(-1)[0]", "set: t[0] = u[0]",
    "set: t.fill_(b)", "set: t.copy_(u)", "set: t.masked_fill_(k, b)", "set: t[..., 0] = u[..., 1]",
]  # fmt: skip


def scalar(r):
    kind = r.random()
    if kind < 0.45:
        return r.choice(INTS) if r.random() < 0.7 else r.randint(-40, 40)
    return r.choice(OUTSIDE) if kind < 0.55 else r.choice(FLOATS) if kind < 0.85 else r.random() < 0.5


def array(r, shape, kind):
    n = 1
    for size in shape:
        n *= size
    if kind == "bool":
        flat = [r.random() < 0.5 for _ in range(n)]
    elif kind == "float32":
        flat = [r.choice(FLOATS) if r.random() < 0.3 else r.uniform(-9, 9) for _ in range(n)]
    else:
        small = r.random() < 0.5
        flat = [r.randint(-9, 9) if small else r.choice(INTS) for _ in range(n)]
    for size in reversed(shape[1:]):
        flat = [flat[i : i + size] for i in range(0, len(flat), size)]
    return flat if shape else flat[0]


def kind_of(r):
    return r.choice(("int32", "int32", "int32", "bool", "float32"))


def inputs(r):
    """{name: a tensor as ("kind", nested lists), or a number}"""
    shape = [r.choice((1, 2, 3)), r.choice((2, 3, 4))]
    kinds = {name: kind_of(r) for name in "tuabc"}
    names = {
        "t": (kinds["t"], array(r, shape, kinds["t"])),
        "u": (kinds["u"], array(r, shape, kinds["u"])),
        "k": ("bool", array(r, shape, "bool")),
        "i": ("int32", [r.randint(-shape[0] - (r.random() < 0.1), shape[0] - 1) for _ in range(2)]),
        "j": ("int32", [r.randint(-shape[1], shape[1] - (r.random() < 0.9)) for _ in range(2)]),
        "n": r.choice((0, 1, 2, 3, -1, 2147483646)),
        "a": (kinds["a"], array(r, shape, kinds["a"])),
    }
    for name in "bc":
        other = r.choice(([], shape[1:], shape))
        names[name] = scalar(r) if r.random() < 0.6 else (kinds[name], array(r, other, kinds[name]))
    return names


def evaluate(library, source, given):
    """The value of the expression, or of t after the statement."""
    names = {"m": library}
    kinds = {name: getattr(library, name, library.int32) for name in ("bool", "int32", "int64", "float32")}
    for name, value in given.items():
        names[name] = library.tensor(value[1], dtype=kinds[value[0]]) if type(value) is tuple else value
    if source.startswith("set: "):
        exec(source[5:], names)
        return names["t"]
    return eval(source, names)


def plain(value):
    """(dtype or None, shape, nested lists)"""
    if hasattr(value, "tolist"):
        return str(value.dtype).split(".")[1].replace("int64", "int32"), tuple(value.shape), value.tolist()
    return None, None, value


def flat(value):
    return [v for item in value for v in flat(item)] if isinstance(value, list) else [value]


def fits(value):
    return all(isinstance(v, float) or -2147483649 < v < 2147483648 for v in flat(value))


def equal(mine, theirs):
    """Integers exactly, floats to the last places: float32 in other orders."""
    for a, b in zip(flat(mine), flat(theirs), strict=True):
        if isinstance(a, bool) != isinstance(b, bool) or isinstance(a, float) != isinstance(b, float):
            return False
        if isinstance(a, float):
            if not (a == b or (a != a and b != b) or math.isclose(a, b, rel_tol=3e-6, abs_tol=3e-6)):
                return False
        elif a != b:
            return False
    return True


def undefined(source, given):
    """What C++ leaves undefined, so that PyTorch's value is its compiler's: a float beyond int32 as
    int32 (t becomes int32 from a float), the least int32 divided by -1.
    """
    if "float32" in (given["t"][0], given["a"][0]) and any(word in source for word in ("sum", "mean", "**")):
        return True  # what a sum of very different numbers keeps, and whether 2^31 + 1 is odd, is rounding
    floats = [v for g in given.values() if type(g) is tuple and g[0] == "float32" for v in flat(g[1])]
    if given["t"][0] == "int32" and source.startswith("set: ") or "type_as" in source:
        if any(not abs(v) < 2147483648 for v in floats):
            return True
    least = any(-2147483648 in flat(g[1] if type(g) is tuple else g) for g in given.values())
    return least and ("//" in source or "%" in source)


class Finding(Exception):
    """What differs."""


def compare(r, T, torch):
    source, given = r.choice(EXPRESSIONS), inputs(r)
    if undefined(source, given):
        return
    results = []
    # With a number that int32 does not hold PyTorch compares what is left of it; int64 is right.
    outside = any(type(v) is int and not fits(v) for v in given.values())
    if outside and any(" %s " % symbol in source for symbol in ("==", "!=", "<", "<=", ">", ">=")):
        given = {n: ("int64", v[1]) if type(v) is tuple and v[0] != "float32" else v for n, v in given.items()}
    for library in (T, torch):
        try:
            results.append((plain(evaluate(library, source, given)), None))
        except Exception as error:
            results.append((None, error))
    (mine, error), (theirs, torch_error) = results
    shown = "%s with %s" % (source, {n: given[n] for n in given if n in source.replace("set:", "")})
    if error is not None and torch_error is None:
        if isinstance(error, OverflowError) and (
            outside or not fits(theirs[2]) or "arange" in source or "alpha" in source
        ):
            return
        if (
            isinstance(error, OverflowError)
            and "bool" in (given["t"][0], given["a"][0])
            and ("<<" in source or "+" in source)
        ):
            return  # PyTorch's int64 holds it
        if source == "set: t[k] = b" and "how many places" in str(error):
            return  # PyTorch accepts a tensor where the mask happens to select as many places
        raise Finding("%s: %r, in PyTorch %s" % (shown, error, theirs))
    if torch_error is not None:
        if error is None:
            raise Finding("%s: %s, in PyTorch %r" % (shown, mine, torch_error))
        if not isinstance(error, (type(torch_error), *type(torch_error).__bases__[:1])) or type(error) is Exception:
            raise Finding("%s: %r, in PyTorch %r" % (shown, error, torch_error))
        return
    if mine[:2] != theirs[:2] or not equal(mine[2], theirs[2]):
        raise Finding("%s: %s, in PyTorch %s" % (shown, mine, theirs))


def run(count, seed, torch, findings=1):
    """`count` expressions; the sentences of what differed, at most `findings`."""
    import tinygpt as T

    found = []
    for i in range(count):
        try:
            compare(random.Random((seed << 32) + i), T, torch)
        except Finding as finding:
            found.append("expression %d of seed %d: %s" % (i, seed, finding))
            if len(found) >= findings:
                break
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--findings", type=int, default=10)
    parser.add_argument("--device", default="native")
    args = parser.parse_args()
    import torch

    import tinygpt

    tinygpt.set_device(args.device)
    torch.set_num_threads(1)
    found = run(args.count, args.seed, torch, args.findings)
    print("\n".join(found) or "%d expressions, no finding" % args.count)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
