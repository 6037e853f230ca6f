"""Prints the WGSL that a launch of the contract runs on the GPU, expanded, with its dispatches:
`python3 -m tinygpt.tools.wgsl matmul --M 256 --N 384 --K 128 --trans nt --epilogue bias_gelu`.

In: a kernel, its params by name, and what the GPU offers. Out: for each dispatch its workgroups,
uniforms, bindings, defines and shader. No GPU is needed: the limits are those that every WebGPU
device has (LIMITS), the features subgroups and what the precision needs. Params that are not given
have small defaults, strides those of dense tensors. The tile of a matrix product is the estimate's
(tile_choice.py); a device that has measured may choose another.
"""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import kernels
from ..devices.base import precision_name
from ..devices.webgpu import adapter_class, dispatch_plan, template
from ..devices.webgpu.plans import segments_plan
from ..devices.webgpu.precision import PRECISIONS, shader_features

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..devices.webgpu.dispatch_plan import Dispatch, Placer, Plan
    from ..kernels import Kernel

# The default limits of the WebGPU specification, those that plans read.
LIMITS = {
    "maxBufferSize": 1 << 28,
    "maxStorageBufferBindingSize": 1 << 27,
    "maxStorageBuffersPerShaderStage": 8,
    "maxComputeWorkgroupStorageSize": 16384,
    "maxComputeInvocationsPerWorkgroup": 256,
    "maxComputeWorkgroupSizeX": 256,
}
EPILOGUE = {
    "gelu_backward": kernels.GELU_BACKWARD,  # before "gelu": the longer name is looked for first
    "gelu": kernels.GELU,
    "bias": kernels.BIAS,
    "residual": kernels.RESIDUAL,
    "gradient": kernels.GRADIENT,
}
# Params whose codes have names.
NAMES = {
    **{(kernel, "op"): kernels.UNARY for kernel in ("unary", "unary_backward")},
    **{(kernel, "op"): kernels.BINARY for kernel in ("binary", "binary_scalar")},
    ("math_of_one", "op"): kernels.MATH_OF_ONE,
    ("math_of_two", "op"): kernels.MATH_OF_TWO,
    ("reduce", "op"): kernels.REDUCE,
    ("cross_entropy", "reduction"): kernels.REDUCTION,
}
# Params that are not strides; where a kernel is named, of that kernel.
DEFAULTS: dict[str | tuple[str, str], float] = {
    "batch": 1, "M": 256, "N": 384, "K": 128, "alpha": 1.0, "n": 4096, "rows": 64, "C": 128, "V": 256,
    "eps": 1e-5, "B": 2, "T": 64, "S": 64, "H": 4, "G": 4, "D": 32, "causal": 1, "scale": 0.125, "base": 1e4,
    "outer": 8, "inner": 1, "max_norm": 1.0, "ignore": -100, "reduction": 1, "high": 1.0, "std": 1.0, "p": 0.1,
    "groups": 1, "step": 1.0, "n3": 8, "n4": 16, "n5": 32,
    **{"n%d" % i: 1 for i in range(3)},
    ("random_int", "high"): 100, ("batch_windows", "high"): 10000, ("embedding", "n"): 128,
    ("embedding_backward", "n"): 128, ("softmax", "n"): 256, ("softmax_backward", "n"): 256, ("reduce", "n"): 256,
    ("sample", "B"): 1, ("wide_matmul", "dtype"): kernels.DTYPES["int64"],
    "k": 8,  # of a dimension, by topk, gather and scatter
    # convolution and pooling: 3 x 3 over 8 x 8
    "O": 64, "planes": 8, "m": 36, **{"%s0" % name: 1 for name in "ikosd"}, **{"%s%d" % (name, d): size
    for name, size in (("i", 8), ("k", 3), ("o", 6), ("s", 1), ("d", 1)) for d in (1, 2)},
}  # fmt: skip


class AssumedDevice:
    """What plans ask of a device, assumed instead of opened."""

    def __init__(
        self,
        precision: str = "f32",
        subgroups: bool = True,
        limits: Mapping[str, int] | None = None,
        fallback: bool = False,
    ) -> None:
        self.precision = precision_name(precision)
        if self.precision not in PRECISIONS:
            raise ValueError("there is no precision %r; choose one of %s" % (precision, ", ".join(PRECISIONS)))
        if unknown := set(limits or {}) - set(LIMITS):
            raise ValueError("no plan reads the limit %s; there are %s" % (", ".join(unknown), ", ".join(LIMITS)))
        self.limits = {**LIMITS, **(limits or {})}
        self.active = shader_features(self.precision, subgroups)
        self.fallback = fallback
        self.adapter = adapter_class.DATA_CENTRE
        self._numbers: dict[Any, int] = {}

    def place(self, base: Any) -> tuple[int, int]:
        """A buffer of its own for everything that is not the launch's."""
        return self._numbers.setdefault(base, 100 + len(self._numbers)), 0


