"""The gradients of gradients: how the backward of each op of `tinygpt.ops` is differentiated again.

A plain backward launches kernels on the values that it keeps. Here each op's name has a formula of
the same input gradients, composed of recorded ops, over the same values: `kept` has them by the
names that they have in the backward. A value gets its place on the tape back from the Node's own
edges (`at`). The formulas are composed of ops that have one too, so any order is there.

This file is loaded by the first create_graph=True. It fills `core.autograd.TWICE`, whose comment
says how another op takes part. An op without an entry is refused by its name.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ... import kernels
from ...core import autograd
from ...core.autograd import TWICE, attach, needs_grad, record
from ...core.factory import full
from ...core.state import no_grad
from ...core.tensor import Tensor
from ...ops import elementwise, embedding, matmul, movement, reduce
from ...ops.softmax_xent import softmax
from . import engine
from .engine import at, gradients, kept_by

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...core.autograd import Edge, Node

    Gradients = Sequence[Tensor | None]

# Ops whose backward is composed of recorded ops of the output gradients and the op's inputs.
_COMPOSED = (
    "neg to_copy add sub clamp where clone alias view permute expand unsqueeze squeeze cat tril sum mean max min "
    "rotary copy_ fill_ remainder stack checkpoint linear_pair gelu_backward diagonal unfold unbind flip put cumsum "
    "cumsum_backward cumprod slice_backward unfold_backward select_scatter slice_scatter diagonal_scatter "
    "as_strided_scatter scatter_reduce gather "
    "scatter scatter_add pad index_select amax amin sort topk kthvalue cholesky_solve linalg_cholesky_ex linalg_det "
    "linalg_eigh linalg_inv_ex linalg_lu linalg_lu_factor_ex linalg_matrix_power linalg_pinv linalg_qr linalg_slogdet "
    "linalg_solve_ex linalg_solve_triangular linalg_svd linalg_vector_norm"
)
for _name in (*_COMPOSED.split(), *kernels.MATH_OF_ONE, "random fill"):
    TWICE[_name] = None


def differentiate(node: Node, incoming: Sequence[Tensor | None]) -> Gradients:
    """The input gradients of a Node, with a graph of their own. RuntimeError for an op without a
    formula.
    """
    backward: Any = node.backward
    if hasattr(node, "ctx"):  # of an autograd.Function
        return backward(*incoming)
    kept = kept_by(backward)
    if "slopes" in kept:  # of ops.functions.recorded: they are composed of recorded ops
        return backward(*incoming)
    formula = TWICE.get(node.name, _refused)
    return backward(*incoming) if formula is None else formula(node, Kept(node.name, kept), *incoming)


def _refused(node: Node, *_: Any) -> Gradients:
    raise RuntimeError(
        "%r has no gradient of its gradient here (create_graph=True); compose it of other ops, or take the gradient "
        "without create_graph" % node.name
    )


class Kept(dict[str, Any]):
    """The values that a backward keeps. One that is not there is of another op with the same name,
    which is refused.
    """

    def __init__(self, op: str, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.op = op

    def __missing__(self, name: str) -> Any:
        raise RuntimeError("another %r, without %r, has no gradient of its gradient here" % (self.op, name))


engine.differentiate = differentiate


def formula(*names: str) -> Callable[[Any], Any]:
    """Enters a formula for ops of these names."""

    def enter(function: Any) -> Any:
        for name in names:
            TWICE[name] = function
        return function

    return enter


def result(value: Tensor, node: Node) -> Tensor:
    """A kept value that is the op's own result."""
    return at(value, (node, 0))


def linear_pair(x: Tensor, apply: Callable[[Tensor], Tensor], adjoint: Callable[[Tensor], Tensor]) -> Tensor:
    """apply(x), a linear function that is not recorded, with adjoint as its gradient: and apply is
    that one's.
    """
    with no_grad():
        out = apply(x.detach()).detach()
    if needs_grad(x):
        attach("linear_pair", (out,), (x,), lambda dy: (linear_pair(dy, adjoint, apply),), ())
    return out


def itself(node: Node) -> Callable[[Tensor], Tensor]:
    """The plain backward of an op with one input, as a function that is not recorded."""
    backward: Any = node.backward
    return lambda dy: backward(dy)[0]


