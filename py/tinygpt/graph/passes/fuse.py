"""Fusion: pairs of launches become one, where the second only reads what the first just wrote. The
numbers keep their bits.

In: the recorded launches and the sizes of the intermediates. Out: fewer launches.

    copy of a result                          -> the result is written to its place, also strided
    matmul, then += it                        -> beta 1
    matmul, then * number                     -> alpha
    matmul, then gelu | + residual | * gelu'  -> its epilogue
    norm backward, then + other gradient      -> its `add` buffer
    add, then layer norm                      -> add_layer_norm
    results that nobody reads                 -> dropped

A rule looks at a consumer launch and finds the one producer of the intermediate that it reads. It
may move the consumer's work to the producer's place only when no launch in between touches that
memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ... import kernels
from .dependencies import Graph, Launch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from ...kernels import Kernel

    Place = tuple[int, int]  # storage uid, byte offset
    Rule = Callable[[Graph, int, Launch], bool]  # (graph, position, launch there): whether it changed the graph
    Fuse = Callable[[Launch, Place], Launch | None]

ELEMENT = 4  # bytes of every element that is fused


def run(launches: Sequence[Launch], temporaries: Mapping[int, int]) -> list[Launch]:
    """`launches` with the rules applied until none applies; `temporaries`: {uid: bytes} of the
    intermediates."""
    graph = Graph(launches, temporaries)
    changed = True
    while changed:
        changed = False
        for i in range(len(graph.launches)):
            launch = graph.launches[i]
            if launch is None:
                continue
            for rule in RULES.get(launch.kernel.name, ()):
                if rule(graph, i, launch):
                    changed = True
                    break
    graph.drop_dead()
    return [launch for launch in graph.launches if launch is not None]


def _params(launch: Launch) -> Any:
    return launch.kernel.Params(*launch.params)


def _dense(p: Any, *prefixes: str) -> int:
    """Number of elements when the strided launch runs over dense operands of one shape, else 0."""
    count = 1
    for d in range(kernels.MAX_RANK - 1, -1, -1):
        n = getattr(p, "n%d" % d)
        if n != 1 and any(getattr(p, "%s%d" % (prefix, d)) != count for prefix in prefixes):
            return 0
        count *= n
    return count


def _with(launch: Launch, buffers: Mapping[int, Place | None], **params: float) -> Launch:
    """A copy of `launch` with some buffers (by position) and parameters (by name) replaced."""
    new = list(launch.buffers)
    for at, buffer in buffers.items():
        new[at] = buffer
    return launch._replace(buffers=tuple(new), params=tuple(_params(launch)._replace(**params)))


def _position(kernel: Kernel, name: str) -> int:
    return next(i for i, b in enumerate(kernel.buffers) if b.name == name)


def _free_between(graph: Graph, launch: Launch, at: int, first: int, last: int) -> bool:
    """No other launch touches what launch's buffer `at` covers from `first` to `last`, and `first`
    does not use it."""
    uid, start, end = graph.covered(launch, at)
    return not graph.touched(uid, start, end, first - 1, last)


# ---- copies ------------------------------------------------------------------------------------

# Outputs whose strides the producer takes as parameters: (kernel, buffer) -> prefix of the stride
# parameters b, t, h.
_STRIDED = {
    ("attention_backward", "dq"): "dq",
    ("attention_backward", "dk"): "dk",
    ("attention_backward", "dv"): "dv",
    ("rotary", "out"): "o",
}


def retarget_copy(graph: Graph, i: int, copy: Launch) -> bool:
    """producer -> X; copy X -> Y: the producer writes Y."""
    p = _params(copy)
    target, (x, x_offset) = copy.place(0), copy.place(1)
    if p.dtype_out != p.dtype_x or x_offset != 0:
        return False
    found = graph.producer(x, i)
    if found is None:
        return False
    k, at = found
    producer = graph.at(k)
    elements = graph.temporaries[x] // ELEMENT
    if producer.kernel.buffers[at].access != "w" and producer.kernel is not kernels.matmul:
        return False
    if _dense(p, "o", "x") == elements:
        new = _with(producer, {at: target}) if _free_between(graph, copy, 0, k, i) else None
    else:
        new = _strided_target(producer, at, p, target, elements) if _columns_free(graph, copy, k, i) else None
    if new is None:
        return False
    graph.replace(k, new)
    graph.remove(i)
    return True


def _columns(launch: Launch, at: int) -> tuple[int, int, int] | None:
    """(row pitch, first column, end column) in elements of a strided output that fills a band of
    columns, or None."""
    p, name = _params(launch), launch.kernel.buffers[at].name
    if launch.kernel is kernels.copy and at == 0:
        pitch, width = p.o4, p.n5
    elif (launch.kernel.name, name) in _STRIDED:
        prefix = _STRIDED[launch.kernel.name, name]
        heads = p.G if name in ("dk", "dv") else p.H
        pitch, width = getattr(p, prefix + "_t"), (heads - 1) * getattr(p, prefix + "_h") + p.D
    else:
        return None
    first = launch.place(at)[1] // ELEMENT % pitch if pitch else 0
    return (pitch, first, first + width) if 0 < pitch >= first + width else None


def _columns_free(graph: Graph, copy: Launch, k: int, i: int) -> bool:
    """As _free_between for the copy's target, but others may use other columns of the same rows."""
    mine = _columns(copy, 0)
    for j, at in graph.uses_between(*graph.covered(copy, 0), k - 1, i):
        other = _columns(graph.at(j), at)
        if mine is None or other is None or other[0] != mine[0] or (other[1] < mine[2] and mine[1] < other[2]):
            return False
    return True


