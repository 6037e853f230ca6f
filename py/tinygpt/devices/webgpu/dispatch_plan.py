"""Plans: how a launch of the contract becomes dispatches of shaders.

A plan function (devices/webgpu/plans) gets a Planner, the launch's params and its buffers as
Operands, and appends dispatches. It knows no addresses, so its result is cached; `Binder` then puts
real buffers in: it chooses bindings (operands in the same memory share one, since WebGPU refuses
two writable bindings that overlap), packs the uniforms, and requests the pipeline.
"""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from ... import kernels
from . import template

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol

    from ...kernels import Buffer, Kernel
    from .adapter_class import AdapterClass
    from .transfers import Transfers

    PlanFunction = Callable[["Planner", Any, Any], None]  # (planner, params by name, operands by name)
    Placer = Callable[[Any], tuple[int, int]]  # base of an Operand -> (buffer number, byte offset)
    Range = tuple[int, int, int]  # buffer number, first byte, end
    Owners = tuple[tuple[int, str], ...]  # of each operand: the position that owns its binding, access

    class Configured(Protocol):
        """What plans need to know of the device, as it is configured now."""

        active: frozenset[str]  # the features that shaders may use
        limits: dict[str, int]
        precision: str
        fallback: bool  # the adapter is software
        adapter: AdapterClass

    class PlansLaunches(Configured, Protocol):
        """What Programs need of the device (device.py)."""

        tunes: bool
        tuning_seconds: float  # that the tuner may take before the first step
        beside: bool  # no replay waits for pipelines that are requested
        gpu: Any
        transfers: Transfers
        binder: Binder
        _plans: dict[Any, Plan]

        @property
        def lost(self) -> bool: ...

        @property
        def arena(self) -> int: ...
        @property
        def arena_version(self) -> int: ...

        configuration: int

        def alloc(self, nbytes: int, /) -> int: ...
        def trim(self) -> None: ...
        def free(self, handle: int, /) -> None: ...
        def plan(self, launch: Any, scalar: bool = ...) -> Plan: ...
        def place(self, base: Any) -> tuple[int, int]: ...
        def reserve_arena(self, nbytes: int) -> None: ...
        def make_program(self, records: bytes, count: int) -> int: ...
        def measure(self, records: bytes, repeats: Sequence[int]) -> list[float]: ...
        def sums(self, pending: Sequence[tuple[Deferred, Placer]]) -> list[tuple[Dispatch, Placer]]: ...
        def submit(self, number: int) -> None: ...


ALIGN = 256  # bytes: what every WebGPU device takes as a binding's offset
MAX_GROUPS = 65535  # workgroups in one dimension of a dispatch
MAX_FLOAT32 = 3.4028235e38
PLANS: dict[str, PlanFunction] = {}  # kernel name -> plan function
TYPES: dict[str, tuple[str, ...]] = {}  # kernel name -> its element types, where it has not all of GPU_DTYPES
# int64 is held as int32: a kernel whose result leaves 32 bits says so (`Planner.checked`).
NAMES = {code: name for name, code in kernels.DTYPES.items()}
GPU_DTYPES = [kernels.DTYPES[name] for name in ("float32", "int32", "int8", "int64")]

# What dispatch_fusion.py may add: there for every plan, None by default.
OPTIONS = {
    "matmul": ("sums", "norm_x", "norm_weight", "norm_bias", "norm_eps", "norm_kind"),
    "adamw": ("clip_norm", "max_norm"),
    "attention_decode": ("k_new", "v_new", "k_b", "v_b"),
}


class Dispatch(NamedTuple):
    """One dispatch of a shader, its operands without addresses. operands: those given.
    microseconds: that it is expected to take.
    """

    shader: str
    defines: template.Defines
    groups: tuple[int, int, int]
    operands: tuple[tuple[template.Field, Operand], ...]
    params: tuple[tuple[str, float], ...]
    label: str
    microseconds: int = 0


class Deferred(NamedTuple):
    """out[i] (+)= sum over s of part[s * n + i]. out and part: Operands, or byte offsets."""

    out: Any
    part: Any
    splits: int
    n: int
    accumulate: bool