def through(inputs: Sequence[Tensor], edges: Sequence[Edge], compute: Callable[..., Tensor], dy: Tensor) -> Gradients:
    """The gradients of an op whose value is also `compute` of its inputs, composed of recorded
    ops.
    """
    places = [i for i, edge in enumerate(edges) if edge is not None]
    given = list(inputs)
    for i in places:  # Nodes of their own, where the inner walk ends
        given[i] = movement.alias(at(inputs[i], edges[i]))
    found = gradients([(compute(*given), dy)], [given[i] for i in places], True, True)
    grads: list[Tensor | None] = [None] * len(edges)
    for i, g in zip(places, found):
        grads[i] = g
    return grads


# ---- elementwise ---------------------------------------------------------------------------------

mul, sub, div, where, compare = (
    elementwise.mul,
    elementwise.sub,
    elementwise.div,
    elementwise.where,
    elementwise.compare,
)


def _of_input(*names: str) -> Any:
    """A formula of the output gradient and the input."""

    def enter(function: Any) -> Any:
        for name in names:
            TWICE[name] = lambda node, kept, dy: (function(dy, at(kept["saved"], node.edges[0])),)
        return function

    return enter


def _of_result(*names: str) -> Any:
    """A formula of the output gradient and the result."""

    def enter(function: Any) -> Any:
        for name in names:
            TWICE[name] = lambda node, kept, dy: (function(dy, result(kept["saved"], node)),)
        return function

    return enter


_of_result("exp")(lambda dy, y: dy * y)
_of_result("sqrt")(lambda dy, y: dy / (y * 2.0))
_of_result("rsqrt")(lambda dy, y: dy * -0.5 * y**3)
_of_result("reciprocal")(lambda dy, y: -dy * (y * y))
_of_result("tanh")(lambda dy, y: dy * (1.0 - y * y))
_of_result("sigmoid")(lambda dy, y: dy * ((1.0 - y) * y))
_of_result("relu")(lambda dy, y: where(compare("le", y, 0), 0.0, dy))
_of_input("log")(lambda dy, x: dy / x)
_of_input("square")(lambda dy, x: dy * (x * 2.0))
_of_input("sin")(lambda dy, x: dy * x.cos())
_of_input("cos")(lambda dy, x: dy * -x.sin())


@_of_input("abs")
def _abs(dy: Tensor, x: Tensor) -> Tensor:
    return where(compare("eq", x, 0), 0.0, where(compare("lt", x, 0), -dy, dy))


@_of_input("silu")
def _silu(dy: Tensor, x: Tensor) -> Tensor:
    s = x.sigmoid()
    return dy * (s * (1.0 + x * (1.0 - s)))


@_of_input("gelu_tanh")
def _gelu_tanh(dy: Tensor, x: Tensor) -> Tensor:
    c, k = math.sqrt(2.0 / math.pi), 0.044715
    t = (c * (x + k * (x * x * x))).tanh()
    return dy * (0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * (c * (1.0 + 3.0 * k * (x * x))))


@_of_input("gelu")
def _gelu(dy: Tensor, x: Tensor) -> Tensor:
    """dy * (Phi(x) + x phi(x)), as an op whose own gradient is closed too."""
    with no_grad():
        out = elementwise._unary_backward("gelu", dy.detach().contiguous(), x.detach().contiguous())
    if needs_grad(dy, x):

        def backward(g: Tensor) -> Gradients:
            bend = (x * x * -0.5).exp() * (1.0 / math.sqrt(2.0 * math.pi)) * (2.0 - x * x)
            return _gelu(g, x), g * dy * bend

        attach("gelu_backward", (out,), (dy, x), backward, (dy, x))
    return out


@formula("mul")
def _mul(node: Node, kept: dict[str, Any], dy: Tensor) -> Gradients:
    if "gradient" in kept:  # alpha of a sum
        return (mul(dy, kept_by(kept["gradient"])["alpha"]),)
    if "a" not in kept:  # by a number
        return (mul(dy, kept["b"]),)
    (to_a, to_b), a, b = node.edges, kept["a"], kept["b"]
    da = None if to_a is None else elementwise.reduce_to(mul(dy, at(b, to_b)), a._shape)
    return da, None if to_b is None else elementwise.reduce_to(mul(dy, at(a, to_a)), b._shape)


