"""Probes: one line of PyTorch code evaluated by PyTorch and by the front in the same process, and
how the two answers differ.

A line is statements and an expression, joined by `;`. `{a|b|c}` in it makes a line of each
alternative. It sees torch, F, nn, np, math, inf, nan and fresh inputs (INPUTS). Both sides start
from seed 0. The inputs' gradients are those of the sum of all floats of the answer, each times a
fixed weight.
"""

import ast
import itertools
import math
import re
import warnings

import numpy as np
import torch as pytorch

FLOATS = {  # name: shape, least and largest value; with a gradient
    "f": ((2, 3), -2, 2),
    "g": ((2, 3), -2, 2),
    "p": ((2, 3), 0.1, 3),
    "v": ((3,), -2, 2),
    "w": ((3,), -2, 2),
    "s": ((), -2, 2),
    "m": ((3, 3), -2, 2),
    "a": ((3, 4), -2, 2),
    "q": ((2, 3, 4), -2, 2),
    "r": ((2, 4, 3), -2, 2),
    "o": ((2, 2, 4, 4), -2, 2),
    "c": ((2, 3), -0.9, 0.9),
    "e": ((0, 3), 0, 1),
}
OTHERS = {
    "i": ([[3, -1, 2], [0, 5, -4]], "int64"),
    "j": ([2, 0, 1], "int64"),
    "y": ([2, 0], "int64"),
    "k": ([[1, 2, -3], [4, 5, 6]], "int32"),
    "u": ([[1, 200, 3], [4, 255, 0]], "uint8"),
    "l": ([[1, -100, 3], [4, 127, 0]], "int8"),
    "z": ([[True, False, True], [False, False, True]], "bool"),
    "b": ([True, False, True], "bool"),
    "d": ([[0.5, -1.25, 2.0], [1e-9, 3.5, -7.0]], "float64"),
    "h": ([[0.5, -1.25, 2.0], [0.1, 3.5, -7.0]], "float16"),
    "x": ([[0.5, -1.25, 2.0], [0.1, 3.5, -7.0]], "bfloat16"),
    "n": ([1.0, float("nan"), float("inf"), -float("inf"), 0.0, -2.5], "float32"),
}
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?")


def expand(line):
    """The lines that a line with alternatives stands for."""
    for start in (place for place, letter in enumerate(line) if letter == "{"):
        depth, parts = 0, [start + 1]
        for place in range(start, len(line)):
            depth += (line[place] in "([{") - (line[place] in ")]}")
            if depth == 1 and line[place] == "|":
                parts.append(place + 1)
            if not depth:
                break
        if len(parts) > 1:
            ends = [*(part - 1 for part in parts[1:]), place]
            lines = [line[:start] + line[a:b] + line[place + 1 :] for a, b in zip(parts, ends)]
            return list(itertools.chain.from_iterable(map(expand, lines)))
    return [line]


def values(name, count, least, largest):
    """Numbers of an input, fixed by its name."""
    random = np.random.RandomState(sum(map(ord, name)) * 7)
    return [round(float(v), 4) for v in random.uniform(least, largest, count)]


def inputs(torch, tree):
    """name -> tensor of the library, new ones, of the names that the line has."""
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    found = {}
    for name in sorted(named & FLOATS.keys()):
        shape, least, largest = FLOATS[name]
        data = np.reshape(values(name, math.prod(shape), least, largest), shape).tolist()
        found[name] = torch.tensor(data, dtype=torch.float32).reshape(shape).requires_grad_()
    for name in sorted(named & OTHERS.keys()):
        data, dtype = OTHERS[name]
        found[name] = torch.tensor(data, dtype=getattr(torch, dtype))
    return found


