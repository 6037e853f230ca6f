"""Plans: how a launch of the contract becomes dispatches of shaders.

A plan function (devices/webgpu/kernels) gets a Planner, the launch's params and its buffers as Operands, and appends dispatches. It knows
no addresses, so its result is cached; `Binder` then puts real buffers in: it chooses bindings (operands in the same memory share one, since
WebGPU refuses two writable bindings that overlap), packs the uniforms, and asks for the pipeline.
"""

import struct
from collections import namedtuple
from types import SimpleNamespace

from . import template

ALIGN = 256  # bytes: what every WebGPU device takes as a binding's offset
MOST_GROUPS = 65535  # workgroups in one dimension of a dispatch
PLANS = {}  # kernel name -> plan function

# What fuse.py may add: there for every plan, None by default.
OPTIONS = {
    "matmul": ("sums", "norm_x", "norm_weight", "norm_bias", "norm_eps", "norm_kind"),
    "adamw": ("clip_norm", "max_norm"),
    "attention_decode": ("k_new", "v_new", "k_b", "v_b"),
}

Dispatch = namedtuple("Dispatch", "shader defines groups operands params label")  # operands: ((Field, Operand), ...) of those given
Deferred = namedtuple("Deferred", "out part splits n accumulate")  # out[i] (+)= sum over s of part[s * n + i]


def kernel(name):
    """Decorator: the plan of the contract's kernel `name`."""

    def register(function):
        PLANS[name] = function
        return function

    return register


class Operand:
    """A piece of memory that a shader gets. base: the launch's buffer by position, or a key of the Binder's table ("scratch", "flag", ...).

    offset: bytes from the base. n: elements reached. dtype: "f", "i" or "b". residue: the base's own address modulo 16.
    """

    __slots__ = ("base", "offset", "n", "dtype", "residue")

    def __init__(self, base, offset, n, dtype, residue=0):
        self.base, self.offset, self.n, self.dtype, self.residue = base, offset, n, dtype, residue

    @property
    def itemsize(self):
        return 1 if self.dtype == "b" else 4

    def part(self, start, n):
        """n elements from element `start`."""
        return Operand(self.base, self.offset + start * self.itemsize, n, self.dtype, self.residue)


class TypesClash(ValueError):
    """Two operands of a dispatch overlap in memory and are declared with different types: the launch must be planned without vectors."""


class Plan:
    """What one kind of launch does: dispatches, sums to add up afterwards, bytes of scratch and of partial sums."""

    __slots__ = ("dispatches", "deferred", "scratch_bytes", "partial_bytes")