class Binding(NamedTuple):
    """A storage binding: the operands that share it, "r" or "w", its size in bytes."""

    names: tuple[str, ...]
    access: str
    nbytes: int


class Expanded(NamedTuple):
    """One dispatch. uniforms: what the shader reads as P; operands begin at P.<name> elements."""

    shader: str
    groups: tuple[int, int, int]
    uniforms: dict[str, float]
    bindings: list[Binding]
    defines: dict[str, Any]
    wgsl: str


def params_of(kernel: Kernel, given: Mapping[str, float]) -> Any:
    """The kernel's Params: those given, the others by default, strides dense."""
    if unknown := set(given) - {p.name for p in kernel.params}:
        names = ", ".join(p.name for p in kernel.params)
        raise ValueError("%s has no param %s; it has %s" % (kernel.name, ", ".join(sorted(unknown)), names))
    values: dict[str, float] = {}
    for p in kernel.params:
        values[p.name] = DEFAULTS.get((kernel.name, p.name), DEFAULTS.get(p.name, 0))
    values.update(given)
    values.update({name: stride for name, stride in _strides(kernel, values).items() if name not in given})
    return kernel.Params(
        **{p.name: int(v) if p.kind == "i" else float(v) for p, v in zip(kernel.params, values.values())}
    )


def _strides(kernel: Kernel, v: Mapping[str, float]) -> dict[str, float]:
    """The strides of dense tensors, by the params of the contract that name them."""
    names = {p.name for p in kernel.params}
    out: dict[str, float] = {}
    if kernel is kernels.matmul:
        out.update(lda=v["M"] if v["ta"] else v["K"], ldb=v["K"] if v["tb"] else v["N"], ldc=v["N"])
        out.update(sa=v["M"] * v["K"], sb=v["K"] * v["N"], sc=v["M"] * v["N"])
    for name in names:
        if found := re.fullmatch(r"(\w+)_([bth])", name):  # [B, T, heads, D]
            of_keys = found[1] in ("k", "v", "dk", "dv")
            heads, time = v["G" if of_keys else "H"], v.get("T", 1)
            if of_keys and kernel is not kernels.kv_append:
                time = v.get("S", time)
            if kernel is kernels.attention_decode:
                time = 1
            row = heads * v["D"]
            out[name] = {"b": time * row, "t": row, "h": v["D"]}[found[2]]
        elif "n0" in names and (found := re.fullmatch(r"([a-mo-z])([0-5])", name)):  # sizes n0..n5
            stride = 1.0
            for i in range(int(found[2]) + 1, kernels.MAX_RANK):
                stride *= v["n%d" % i]
            out[name] = stride
    return out


def expand(
    kernel: Kernel, params: Any, device: AssumedDevice | None = None, absent: Sequence[str] = (), align: int = 16
) -> list[Expanded]:
    """The dispatches of a launch, each buffer in memory of its own.

    absent: optional buffers that are not given. align: of the operands, 16 or 4 bytes.
    """
    device = device or AssumedDevice()
    if unknown := set(absent) - {b.name for b in kernel.buffers if b.optional}:
        raise ValueError("%s has no optional buffer %s" % (kernel.name, ", ".join(sorted(unknown))))
    extent = kernel.extent(params)
    buffers = [
        None if spec.name in absent or (spec.optional and not extent[spec.name]) else (i + 1, align % 16)
        for i, spec in enumerate(kernel.buffers)
    ]
    plan = dispatch_plan.of_launch(device, (kernel, buffers, tuple(params), {}))
    place = _placer(device, plan, buffers)
    waiting = [(deferred, place) for deferred in plan.deferred]
    dispatches = [(dispatch, place) for dispatch in plan.dispatches] + segments_plan.sums(device, waiting)
    return [_expanded(dispatch, where) for dispatch, where in dispatches]


def _placer(device: AssumedDevice, plan: Plan, buffers: Sequence[tuple[int, int] | None]) -> Placer:
    def place(base: Any) -> tuple[int, int]:
        if isinstance(base, int):
            found = buffers[base]
            assert found is not None
            return found
        if base in ("scratch", "partials"):
            buffer, _ = device.place("scratch")
            return buffer, 0 if base == "scratch" else plan.scratch_bytes
        return device.place(base)

    return place