@formula("div")
def _div(node: Node, kept: dict[str, Any], dy: Tensor) -> Gradients:
    if "gradient" in kept:
        return (div(dy, kept_by(kept["gradient"])["b"]),)
    to_a, to_b = node.edges
    a, b = at(kept["a"], to_a), at(kept["b"], to_b)
    da = div(dy, b)
    db = None if to_b is None else elementwise.reduce_to(-da * div(a, b), b._shape)
    return None if to_a is None else elementwise.reduce_to(da, a._shape), db


@formula("pow")
def _pow(node: Node, kept: dict[str, Any], dy: Tensor) -> Gradients:
    b = kept["b"]
    if not isinstance(b, Tensor):
        x = at(kept["x"], node.edges[0])
        return (mul(dy, 0) if b == 0 else mul(mul(elementwise.pow_(x, b - 1), b), dy),)
    to_a, to_b = node.edges
    a, b, y = at(kept["a"], to_a), at(b, to_b), result(kept["y"], node)
    da = db = None
    if to_a is not None:
        da = mul(dy, mul(b, elementwise.pow_(a, sub(b, 1))))
        da = elementwise.reduce_to(where(compare("eq", b, 0), 0.0, da), a._shape)
    if to_b is not None:
        flat = elementwise.logical_and(compare("eq", a, 0), compare("ge", b, 0))
        db = elementwise.reduce_to(where(flat, 0.0, mul(dy, mul(y, a.log()))), b._shape)
    return da, db


@formula("maximum", "minimum")
def _extremum(node: Node, kept: dict[str, Any], dy: Tensor) -> Gradients:
    a, b, (to_a, to_b) = kept["a"], kept["b"], node.edges
    dy = where(compare("eq", a, b), dy * 0.5, dy)
    loses_a, loses_b = ("lt", "gt") if node.name == "maximum" else ("gt", "lt")
    da = None if to_a is None else elementwise.reduce_to(where(compare(loses_a, a, b), 0.0, dy), a._shape)
    return da, None if to_b is None else elementwise.reduce_to(where(compare(loses_b, a, b), 0.0, dy), b._shape)


@formula("dropout")
def _dropout(node: Node, kept: dict[str, Any], dy: Tensor) -> Gradients:
    return (linear_pair(dy, itself(node), itself(node)),)


# ---- reductions ----------------------------------------------------------------------------------


@formula("prod")
def _prod(node: Node, kept: dict[str, Any], dy: Tensor) -> Gradients:
    x, dims = at(kept["x"], node.edges[0]), kept["dims"]
    rest = [d for d in range(x.ndim) if d not in dims]
    moved = x.permute(*rest, *dims) if x.ndim else x
    rows = moved.reshape(*[x._shape[d] for d in rest], -1) if x.numel() else moved
    if not x.numel():
        return (reduce._spread(dy, x._shape, dims) * 1.0,)
    n = rows._shape[-1]
    if reduce.any_(compare("eq", x, 0)).item():  # each element's others, one row of n for each
        apart = movement.arange(n, device=x.device)
        own = compare("eq", apart.unsqueeze(1), apart)
        others = reduce.prod(where(own, 1.0, rows.unsqueeze(-2)), -1)
    else:
        others = div(reduce.prod(rows, -1, True), rows)
    made = mul(others, dy.reshape(*[x._shape[d] for d in rest], 1))
    back = sorted(range(x.ndim), key=[*rest, *dims].__getitem__)
    return (made.reshape(moved._shape).permute(*back) if x.ndim else made.reshape(()),)


@formula("var", "std")
def _var(node: Node, kept: dict[str, Any], dy: Tensor) -> Gradients:
    x, dims, n, correction = at(kept["x"], node.edges[0]), kept["dims"], kept["n"], kept["correction"]
    if node.name == "std":
        scale, y = kept["scale"], kept["own"]
        y = result(y if scale is None else elementwise.div(y, scale.detach().reshape(y._shape)), node)
        dy = where(compare("eq", y, 0), 0.0, div(dy, y * 2.0))
    dy = mul(dy, 2.0 / (n - correction) if n != correction else math.inf)
    return (mul(reduce._spread(dy, x._shape, dims), sub(x, reduce.mean(x, dims, keepdim=True))),)