def kernel(name: str, types: str = "") -> Callable[[PlanFunction], PlanFunction]:
    """Decorator: the plan of the contract's kernel `name`. types: its element types, where it has
    not all.
    """

    def register(function: PlanFunction) -> PlanFunction:
        PLANS[name] = function
        if types:
            TYPES[name] = tuple(types.split())
        return function

    return register


class Operand:
    """A piece of memory that a shader gets. base: the launch's buffer by position, or a key of the
    Binder's table ("scratch", "flag", ...).

    offset: bytes from the base. n: elements reached. dtype: "f", "i" or "b". residue: the base's
    own address modulo 16.
    """

    __slots__ = ("base", "offset", "n", "dtype", "residue")

    def __init__(self, base: Any, offset: int, n: int, dtype: str, residue: int = 0) -> None:
        self.base, self.offset, self.n, self.dtype, self.residue = base, offset, n, dtype, residue

    @property
    def itemsize(self) -> int:
        return 1 if self.dtype == "b" else 4

    def part(self, start: int, n: int) -> Operand:
        """n elements from element `start`."""
        return Operand(self.base, self.offset + start * self.itemsize, n, self.dtype, self.residue)


class TypesClash(ValueError):
    """Two operands of a dispatch overlap in memory and are declared with different types: the
    launch must be planned without vectors.
    """


class Plan:
    """What one kind of launch does: dispatches, sums to add up afterwards, bytes of scratch and of
    partial sums.
    """

    __slots__ = ("dispatches", "deferred", "scratch_bytes", "partial_bytes")

    dispatches: list[Dispatch]
    deferred: list[Deferred]
    scratch_bytes: int
    partial_bytes: int