class Planner:
    """What a plan function works with. features, limits, precision: of the device, as it is configured now."""

    def __init__(self, device, kernel_id, scalar=False):
        self.scalar = scalar  # no vectors: operands overlap that would be declared differently
        self.features, self.limits, self.precision = device.active, device.limits, device.precision
        self.device, self.kernel_id = device, kernel_id
        self.flag = Operand("flag", 0, 1, "i")
        self.loss_scale = Operand("loss_scale", 0, 4, "f")
        self.dispatches, self.deferred = [], []
        self.scratch_bytes = self.partial_bytes = 0

    def run(self, shader, groups, buffers, params=None, label=None, **defines):
        """Appends a dispatch of "file.section". groups: a number of workgroups (0: none), or (x, y, z)."""
        if isinstance(groups, int):
            if groups == 0:
                return
            rows = -(-groups // MOST_GROUPS)
            groups = (-(-groups // rows), rows, 1)
        if not groups[0] * groups[1] * groups[2]:
            return
        if max(groups) > MOST_GROUPS:
            raise ValueError("%s: %s workgroups are more than %d in one dimension" % (shader, groups, MOST_GROUPS))
        defines = {**defines, "kernel_id": self.kernel_id}
        for feature in self.features:
            defines.setdefault(feature, True)
        given = tuple(sorted(name for name, operand in buffers.items() if operand is not None))
        key = tuple(sorted({**defines, **dict.fromkeys(given, True)}.items()))
        fields, names = template.header(shader, key)
        declared = {field.name: field for field in fields}
        if unknown := set(given) - set(declared):
            raise KeyError("%s has no buffer %s" % (shader, ", ".join(unknown)))
        operands = tuple((field, buffers[field.name]) for field in fields if buffers.get(field.name) is not None)
        missing = [field.name for field in fields if buffers.get(field.name) is None and not field.optional]
        if missing:
            raise KeyError("%s needs the buffer %s" % (shader, ", ".join(missing)))
        values = []
        for name, kind in names:
            value = params[name]
            values.append((kind, min(max(value, -3.4028235e38), 3.4028235e38) if kind == "f32" and abs(value) < float("inf") else value))
        self.dispatches.append(Dispatch(shader, key, groups, operands, tuple(values), label or shader))

    def vec4(self, *operands):
        """True when all of them (None ignored) begin on a multiple of 16 bytes."""
        return not self.scalar and all(o is None or (o.residue + o.offset) % 16 == 0 for o in operands)

    def scratch(self, n, dtype="f"):
        """Memory for this launch alone, its contents undefined."""
        operand = Operand("scratch", self.scratch_bytes, n, dtype)
        self.scratch_bytes += -(-n * operand.itemsize // ALIGN) * ALIGN
        return operand

    def partials(self, n):
        """Memory for partial sums, which lives until `defer`'s sum has been made."""
        operand = Operand("partials", self.partial_bytes, n, "f")
        self.partial_bytes += -(-n * 4 // ALIGN) * ALIGN
        return operand

    def defer(self, out, part, splits, n, accumulate=False):
        """out[i] = (out[i] +) sum over s < splits of part[s * n + i] for i < n, before anybody uses out."""
        self.deferred.append(Deferred(out, part, splits, n, accumulate))

    def constant(self, data):
        """An Operand of constant words (bytes, a multiple of 4)."""
        return Operand(("constant", data), 0, len(data) // 4, "i")

    def ranges(self, n, itemsize=4):
        """[(start, count)] of pieces of n elements, each small enough for one binding."""
        most = (self.limits["maxStorageBufferBindingSize"] - 2 * ALIGN) // itemsize // 64 * 64
        return [(start, min(most, n - start)) for start in range(0, n, most)]


def make(device, kernel_, params, operands, extra=None, scalar=False):
    """The Plan of a launch. operands: Operand or None for each buffer, in the contract's order. extra: what fuse.py added."""
    planner = Planner(device, kernel_.id, scalar)
    b = SimpleNamespace(**{spec.name: operand for spec, operand in zip(kernel_.buffers, operands)}, **(extra or {}))
    PLANS[kernel_.name](planner, kernel_.Params(*params) if not isinstance(params, SimpleNamespace) else params, b)
    plan = Plan()
    plan.dispatches, plan.deferred = planner.dispatches, planner.deferred
    plan.scratch_bytes, plan.partial_bytes = planner.scratch_bytes, planner.partial_bytes
    return plan


FORMATS = {"u32": "I", "i32": "i", "f32": "f"}


class Binder:
    """Turns dispatches into records for the bridge: pipeline, workgroups, uniforms, bindings."""

    def __init__(self, pipeline):
        self.pipeline = pipeline  # (WGSL, layout letters, label) -> number
        self.known = {}  # (shader, defines, sharing, alignment) -> (pipeline number, struct of the uniforms)

    def record(self, dispatch, place):
        """The record of a dispatch as a list of 32-bit words. place(base) -> (buffer number, byte offset)."""
        places = []
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
        offsets = []
        for (field, _), (_, start, _), (owner, _) in zip(dispatch.operands, places, owners):
            size = template.SIZES[field.type]
            offset = start - bindings[owner][1]
            if offset % size:
                raise ValueError("%s: the offset %d of %s is no multiple of %d bytes" % (dispatch.shader, offset, field.name, size))
            offsets.append(offset // size)
        uniforms = pack.pack(*offsets, *[value for _, value in dispatch.params])
        words = [number, *dispatch.groups, len(uniforms) // 4, *struct.unpack("<%dI" % (len(uniforms) // 4), uniforms)]
        bound = [bindings[owner] for i, (owner, _) in enumerate(owners) if owner == i]
        words.append(len(bound))
        for buffer, start, end in bound:
            words += (buffer, start, end - start)
        return words

    def clashes(self, dispatch, place):
        """True when operands of the dispatch would share a binding with different types. place: as for record; any names will do."""
        places = []
        for _, operand in dispatch.operands:
            buffer, start = place(operand.base)
            places.append((buffer, start + operand.offset, start + operand.offset + operand.n * operand.itemsize))
        owners, _ = self._share(dispatch.operands, places)
        kinds = [template.TYPES.get(field.type, field.type) for field, _ in dispatch.operands]
        return any(kinds[i] != kinds[owner] for i, (owner, _) in enumerate(owners))

    def _share(self, operands, places):
        """((owner's position, access) of each operand, {owner: (buffer, start, end)}), ranges on multiples of ALIGN and 16."""
        written = {buffer for (field, _), (buffer, _, _) in zip(operands, places) if field.access == "w"}
        ranges = [[buffer, start // ALIGN * ALIGN, max(-(-end // 16) * 16, start // ALIGN * ALIGN + 16)] for buffer, start, end in places]
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
                        ranges[low][1], ranges[low][2] = min(ranges[a][1], ranges[b][1]), max(ranges[a][2], ranges[b][2])
                        owner = [low if o == high else o for o in owner]
                        changed = True
        owners = tuple((o, "w" if places[i][0] in written else "r") for i, o in enumerate(owner))
        return owners, {o: tuple(ranges[o]) for o in set(owner)}

    def _pipeline(self, dispatch, owners):
        fields = [field for field, _ in dispatch.operands]
        bound = []
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