# ---- products ------------------------------------------------------------------------------------


@formula("matmul")
def _matmul(node: Node, kept: dict[str, Any], dy: Tensor) -> Gradients:
    if "a" not in kept:
        return None, None
    to_a, to_b = node.edges
    a, b = at(kept["a"], to_a), at(kept["b"], to_b)
    da = None if to_a is None else matmul.matmul(dy, b.transpose(-2, -1))
    return da, None if to_b is None else matmul.matmul(a.transpose(-2, -1), dy)


@formula("linear")
def _linear(node: Node, kept: dict[str, Any], dy: Tensor) -> Gradients:
    kept = kept_by(kept["backward"]) if "backward" in kept else kept
    to_x, to_weight, *to_bias = node.edges
    lead, K = kept["lead"], kept["K"]
    rows = dy.reshape(kept["flat"]._shape[0], dy._shape[-1])
    grads: list[Tensor | None] = [None for _ in node.edges]
    if to_x is not None:
        grads[0] = matmul.matmul(rows, at(kept["w"], to_weight)).reshape(*lead, K)
    if to_weight is not None:
        grads[1] = matmul.matmul(rows.transpose(0, 1), at(kept["flat"], to_x) if to_x is None else _flat(kept, to_x))
    if to_bias and to_bias[0] is not None:
        grads[2] = rows.sum(0)
    return grads


def _flat(kept: dict[str, Any], edge: Edge) -> Tensor:
    """The rows of linear's input, from its own dimensions."""
    flat = kept["flat"]
    x = Tensor(flat._storage, (*kept["lead"], kept["K"]), flat._dtype, flat._offset)
    return at(x, edge).reshape(flat._shape)