def _expanded(dispatch: Dispatch, place: Placer) -> Expanded:
    sources: list[tuple[str, str]] = []  # WGSL, access letters

    def pipeline(source: str, letters: str, label: str) -> int:
        sources.append((source, letters))
        return 0

    words = dispatch_plan.Binder(pipeline).record(dispatch, place)
    ((source, letters),) = sources
    names = [field.name for field, _ in dispatch.operands]
    count = words[5]
    offsets, bound = words[6 : 6 + len(names)], words[7 + count :]
    _, params = template.header(dispatch.shader, dispatch.defines)
    uniforms: dict[str, float] = dict(zip(names, offsets))
    uniforms.update({name: value for (name, _), (_, value) in zip(params, dispatch.params)})
    ranges = [tuple(bound[i : i + 3]) for i in range(0, len(bound), 3)]
    bindings: list[Binding] = []
    for access, (buffer, start, size) in zip(letters, ranges):
        shared: list[str] = []
        for name, (_, operand) in zip(names, dispatch.operands):
            where, offset = place(operand.base)
            if where == buffer and start <= offset + operand.offset < start + size:
                shared.append(name)
        bindings.append(Binding(tuple(shared), access, size))
    defines = {name: value for name, value in dispatch.defines if name not in names}
    return Expanded(dispatch.shader, dispatch.groups, uniforms, bindings, defines, source)


def text_of(found: Sequence[Expanded]) -> str:
    """The dispatches as WGSL, each behind comments on what it runs with."""
    out: list[str] = []
    for i, e in enumerate(found):
        bindings = [
            "%d %s (%s, %d bytes)" % (n + 1, "+".join(b.names), b.access, b.nbytes) for n, b in enumerate(e.bindings)
        ]
        out += [
            "// ==== dispatch %d of %d: %s, %d x %d x %d workgroups" % (i + 1, len(found), e.shader, *e.groups),
            "// uniforms: " + ", ".join("%s = %g" % pair for pair in e.uniforms.items()),
            "// bindings: " + ", ".join(bindings),
            *("// define %s = %r" % pair for pair in e.defines.items()),
            e.wgsl.strip("\n"),
            "",
        ]
    return "\n".join(out) if found else "// nothing to dispatch: the launch has no elements"


def _number(kernel: Kernel, name: str, text: str) -> float:
    """A param's value from the command line; names where its codes have some."""
    if name == "epilogue" and not text.isdigit():
        bits, rest = 0, text
        for word, bit in EPILOGUE.items():
            if word in rest:
                bits, rest = bits | bit, rest.replace(word, "")
        if rest.strip("_+"):
            raise ValueError("there is no epilogue %r; its parts are %s" % (text, ", ".join(EPILOGUE)))
        return bits
    codes = NAMES.get((kernel.name, name), kernels.DTYPES if name.startswith("dtype") else {})
    if text in codes:
        return codes[text]
    try:
        return float(text)
    except ValueError:
        choice = "; choose one of " + ", ".join(codes) if codes else ""
        raise ValueError("%s is no value for %s%s" % (text, name, choice)) from None


def _arguments(kernel: Kernel, rest: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python3 -m tinygpt.tools.wgsl " + kernel.name, description=kernel.meaning)
    for p in kernel.params:
        parser.add_argument("--" + p.name, metavar="VALUE", dest="param_" + p.name)
    if kernel is kernels.matmul:
        parser.add_argument("--trans", choices=("nn", "nt", "tn", "tt"), help="transposes of A and B")
    parser.add_argument("--absent", default="", help="optional buffers that are not given, with commas")
    parser.add_argument("--align", type=int, choices=(4, 16), default=16, help="of the operands, in bytes")
    parser.add_argument("--precision", default="f32", help=", ".join(PRECISIONS))
    parser.add_argument("--no-subgroups", action="store_true")
    parser.add_argument("--software", action="store_true", help="as for an adapter in software")
    parser.add_argument("--limit", action="append", default=[], metavar="NAME=VALUE", help=", ".join(LIMITS))
    return parser.parse_args(rest)


def main(arguments: Sequence[str]) -> str:
    """What the command prints. ValueError is a sentence."""
    names = ", ".join(kernels.BY_NAME)
    if not arguments or arguments[0].startswith("-"):
        return (
            "python3 -m tinygpt.tools.wgsl KERNEL [--PARAM VALUE ...]; --help after a kernel lists its params.\n"
            + names
        )
    if arguments[0] not in kernels.BY_NAME:
        raise ValueError("there is no kernel %r; choose one of %s" % (arguments[0], names))
    kernel = kernels.BY_NAME[arguments[0]]
    options = vars(_arguments(kernel, arguments[1:]))
    given = {
        p.name: _number(kernel, p.name, options["param_" + p.name])
        for p in kernel.params
        if options["param_" + p.name] is not None
    }
    if options.get("trans"):
        given.update(ta=options["trans"][0] == "t", tb=options["trans"][1] == "t")
    limits = {name: int(value) for name, _, value in (text.partition("=") for text in options["limit"])}
    device = AssumedDevice(options["precision"], not options["no_subgroups"], limits, options["software"])
    absent = [name for name in options["absent"].split(",") if name]
    return text_of(expand(kernel, params_of(kernel, given), device, absent, options["align"]))


if __name__ == "__main__":
    try:
        print(main(sys.argv[1:]))
    except ValueError as error:
        sys.exit(str(error))
