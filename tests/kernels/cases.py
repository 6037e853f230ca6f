"""The case table: for every kernel of the contract, launches at awkward sizes, with every stride,
option and alias it permits.

`CASES[kernel name]` is a list of cases in the form of `execute.py`, the same for all devices. The
families are in `cases_*.py`.
"""

import importlib
import pathlib

from tinygpt import kernels

CASES = {kernel.name: [] for kernel in kernels.KERNELS}
FLOAT, INT, BYTE = 0, 1, 2
DTYPE_NAME = {code: name for name, code in kernels.DTYPES.items()}
LETTER = {"f": "float32", "i": "int32", "b": "int8", "d": "float64"}
SIZES = (1, 3, 17, 65)


def dtype_of(kernel, declared, p):
    """The element type of a buffer in a launch with parameters p."""
    if declared.dtype != "*":
        return LETTER[declared.dtype]
    if kernel.name == "copy":
        return DTYPE_NAME[p.dtype_out if declared.name == "out" else p.dtype_x]
    comparison = kernel.name in ("binary", "binary_scalar") and p.op in [kernels.BINARY[n] for n in kernels.COMPARISONS]
    index = kernel.name == "reduce" and p.op in (kernels.REDUCE["argmax"], kernels.REDUCE["argmin"])
    return "int32" if declared.name == "out" and (comparison or index) else DTYPE_NAME[p.dtype]


def make(name, kernel, params, fills=None, absent=(), alias=None, index=0):
    """One case. fills: {buffer: fill}, by default random signed floats and small ints; alias:
    {buffer: earlier buffer}.
    """
    p = kernel.Params(*params)
    extents = kernel.extents(p)
    names = [b.name for b in kernel.buffers]
    buffers = []
    for i, declared in enumerate(kernel.buffers):
        if declared.name in absent or (declared.optional and not extents[declared.name]):
            buffers.append(None)
            continue
        dtype = dtype_of(kernel, declared, p)
        fill = (fills or {}).get(declared.name)
        if fill is None:
            if declared.access == "w":
                fill = ["sentinel"]
            else:
                fill = ["signed"] if dtype in ("float32", "float64") else ["ints", 0 if dtype == "uint8" else -9, 10]
                if dtype in ("float16", "bfloat16"):
                    fill = ["values", [0x3C00, 0xBC00, 0x4248, 0x3555, 0]]
        # An address that is a multiple of 64 bytes in every other case, elsewhere only of an
        # element.
        spec = {"dtype": dtype, "n": extents[declared.name], "offset": 16 if index % 2 else 5 + i, "fill": fill}
        if alias and declared.name in alias.values() and declared.access == "w":
            spec["fill"] = (fills or {}).get(next(k for k, v in alias.items() if v == declared.name)) or ["signed"]
        if alias and declared.name in alias:
            spec["alias"] = names.index(alias[declared.name])
        buffers.append(spec)
    return [name, kernel.name, buffers, list(params)]


def case(kernel, label="", fills=None, absent=(), alias=None, params=None, **named):
    """Adds a case: parameters by name, or `params` in order. An alias takes the fill of the input
    that is the output too.
    """
    kernel = kernels.BY_NAME[kernel]
    if params is None:
        params = kernel.Params(**named)
    listed = CASES[kernel.name]
    name = "%s[%d]%s" % (kernel.name, len(listed), " " + label if label else "")
    listed.append(make(name, kernel, params, fills, absent, alias, len(listed)))


def row_major(shape):
    """Strides of a dense tensor."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.insert(0, step)
        step *= n
    return strides


def dims(shape, **strides):
    """Parameters n0..n5 and <letter>0..5 for the strided kernels, padded in front."""
    pad = kernels.MAX_RANK - len(shape)
    named = {"n%d" % d: n for d, n in enumerate([1] * pad + list(shape))}
    for letter, given in strides.items():
        named.update({"%s%d" % (letter, d): s for d, s in enumerate([0] * pad + list(given))})
    return named


for file in sorted(pathlib.Path(__file__).parent.glob("cases_*.py")):  # they fill the table
    importlib.import_module("%s.%s" % (__package__, file.stem))