def evaluate(line, torch):
    """What a line gives with a library: a description of the answer, and of the gradients."""
    torch.manual_seed(0)
    tree = ast.parse(line)
    tensors = inputs(torch, tree)
    nn = torch.nn
    scope = dict(
        tensors, torch=torch, nn=nn, F=getattr(nn, "functional", None), np=np, math=math, inf=math.inf, nan=math.nan
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            *statements, last = tree.body
            exec(compile(ast.Module(statements, []), line, "exec"), scope)
            if isinstance(last, ast.Expr):
                answer = eval(compile(ast.Expression(last.value), line, "eval"), scope)
            else:
                exec(compile(ast.Module([last], []), line, "exec"), scope)
                answer = None
            described = describe(answer, torch)
            dense = isinstance(answer, torch.Tensor) and answer.is_contiguous()
            text, grads = text_of(answer, torch), gradients(answer, tensors, torch)
            return {"value": described, "text": text, "grads": grads, "dense": dense}
    except Exception as error:
        return {"error": error}


def text_of(answer, torch):
    return re.sub(r"0x[0-9a-f]+", "0x", repr(answer).replace("tinygpt.torch", "torch"))


def describe(answer, torch):
    """Type, dtype, shape and numbers, as plain Python values."""
    if isinstance(answer, torch.Tensor):
        kind = "Parameter" if isinstance(answer, nn_parameter(torch)) else "Tensor"
        plain = answer.detach().clone()
        shown = plain.to(torch.float64) if str(plain.dtype)[-8:] in (".float16", "bfloat16") else plain
        flags = (answer.requires_grad, answer.is_leaf)
        return (kind, str(answer.dtype), tuple(answer.shape), flags, shown.tolist())
    if isinstance(answer, torch.Size):
        return ("Size", tuple(answer))
    if isinstance(answer, (tuple, list)):
        return ("list" if isinstance(answer, list) else "tuple", [describe(one, torch) for one in answer])
    if isinstance(answer, dict):
        return ("dict", [(str(key), describe(one, torch)) for key, one in answer.items()])
    if answer is None or isinstance(answer, (bool, int, float, str, complex)):
        return (type(answer).__name__, answer)
    if isinstance(answer, np.ndarray):
        return ("ndarray", str(answer.dtype), answer.shape, answer.tolist())
    if isinstance(answer, np.generic):
        return ("numpy", str(answer.dtype), answer.item())
    return ("object",)  # compared by its text


def nn_parameter(torch):
    return torch.nn.Parameter


def floats(answer, torch):
    """The tensors of an answer that have a gradient."""
    if isinstance(answer, torch.Tensor):
        if answer.requires_grad and not answer.is_leaf:
            yield answer
    elif isinstance(answer, (tuple, list)):
        for one in answer:
            yield from floats(one, torch)


def gradients(answer, tensors, torch):
    total = None
    for one in floats(answer, torch):
        count = one.numel()
        weight = torch.tensor(values("weight", count, -1, 1), dtype=one.dtype).reshape(tuple(one.shape))
        part = (one * weight).sum()
        total = part if total is None else total + part
    if total is not None:
        total.backward()
    return {name: describe(x.grad, torch) for name, x in tensors.items() if x.is_leaf and x.grad is not None}


def difference(mine, theirs):
    """How two evaluations differ, in a few words; None where they are equal."""
    if "error" in theirs or "error" in mine:
        a, b = mine.get("error"), theirs.get("error")
        if a is None:
            return "%s is accepted; PyTorch: %s %s" % (mine["text"], type(b).__name__, first_line(b))
        if b is None:
            return "%s: %s; PyTorch: %s" % (type(a).__name__, first_line(a), short(theirs["text"]))
        if type(b).__name__ not in [kind.__name__ for kind in type(a).__mro__]:
            return "%s: %s; PyTorch: %s: %s" % (type(a).__name__, first_line(a), type(b).__name__, first_line(b))
        return None
    if not same(mine["value"], theirs["value"]):
        return "value %s; PyTorch: %s" % (short(mine["value"]), short(theirs["value"]))
    if not same(mine["grads"], theirs["grads"]):
        return "gradient %s; PyTorch: %s" % (short(mine["grads"]), short(theirs["grads"]))
    if theirs["dense"] and not mine["dense"]:
        return "is not contiguous"
    if not same_text(mine["text"], theirs["text"]):
        return "text %s; PyTorch: %s" % (short(mine["text"]), short(theirs["text"]))
    return None


def first_line(error):
    return short((str(error) or "").splitlines()[0] if str(error) else "")


def short(value):
    text = " ".join(str(value).split())
    return text if len(text) < 200 else text[:200] + "..."


def same(a, b, tolerance=None):
    """Equal in all but the rounding of floats."""
    if isinstance(b, dict):
        return isinstance(a, dict) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in b)
    if isinstance(b, (tuple, list)):
        if b and isinstance(b[0], str) and b[0] in ("Tensor", "Parameter") and len(b) == 5:
            loose = {"torch.float16": 2e-3, "torch.bfloat16": 1.6e-2, "torch.float64": 1e-9}.get(b[1], 2e-5)
            return tuple(a[:4]) == tuple(b[:4]) and same(a[4], b[4], loose)
        return isinstance(a, (tuple, list)) and len(a) == len(b) and all(same(x, y, tolerance) for x, y in zip(a, b))
    if isinstance(b, float) and isinstance(a, float):
        if math.isnan(b) or math.isinf(b):
            return math.isnan(a) if math.isnan(b) else a == b
        return abs(a - b) <= (tolerance or 2e-5) * max(abs(b), 0.1)
    return type(a) is type(b) and a == b


def same_text(a, b):
    """Equal in all but the last printed digit of numbers."""
    if a == b:
        return True
    if NUMBER.sub("#", a).split() != NUMBER.sub("#", b).split():
        return False
    return all(map(close, NUMBER.findall(a), NUMBER.findall(b)))


def close(a, b):
    if a == b:
        return True
    if not re.search(r"[.e]", a + b):
        return False
    digits, _, power = b.lower().partition("e")
    unit = 10.0 ** (int(power or 0) - len(digits.partition(".")[2]))
    return abs(float(a) - float(b)) <= max(2.01 * unit, 2e-5 * abs(float(b)), 1e-6)


def read(path):
    """The lines of a table, those with alternatives expanded."""
    texts = [text.strip() for text in path.read_text().splitlines()]
    return list(itertools.chain.from_iterable(expand(text) for text in texts if text and text[0] != "#"))


def limited(path):
    """{line: how it is limited}: `line  # how` of each line of the file."""
    pairs = [text.rpartition("  # ") for text in path.read_text().splitlines() if text and text[0] != "#"]
    return {line.strip(): how for line, _, how in pairs}


def check(line, torch):
    """How the front's answer to a line differs from PyTorch's, or None."""
    return difference(evaluate(line, torch), evaluate(line, pytorch))