class Planner:
    """What a plan function works with. features, limits, precision: of the device, as it is
    configured now.
    """

    def __init__(self, device: Configured, kernel_id: int, scalar: bool = False) -> None:
        self.scalar = scalar  # no vectors: operands overlap that would be declared differently
        self.features, self.limits, self.precision = device.active, device.limits, device.precision
        self.device, self.kernel_id = device, kernel_id
        self.flag = Operand("flag", 0, 1, "i")
        self.loss_scale = Operand("loss_scale", 0, 4, "f")
        self.dispatches: list[Dispatch] = []
        self.deferred: list[Deferred] = []
        self.scratch_bytes = self.partial_bytes = 0

    def run(
        self,
        shader: str,
        groups: int | tuple[int, int, int],
        buffers: Mapping[str, Operand | None],
        params: Mapping[str, float] | None = None,
        label: str | None = None,
        **defines: Any,
    ) -> None:
        """Appends a dispatch of "file.section". groups: a number of workgroups (0: none), or (x, y,
        z).
        """
        if isinstance(groups, int):
            if groups == 0:
                return
            rows = -(-groups // MAX_GROUPS)
            groups = (-(-groups // rows), rows, 1)
        if not groups[0] * groups[1] * groups[2]:
            return
        if max(groups) > MAX_GROUPS:
            raise ValueError("%s: %s workgroups are more than %d in one dimension" % (shader, groups, MAX_GROUPS))
        defines = {**defines, "kernel_id": self.kernel_id}
        for feature in self.features:
            defines.setdefault(feature, True)
        given = tuple(sorted(name for name, operand in buffers.items() if operand is not None))
        key = tuple(sorted({**defines, **dict.fromkeys(given, True)}.items()))
        fields, names = template.header(shader, key)
        declared = {field.name: field for field in fields}
        if unknown := set(given) - set(declared):
            raise KeyError("%s has no buffer %s" % (shader, ", ".join(unknown)))
        present = ((field, buffers.get(field.name)) for field in fields)
        operands = tuple((field, operand) for field, operand in present if operand is not None)
        missing = [field.name for field in fields if buffers.get(field.name) is None and not field.optional]
        if missing:
            raise KeyError("%s needs the buffer %s" % (shader, ", ".join(missing)))
        values: list[tuple[str, float]] = []
        given_params = params or {}
        for name, kind in names:
            value = given_params[name]
            if kind == "f32" and abs(value) < float("inf"):
                value = min(max(value, -MAX_FLOAT32), MAX_FLOAT32)
            values.append((kind, value))
        self.dispatches.append(Dispatch(shader, key, groups, operands, tuple(values), label or shader))

    def vec4(self, *operands: Operand | None) -> bool:
        """True when all of them (None ignored) begin on a multiple of 16 bytes."""
        return not self.scalar and all(o is None or (o.residue + o.offset) % 16 == 0 for o in operands)

    def checked(self, code: float) -> dict[str, Operand]:
        """The error word, for a shader whose results of this type may leave int64's 32 bits."""
        return {"flag": self.flag} if code == kernels.DTYPES["int64"] else {}

    def scratch(self, n: int, dtype: str = "f") -> Operand:
        """Memory for this launch alone, its contents undefined."""
        operand = Operand("scratch", self.scratch_bytes, n, dtype)
        self.scratch_bytes += -(-n * operand.itemsize // ALIGN) * ALIGN
        return operand

    def partials(self, n: int) -> Operand:
        """Memory for partial sums, which lives until `defer`'s sum has been made."""
        operand = Operand("partials", self.partial_bytes, n, "f")
        self.partial_bytes += -(-n * 4 // ALIGN) * ALIGN
        return operand

    def defer(self, out: Operand, part: Operand, splits: int, n: int, accumulate: bool = False) -> None:
        """out[i] = (out[i] +) sum over s < splits of part[s * n + i] for i < n, before anybody uses
        out.
        """
        self.deferred.append(Deferred(out, part, splits, n, accumulate))

    def constant(self, data: bytes) -> Operand:
        """An Operand of constant words (bytes, a multiple of 4)."""
        return Operand(("constant", data), 0, len(data) // 4, "i")

    def ranges(self, n: int, itemsize: int = 4) -> list[tuple[int, int]]:
        """[(start, count)] of pieces of n elements, each small enough for one binding."""
        most = (self.limits["maxStorageBufferBindingSize"] - 2 * ALIGN) // itemsize // 64 * 64
        return [(start, min(most, n - start)) for start in range(0, n, most)]


def of_launch(device: Configured, launch: Any, scalar: bool = False) -> Plan:
    """The Plan of a dispatch_fusion.GpuLaunch (kernel, buffers, params, extra). scalar: without
    vectors.
    """
    kernel_, buffers, params, extra = launch
    extent = kernel_.extent(params)
    operands = [
        None if b is None else Operand(i, 0, extent[spec.name], _letter(kernel_, spec, params), b[1] % 16)
        for i, (spec, b) in enumerate(zip(kernel_.buffers, buffers))
    ]
    added: dict[str, Any] = dict.fromkeys(OPTIONS.get(kernel_.name, ()))
    for name, value in extra.items():
        merged: Any = value
        if isinstance(value, tuple):
            place, n, dtype = merged
            merged = Operand(name, 0, n, dtype, place[1] % 16)
        added[name] = merged
    return make(device, kernel_, params, operands, added, scalar)


def refusal(kernel_: Kernel, p: Any) -> str | None:
    """Why a launch cannot run on a GPU, a sentence: a kernel without a shader, or an element type
    that WGSL has not. None: it can. p: the launch's parameters.
    """
    if kernel_.name not in PLANS:
        return elsewhere("the kernel %r" % kernel_.name)
    for name in ("dtype", "dtype_out", "dtype_x"):
        code = getattr(p, name, None)
        if code is None:
            continue
        type = NAMES[code]
        if code not in GPU_DTYPES:
            return unsupported_dtype(type)
        if type not in TYPES.get(kernel_.name, (type,)):
            return elsewhere("the kernel %r of %s" % (kernel_.name, type))
    return None


def elsewhere(what: str) -> str:
    """The sentence on what a GPU does not compute here."""
    return "%s is not on WebGPU; move its tensors to the CPU with .to('cpu'), and the result back" % what


def unsupported_dtype(name: str) -> str:
    """The sentence on an element type that a GPU's memory does not hold here."""
    instead = "float()" if "float" in name else "int()"
    told = "%s is not on WebGPU, which holds float32, int32, int64 and bool; convert with .%s before the move"
    return told % (name, instead)


def _letter(kernel_: Kernel, spec: Buffer, params: Sequence[float]) -> str:
    """The element type of a launch's buffer: a `*` is what a param says, 4 bytes but in `copy`."""
    if spec.dtype != "*":
        return spec.dtype
    if kernel_ is kernels.copy:
        code = params[0] if spec.name == "out" else params[1]
        return "b" if code == kernels.DTYPES["int8"] else "f"  # of others the launch is refused
    return "f"


def make(
    device: Configured,
    kernel_: Kernel,
    params: Any,
    operands: Sequence[Operand | None],
    extra: Mapping[str, Any] | None = None,
    scalar: bool = False,
) -> Plan:
    """The Plan of a launch. operands: Operand or None for each buffer, in the contract's order.
    extra: what dispatch_fusion.py added.
    """
    planner = Planner(device, kernel_.id, scalar)
    b = SimpleNamespace(**{spec.name: operand for spec, operand in zip(kernel_.buffers, operands)}, **(extra or {}))
    values = kernel_.Params(*params) if not isinstance(params, SimpleNamespace) else params
    if problem := refusal(kernel_, values):
        raise RuntimeError(problem)
    PLANS[kernel_.name](planner, values, b)
    plan = Plan()
    plan.dispatches, plan.deferred = _timed(planner, kernel_, params), planner.deferred
    plan.scratch_bytes, plan.partial_bytes = planner.scratch_bytes, planner.partial_bytes
    return plan


def _pairs(p: Any) -> int:
    """Query and key pairs that attention looks at, about."""
    return p.T * p.S // (2 if p.causal else 1)


def _conv_products(p: Any) -> int:
    outputs, taps = p.o0 * p.o1 * p.o2, p.k0 * p.k1 * p.k2
    return p.N * p.O * (p.C // p.groups) * outputs * taps


# Multiply-adds of the kernels whose time is not that of their memory.
MULTIPLY_ADDS: dict[str, Callable[[Any], int]] = {
    "matmul": lambda p: p.batch * p.M * p.N * p.K,
    "int8_matmul": lambda p: p.M * p.N * p.K,
    "attention": lambda p: 2 * p.B * p.H * p.D * _pairs(p),
    "attention_backward": lambda p: 5 * p.B * p.H * p.D * _pairs(p),
    **dict.fromkeys(("conv", "conv_backward_x", "conv_backward_weight"), _conv_products),
}
LONGEST = 2**31  # microseconds: what a record holds


def _timed(planner: Planner, kernel_: Kernel, params: Any) -> list[Dispatch]:
    """The planner's dispatches with the time that the adapter's class makes one expect. They share
    the launch's arithmetic by their workgroups.
    """
    adapter, dispatches = planner.device.adapter, planner.dispatches
    count = MULTIPLY_ADDS.get(kernel_.name)
    p = params if isinstance(params, SimpleNamespace) else kernel_.Params(*params)
    arithmetic = count(p) / adapter.multiply_adds if count else 0.0
    groups = [x * y * z for x, y, z in (dispatch.groups for dispatch in dispatches)]
    out: list[Dispatch] = []
    for dispatch, share in zip(dispatches, groups):
        moved = sum(operand.n * operand.itemsize for _, operand in dispatch.operands) / adapter.bytes
        seconds = max(moved, arithmetic * share / sum(groups))
        out.append(dispatch._replace(microseconds=min(LONGEST, int(seconds * 1e6))))
    return out


FORMATS = {"u32": "I", "i32": "i", "f32": "f"}


class Binder:
    """Turns dispatches into records for the bridge (app/bridges/webgpu.js)."""

    def __init__(self, pipeline: Callable[[str, str, str], int]) -> None:
        self.pipeline = pipeline  # (WGSL, layout letters, label) -> number
        # (shader, defines, owners) -> (pipeline number, struct of the uniforms)
        self.known: dict[Any, tuple[int, struct.Struct]] = {}

    def record(self, dispatch: Dispatch, place: Placer) -> list[int]:
        """The record of a dispatch as a list of 32-bit words. place(base) -> (buffer number, byte
        offset).
        """
        places: list[Range] = []
        for _, operand in dispatch.operands:
            buffer, start = place(operand.base)
            start += operand.offset
            places.append((buffer, start, start + operand.n * operand.itemsize))
        owners, bindings = self._share(dispatch.operands, places)
        key = (dispatch.shader, dispatch.defines, owners)
        known = self.known.get(key)
        if known is None:
            known = self.known[key] = self._pipeline(dispatch, owners)
        number, pack = known
        offsets: list[int] = []
        for (field, _), (_, start, _), (owner, _) in zip(dispatch.operands, places, owners):
            size = template.SIZES[field.type]
            offset = start - bindings[owner][1]
            if offset % size:
                raise ValueError(
                    "%s: the offset %d of %s is no multiple of %d bytes" % (dispatch.shader, offset, field.name, size)
                )
            offsets.append(offset // size)
        uniforms = pack.pack(*offsets, *[value for _, value in dispatch.params])
        words = [number, *dispatch.groups, dispatch.microseconds, len(uniforms) // 4]
        words += struct.unpack("<%dI" % (len(uniforms) // 4), uniforms)
        bound = [bindings[owner] for i, (owner, _) in enumerate(owners) if owner == i]
        words.append(len(bound))
        for buffer, start, end in bound:
            words += (buffer, start, end - start)
        return words

    def clashes(self, dispatch: Dispatch, place: Placer) -> bool:
        """True when operands of the dispatch would share a binding with different types. place: as
        for record; any names will do.
        """
        places: list[Range] = []
        for _, operand in dispatch.operands:
            buffer, start = place(operand.base)
            places.append((buffer, start + operand.offset, start + operand.offset + operand.n * operand.itemsize))
        owners, _ = self._share(dispatch.operands, places)
        kinds = [template.TYPES.get(field.type, field.type) for field, _ in dispatch.operands]
        return any(kinds[i] != kinds[owner] for i, (owner, _) in enumerate(owners))

    def _share(
        self, operands: Sequence[tuple[template.Field, Operand]], places: Sequence[Range]
    ) -> tuple[Owners, dict[int, Range]]:
        """((owner's position, access) of each operand, {owner: (buffer, start, end)}), ranges on
        multiples of ALIGN and 16.
        """
        written = {buffer for (field, _), (buffer, _, _) in zip(operands, places) if field.access == "w"}
        ranges = [
            [buffer, start // ALIGN * ALIGN, max(-(-end // 16) * 16, start // ALIGN * ALIGN + 16)]
            for buffer, start, end in places
        ]
        owner = list(range(len(places)))
        changed = bool(written)
        while changed:  # union of overlapping ranges, in buffers that are written
            changed = False
            for i in range(len(places)):
                for j in range(i):
                    a, b = owner[i], owner[j]
                    if a == b or ranges[a][0] != ranges[b][0] or ranges[a][0] not in written:
                        continue
                    if ranges[a][1] < ranges[b][2] and ranges[b][1] < ranges[a][2]:
                        low, high = min(a, b), max(a, b)
                        ranges[low][1], ranges[low][2] = (
                            min(ranges[a][1], ranges[b][1]),
                            max(ranges[a][2], ranges[b][2]),
                        )
                        owner = [low if o == high else o for o in owner]
                        changed = True
        owners = tuple((o, "w" if places[i][0] in written else "r") for i, o in enumerate(owner))
        return owners, {o: (ranges[o][0], ranges[o][1], ranges[o][2]) for o in set(owner)}

    def _pipeline(self, dispatch: Dispatch, owners: Owners) -> tuple[int, struct.Struct]:
        fields = [field for field, _ in dispatch.operands]
        bound: list[template.Bound] = []
        for field, (owner, access) in zip(fields, owners):
            if template.TYPES.get(field.type, field.type) != template.TYPES.get(fields[owner].type, fields[owner].type):
                raise TypesClash(
                    "%s: %s (%s) and %s (%s) overlap and must have one type"
                    % (dispatch.shader, field.name, field.type, fields[owner].name, fields[owner].type)
                )
            bound.append((field.name, field.type, fields[owner].name, access))
        source = template.module(dispatch.shader, dispatch.defines, bound)
        letters = "".join(access for i, (owner, access) in enumerate(owners) if owner == i)
        pack = struct.Struct("<%dI%s" % (len(fields), "".join(FORMATS[kind] for kind, _ in dispatch.params)))
        return self.pipeline(source, letters, dispatch.label), pack
