"""Evaluates an expression of the table, its value and its gradients, with tinygpt or with PyTorch:
the same lines for both.

An entry is {"name", "source", "inputs": [{"kind", "shape"}]}; the source sees the library as `m`,
its functional module as `F`, and the inputs as x, y, z, w. Floats come back from every floating
input's gradient of sum(value * weight), with fixed weights.
"""

import array

from tests.kernels.execute import contents

NAMES = "xyzwuv"
FILLS = {"f": ["signed"], "p": ["positive"], "s": ["signed", -4], "g": ["signed"]}  # g: a float that needs no gradient


def fill_of(kind):
    """f, p, s, g as above; b: bools; i LOW HIGH: ints; v ...: these floats, repeated.
    c ...: the same without a gradient.
    """
    words = kind.split()
    if words[0] == "i":
        return ["ints", int(words[1]), int(words[2])]
    if words[0] in ("v", "c"):
        return ["values", [float(v) for v in words[1:]]]
    return ["ints", 0, 2] if kind == "b" else FILLS[kind]


def is_float(kind):
    return kind.split()[0] in ("f", "p", "s", "g", "v", "c")


def count(shape):
    n = 1
    for size in shape:
        n *= size
    return n


def evaluate(entry, library):
    """{"value": (dtype, shape, bytes), "grads": [bytes or None]} with `library`, one of Tinygpt()
    and PyTorch().
    """
    inputs = []
    for i, spec in enumerate(entry["inputs"]):
        kind, shape = spec["kind"], spec["shape"]
        data = contents(
            fill_of(kind), count(shape), "float32" if is_float(kind) else "int32", "%s/%d" % (entry["name"], i)
        )
        x = library.tensor(data, shape, is_float(kind))
        if kind == "b":
            x = x != 0
        if is_float(kind) and kind[0] not in "gc":
            x.requires_grad_()
        inputs.append(x)
    out = eval(entry["source"], {"m": library.m, "F": library.F, **dict(zip(NAMES, inputs))})
    if out.requires_grad:
        weight = contents(["signed"], count(tuple(out.shape)), "float32", entry["name"])
        (out * library.tensor(weight, tuple(out.shape), True)).sum().backward()
    dtype = str(out.dtype).replace("torch.", "").replace("tinygpt.", "")
    return {
        "value": [dtype, list(out.shape), library.data(out.detach())],
        "grads": [library.data(x.grad) if x.grad is not None else None for x in inputs],
    }


class Tinygpt:
    """tinygpt on the current device."""

    def __init__(self):
        import tinygpt

        self.m, self.F = tinygpt, tinygpt.functional

    def tensor(self, data, shape, floating):
        return self.m.empty(*shape, dtype=self.m.float32 if floating else self.m.int32).copy_bytes_(data)

    def data(self, x):
        return x.contiguous().tobytes()


class PyTorch:
    """PyTorch in float64, so that a difference is the other side's rounding. Bytes are float64 or
    int64.
    """

    def __init__(self):
        import torch

        self.m, self.F = torch, torch.nn.functional

    def tensor(self, data, shape, floating):
        values = array.array("f" if floating else "i", data)
        x = (
            self.m.tensor(values, dtype=self.m.float64 if floating else self.m.int64)
            if len(values)
            else self.m.zeros(0)
        )
        return x.reshape(shape)

    def data(self, x):
        return x.to(self.m.float64 if x.is_floating_point() else self.m.int64).contiguous().numpy().tobytes()