@formula("attention")
def _attention(node: Node, kept: dict[str, Any], dy: Tensor) -> Gradients:
    H, G, T, S, causal = kept["H"], kept["G"], kept["T"], kept["S"], kept["sizes"][-1]

    def composed(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if G != H:
            k, v = (
                x.unsqueeze(2).expand(*x._shape[:2], H // G, *x._shape[2:]).reshape(q._shape[:2] + x._shape[2:])
                for x in (k, v)
            )
        scores = (q @ k.transpose(-2, -1)) * kept["scale"]
        if causal:
            scores = where(movement.tril(full((T, S), True, device=q.device)), scores, -math.inf)
        return softmax(scores, -1) @ v

    return through([kept["q"], kept["k"], kept["v"]], node.edges, composed, dy)


# ---- norms, softmax, losses ----------------------------------------------------------------------


@formula("layer_norm", "rms_norm")
def _norm(node: Node, kept: dict[str, Any], dy: Tensor) -> Gradients:
    weight, bias, centred = kept["weight"], kept.get("bias"), node.name == "layer_norm"
    edges = iter(node.edges)
    to_x, to_weight = next(edges), next(edges) if weight is not None else None
    to_bias = next(edges) if bias is not None else None
    x = at(kept["x"], to_x)
    if centred:
        x = x - x.mean(-1, keepdim=True)
    rstd = ((x * x).mean(-1, keepdim=True) + kept["eps"]).rsqrt()
    normed, lead = x * rstd, tuple(range(x.ndim - 1))
    grads: list[Tensor | None] = []
    g = dy if weight is None else dy * at(weight, to_weight)
    dx = g - normed * (g * normed).mean(-1, keepdim=True)
    grads.append(rstd * (dx - g.mean(-1, keepdim=True) if centred else dx))
    if weight is not None:
        grads.append((dy * normed).sum(lead) if lead else dy * normed)
    if bias is not None:
        grads.append(dy.sum(lead) if lead else dy)
    return [g if edge is not None else None for g, edge in zip(grads, (to_x, to_weight, to_bias))]


@formula("softmax", "log_softmax")
def _softmax(node: Node, kept: dict[str, Any], dy: Tensor) -> Gradients:
    y, d = result(kept["y"], node), kept.get("d", -1)
    if node.name == "log_softmax":
        return (dy - y.exp() * dy.sum(d, keepdim=True),)
    return ((dy - (dy * y).sum(d, keepdim=True)) * y,)


def _softmax_of(y: Tensor, edge: Edge) -> Tensor:
    """Values that are the softmax of what `edge` leads to."""
    out = y.detach()
    record("softmax", (out,), (edge,), lambda dy: ((dy - (dy * y).sum(-1, keepdim=True)) * y,))
    return out


@formula("cross_entropy")
def _cross_entropy(node: Node, kept: dict[str, Any], dy: Tensor) -> Gradients:
    """dy * (softmax(logits) - one-hot) / count; the softmax is what the loss kept plus the
    one-hot.
    """
    dlogits, targets, reduction = kept["dlogits"].detach(), kept["targets"].detach(), kept["reduction"]
    targets = targets.unsqueeze(-1)
    hot = compare("eq", movement.arange(dlogits._shape[-1], device=dlogits.device), targets)
    counted = compare("ne", targets, kept["ignore_index"])
    scale = 1.0 / counted.sum() if reduction == "mean" else full((), 1.0, device=dlogits.device)
    y = _softmax_of(dlogits / scale + where(hot, 1.0, 0.0), node.edges[0])
    own = where(counted, (y - where(hot, 1.0, 0.0)) * scale, 0.0)
    return (own * (dy if reduction != "none" else dy.unsqueeze(-1)),)


# ---- views, indexing, writes ---------------------------------------------------------------------


@formula("slice")
def _slice(node: Node, kept: dict[str, Any], dy: Tensor) -> Gradients:
    where_ = kept["d"], kept["start"], kept["length"], kept["step"]
    return (linear_pair(dy, itself(node), lambda g: movement.sliced(g, *where_).clone()),)


@formula("select")
def _select(node: Node, kept: dict[str, Any], dy: Tensor) -> Gradients:
    return (linear_pair(dy, itself(node), lambda g: movement.select(g, kept["d"], kept["at"]).clone()),)


@formula("split")
def _split(node: Node, kept: dict[str, Any], *dys: Tensor | None) -> Gradients:
    some: Any = next(g for g in dys if g is not None)
    parts = [full(o, 0.0, some._dtype, some.device) if g is None else g for g, o in zip(dys, kept["shapes"])]
    return (movement.cat(parts, kept["d"]),)


@formula("embedding")
def _embedding(node: Node, kept: dict[str, Any], dy: Tensor) -> Gradients:
    if "factor" in kept:  # of each row of the gradient (nn.functional.embedding)
        return (itself(node)(dy),)
    return (linear_pair(dy, itself(node), lambda g: embedding.rows(kept["index"], g)),)


@formula("as_strided")
def _as_strided(node: Node, kept: dict[str, Any], dy: Tensor) -> Gradients:
    if len(kept["whole"]) == 3:  # Tensor.as_strided: composed
        return (itself(node)(dy),)
    return (linear_pair(dy, itself(node), lambda g: _part(g, kept["place"], kept["whole"])),)


def _part(g: Tensor, place: Any, whole: Any) -> Tensor:
    """What a view at `place` shows of a tensor laid out as `whole`."""
    laid, part = autograd._spread(None, place, whole, g)
    elementwise.copy_into(laid, g)
    return Tensor(part._storage, place[0], part._dtype, place[2], place[1]).clone()


@formula("copy_slices")
def _copy_slices(node: Node, kept: dict[str, Any], dy: Tensor) -> Gradients:
    place, whole = kept["place"], kept["whole"]
    backward: Any = node.backward
    rest = linear_pair(dy, lambda g: backward(g)[0], lambda g: backward(g)[0])
    inner = linear_pair(dy, lambda g: backward(g)[1], lambda g: autograd._spread(g, place, whole, g)[0])
    return rest, inner


@formula("index_put")
def _index_put(node: Node, kept: dict[str, Any], dy: Tensor) -> Gradients:
    rest = dy if kept["accumulate"] else linear_pair(dy, itself(node), itself(node))
    return rest, elementwise.reduce_to(movement.index(dy, tuple(kept["keys"])), kept["shape"])