def _strided_target(producer: Launch, at: int, p: Any, target: Place, elements: int) -> Launch | None:
    """The producer writing rows of c elements at a distance of `step`:
    Y[r * step + j] = X[r * c + j]."""
    if any(getattr(p, "n%d" % d) != 1 for d in range(kernels.MAX_RANK - 2)):
        return None
    rows, c, step = p.n4, p.n5, p.o4
    if p.x5 != 1 or p.o5 != 1 or p.x4 != c or rows * c != elements or step < c:
        return None
    name = producer.kernel.name
    q = _params(producer)
    if name == "matmul" and producer.kernel.buffers[at].name == "out":
        if q.batch == 1 and q.ldc == c == q.N and q.beta == 0.0 and not q.epilogue & ~(kernels.BIAS | kernels.GRADIENT):
            return _with(producer, {at: target}, ldc=step)
        return None
    prefix = _STRIDED.get((name, producer.kernel.buffers[at].name))
    if prefix is None:
        return None
    heads = q.G if producer.kernel.buffers[at].name in ("dk", "dv") else q.H
    names = [prefix + suffix for suffix in ("_b", "_t", "_h")]
    b, t, h = (getattr(q, n) for n in names)
    if t % c or b % c or (heads - 1) * h + q.D > c:
        return None
    return _with(producer, {at: target}, **{names[0]: b // c * step, names[1]: t // c * step})


# ---- matmul ------------------------------------------------------------------------------------


def _plain_matmul(launch: Launch, allowed: int = 0) -> Any:
    """Parameters of a matmul whose result is exactly its dense output, with at most the bits
    `allowed` (and the hint); else None."""
    if launch.kernel is not kernels.matmul:
        return None
    p = _params(launch)
    dense = p.ldc == p.N and (p.batch == 1 or p.sc == p.M * p.N)
    return p if dense and p.beta == 0.0 and not p.epilogue & ~(allowed | kernels.GRADIENT) else None


def accumulate(graph: Graph, i: int, add: Launch) -> bool:
    """matmul -> X; S += X: matmul into S with beta 1."""
    p = _params(add)
    if p.op != kernels.BINARY["add"] or add.buffers[0] != add.buffers[1] or not _dense(p, "a", "b"):
        return False
    x, x_offset = add.place(2)
    found = graph.producer(x, i)
    if found is None or x_offset != 0:
        return False
    matmul = graph.at(found[0])
    q = _plain_matmul(matmul)
    if q is None or q.batch * q.M * q.N != _dense(p, "a", "b") or not _free_between(graph, add, 0, found[0], i):
        return False
    graph.replace(found[0], _with(matmul, {0: add.buffers[0]}, beta=1.0))
    graph.remove(i)
    return True


def scale(graph: Graph, i: int, mul: Launch) -> bool:
    """matmul -> X; X * number: alpha."""
    p = _params(mul)
    x, x_offset = mul.place(1)
    if p.op != kernels.BINARY["mul"] or p.dtype != 0 or x_offset != 0:
        return False
    found = graph.producer(x, i)
    if found is None:
        return False
    matmul = graph.at(found[0])
    q = _plain_matmul(matmul)
    if q is None or q.alpha != 1.0 or q.batch * q.M * q.N != p.n or not _free_between(graph, mul, 0, found[0], i):
        return False
    graph.replace(found[0], _with(matmul, {0: mul.buffers[0]}, alpha=p.scalar))
    graph.remove(i)
    return True


def gelu(graph: Graph, i: int, unary: Launch) -> bool:
    """matmul (+ bias) -> X; gelu(X): the epilogue. It also keeps X where the backward reads it."""
    p = _params(unary)
    x = unary.place(1)
    if p.op != kernels.UNARY["gelu"] or x[1] != 0 or unary.buffers[0] == x:
        return False
    writers = graph.writers(x[0])
    if len(writers) != 1 or writers[0][0] >= i:
        return False
    k, at = writers[0]
    matmul = graph.at(k)
    q = _plain_matmul(matmul, kernels.BIAS)
    if q is None or at != 0 or q.batch * q.M * q.N != p.n or matmul.buffers[0] != x or x[0] not in graph.temporaries:
        return False
    if not _free_between(graph, unary, 0, k, i):
        return False
    needed = any(j not in (k, i) for j, _ in graph.uses[x[0]])
    pre = _position(kernels.matmul, "pre")
    graph.replace(
        k, _with(matmul, {0: unary.buffers[0], pre: x if needed else None}, epilogue=q.epilogue | kernels.GELU)
    )
    graph.remove(i)
    return True


def gelu_backward(graph: Graph, i: int, unary: Launch) -> bool:
    """matmul -> dy; dy * gelu'(pre): the epilogue."""
    p = _params(unary)
    if p.op != kernels.UNARY["gelu"]:
        return False
    dy, dy_offset = unary.place(1)
    found = graph.producer(dy, i)
    if found is None:
        return False
    matmul = graph.at(found[0])
    q = _plain_matmul(matmul)
    if q is None or q.batch * q.M * q.N != p.n or dy_offset != 0:
        return False
    if not _free_between(graph, unary, 0, found[0], i) or graph.written(*graph.covered(unary, 2), found[0] - 1, i):
        return False
    pre = _position(kernels.matmul, "pre")
    graph.replace(
        found[0],
        _with(matmul, {0: unary.buffers[0], pre: unary.buffers[2]}, epilogue=q.epilogue | kernels.GELU_BACKWARD),
    )
    graph.remove(i)
    return True


def residual(graph: Graph, i: int, add: Launch) -> bool:
    """matmul (+ bias) -> X; X + Y: the epilogue."""

    def fuse(producer: Launch, other: Place) -> Launch | None:
        q = _plain_matmul(producer, kernels.BIAS)
        if q is None or q.batch * q.M * q.N != _dense(_params(add), "a", "b"):
            return None
        return _with(
            producer,
            {0: add.buffers[0], _position(kernels.matmul, "residual"): other},
            epilogue=q.epilogue | kernels.RESIDUAL,
        )

    return _fuse_add(graph, i, add, fuse)


def norm_backward_add(graph: Graph, i: int, add: Launch) -> bool:
    """norm backward -> dx; dx + Y: its `add` buffer."""

    def fuse(producer: Launch, other: Place) -> Launch | None:
        if producer.kernel not in (kernels.layer_norm_backward, kernels.rms_norm_backward):
            return None
        at = _position(producer.kernel, "add")
        p = _params(producer)
        if producer.buffers[at] is not None or p.rows * p.C != _dense(_params(add), "a", "b"):
            return None
        return _with(producer, {0: add.buffers[0], at: other})

    return _fuse_add(graph, i, add, fuse)


def _fuse_add(graph: Graph, i: int, add: Launch, fuse: Fuse) -> bool:
    """producer -> X; X + Y (dense, either order): `fuse(producer, Y)` at the add's place or, if Y
    is ready by then, at the producer's."""
    p = _params(add)
    if p.op != kernels.BINARY["add"] or p.dtype != 0 or not _dense(p, "a", "b"):
        return False
    for side, other in ((1, 2), (2, 1)):
        x, y = add.place(side), add.place(other)
        found = graph.producer(x[0], i)
        if found is None or x[1] != 0 or found[1] != 0 or add.buffers[0] == x:
            continue
        k = found[0]
        fused = fuse(graph.at(k), y)
        if fused is None:
            continue
        uid, start, end = graph.covered(add, other)
        if not graph.written(uid, start, end, k - 1, i) and _target_free(graph, add, k, i):
            graph.replace(k, fused)
            graph.remove(i)
            return True
        if graph.inputs_unchanged(k, i):
            graph.replace(i, fused)
            graph.remove(k)
            return True
    return False


def _target_free(graph: Graph, add: Launch, k: int, i: int) -> bool:
    """The sum's memory is unused from k to i. An add in place has no such memory: False."""
    return _free_between(graph, add, 0, k, i) if add.buffers[0] not in add.buffers[1:] else False


# ---- norm --------------------------------------------------------------------------------------


def add_norm(graph: Graph, i: int, norm: Launch) -> bool:
    """add -> S; layer norm of S: one launch that writes both."""
    s = norm.place(3)
    writers = [w for w in graph.writers(s[0]) if w[0] < i]
    if s[0] not in graph.temporaries or len(graph.writers(s[0])) != 1 or not writers:
        return False
    k = writers[0][0]
    add = graph.at(k)
    if add.kernel is not kernels.binary:
        return False
    p, q = _params(add), _params(norm)
    if p.op != kernels.BINARY["add"] or p.dtype != 0 or _dense(p, "a", "b") != q.rows * q.C or add.buffers[0] != s:
        return False
    if not all(_free_between(graph, norm, at, k, i) for at in range(3)):
        return False
    if any(
        b is not None and graph.written(*graph.covered(norm, at), k - 1, i)
        for at, b in ((4, norm.buffers[4]), (5, norm.buffers[5]))
    ):
        return False
    graph.replace(
        k,
        norm._replace(
            kernel=kernels.add_layer_norm, buffers=(s, *norm.buffers[:3], *add.buffers[1:], *norm.buffers[4:])
        ),
    )
    graph.remove(i)
    return True


RULES: dict[str, tuple[Rule, ...]] = {
    "copy": (retarget_copy,),
    "binary": (accumulate, residual, norm_backward_add),
    "binary_scalar": (scale,),
    "unary": (gelu,),
    "unary_backward": (gelu_backward,),
    "layer_norm": (add_norm,),
}
