"""`torch.autograd.functional`: Jacobians, Hessians and their products with vectors, by backwards of
backwards.

Each takes a function of tensors, its inputs (a Tensor or a tuple), and gives a result of the same
form. create_graph: the results are differentiable. strict: an error where a result does not depend
on an input, in place of zeros.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...core.state import enable_grad
from ...core.tensor import Tensor
from ...ops import movement
from ...ops.elementwise import zeros_of
from ..keywords import refuse
from .gradients import grad

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]
LIMITED = {
    "jacobian": "vectorize=True computes the rows one by one; strategy='forward-mode' is refused",
    "hessian": "vectorize=True computes the rows one by one; outer_jacobian_strategy='forward-mode' is refused",
}


def _as_tuple(value: Any, what: str, function: str) -> tuple[bool, tuple[Tensor, ...]]:
    """(whether it is a tuple, the tuple)."""
    is_tuple = isinstance(value, tuple)
    values = value if is_tuple else (value,)
    for i, x in enumerate(values):
        if not isinstance(x, Tensor):
            place = "Value at index %d in the " % i if is_tuple else "The "
            raise TypeError(
                "%s%s given to %s must be a Tensor%s but got %s"
                % (place, what, function, "" if is_tuple else " or a tuple of Tensors", type(x).__name__)
            )
    return is_tuple, values


def _prepared(inputs: Sequence[Tensor], create_graph: bool, need_graph: bool) -> tuple[Tensor, ...]:
    """New tensors of the inputs, on the tape."""
    return tuple(
        [
            movement.alias(x) if create_graph and x.requires_grad else x.detach().requires_grad_(need_graph)
            for x in inputs
        ]
    )


def _finished(values: Sequence[Tensor], is_tuple: bool, create_graph: bool) -> Any:
    """What the caller gets of some results."""
    done = tuple(values) if create_graph else tuple([x.detach() for x in values])
    return done if is_tuple else done[0]


def _gradients(
    outputs: Sequence[Tensor | None],
    inputs: Sequence[Tensor],
    seeds: Sequence[Tensor] | None,
    create_graph: bool,
    retain: bool | None = None,
) -> tuple[Tensor | None, ...]:
    """grad of the outputs that require one; None for what they do not depend on."""
    there = [(x, None if seeds is None else seeds[i]) for i, x in enumerate(outputs) if x is not None]
    there = [(x, g) for x, g in there if x.requires_grad]
    if not there:
        return (None,) * len(inputs)
    return grad(
        [x for x, _ in there],
        inputs,
        [g for _, g in there],
        retain_graph=retain,
        create_graph=create_graph,
        allow_unused=True,
    )


def _filled(
    found: Sequence[Tensor | None], like: Sequence[Tensor], strict: bool, graph: bool, what: str
) -> list[Tensor]:
    """Gradients with zeros for those that are not there; RuntimeError for these where `strict`."""
    out: list[Tensor] = []
    for i, (g, x) in enumerate(zip(found, like)):
        if g is None and strict:
            raise RuntimeError("The %s is independent of input %d. This is not allowed in strict mode." % (what, i))
        if g is not None and strict and graph and not g.requires_grad:
            raise RuntimeError(
                "The jacobian of the user-provided function is independent of input %d. This is not allowed in strict "
                "mode when create_graph=True." % i
            )
        out.append(zeros_of(x) if g is None else g)
    return out


def _strict(values: Sequence[Tensor | None], strict: bool, message: str) -> None:
    for i, x in enumerate(values):
        if strict and (x is None or not x.requires_grad):
            raise RuntimeError(message % i)


_OUTPUT = (
    "Output %d of the user-provided function does not require gradients. The outputs must be computed in a "
    "differentiable manner from the input when running in strict mode."
)
_JACOBIAN = (
    "While computing the hessian, found that the jacobian of the user-provided function with respect to input %d is "
    "independent of the input. This is not allowed in strict mode. You should ensure that your function is twice "
    "differentiable and that the jacobian depends on the inputs (this would be violated by a linear function for "
    "example)."
)
_FUNCTION = "output of the user-provided function"


def _vector(v: Any, like: Sequence[Tensor], is_tuple: bool, function: str, missing: str, create_graph: bool) -> Any:
    """The vector of a product, of the shapes of `like`; None where it may be left out."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError("The vector v can only be None if %s single Tensor with a single element." % missing)
        return None
    _, given = _as_tuple(v, "v", function)
    given = _prepared(given, create_graph, False)
    if len(given) != len(like):
        if is_tuple:
            raise RuntimeError("v is a tuple of invalid length: should be %d but got %d." % (len(like), len(given)))
        raise RuntimeError("The given v should contain a single Tensor.")
    for i, (a, x) in enumerate(zip(given, like)):
        if a._shape != x._shape:
            raise RuntimeError(
                "%sv has invalid size: should be torch.Size(%s) but got torch.Size(%s)."
                % ("Entry %d in " % i if is_tuple else "", list(x._shape), list(a._shape))
            )
    return given


def vjp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(func(*inputs), the vector v times the Jacobian). v: of the outputs' shapes."""
    with enable_grad():
        is_in, ins = _as_tuple(inputs, "inputs", "vjp")
        ins = _prepared(ins, create_graph, True)
        is_out, outs = _as_tuple(func(*ins), "outputs of the user-provided function", "vjp")
        _strict(outs, strict, _OUTPUT)
        vector = _vector(v, outs, is_out, "vjp", "the user-provided function returns a", create_graph)
        found = _filled(_gradients(outs, ins, vector, create_graph), ins, strict, create_graph, _FUNCTION)
    return _finished(outs, is_out, create_graph), _finished(found, is_in, create_graph)


def jvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(func(*inputs), the Jacobian times the vector v). v: of the inputs' shapes.

    The product is the gradient of a backward by what it started from.
    """
    with enable_grad():
        is_in, ins = _as_tuple(inputs, "inputs", "jvp")
        ins = _prepared(ins, create_graph, True)
        vector = _vector(v, ins, is_in, "jvp", "the input to the user-provided function is a", create_graph)
        is_out, outs = _as_tuple(func(*ins), "outputs of the user-provided function", "jvp")
        _strict(outs, strict, _OUTPUT)
        seeds = tuple([zeros_of(x).requires_grad_() for x in outs])
        back = _gradients(outs, ins, seeds, True)
        _strict(
            back, strict, "The output of the user-provided function is independent of input %d. "
            "This is not allowed in strict mode.",
        )  # fmt: skip
        found = _filled(
            _gradients(back, seeds, vector, create_graph), outs, strict, create_graph,
            "gradient with respect to the input",
        )  # fmt: skip
    return _finished(outs, is_out, create_graph), _finished(found, is_out, create_graph)


def _scalar(
    name: str, func: Callable[..., Any], inputs: Any, v: Any, create_graph: bool, strict: bool
) -> tuple[bool, tuple[Tensor, ...], Any, Tensor, tuple[Tensor | None, ...]]:
    """What hvp and vhp share: the inputs, the vector, the value and its gradients."""
    is_in, ins = _as_tuple(inputs, "inputs", name)
    ins = _prepared(ins, create_graph, True)
    vector = _vector(v, ins, is_in, name, "the input to the user-provided function is a", create_graph)
    is_out, outs = _as_tuple(func(*ins), "outputs of the user-provided function", name)
    _strict(outs, strict, _OUTPUT)
    _check_scalar(name, is_out, outs[0])
    first = _gradients(outs, ins, None, True)
    _strict(first, strict, _JACOBIAN)
    return is_in, ins, vector, outs[0], first


def _check_scalar(name: str, is_tuple: bool, out: Tensor) -> None:
    if is_tuple:
        raise RuntimeError("The function given to %s should return a single Tensor" % name)
    if out.numel() != 1:
        raise RuntimeError("The Tensor returned by the function given to %s should contain a single element" % name)


def hvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(func(*inputs), a scalar; its Hessian times the vector v)."""
    with enable_grad():
        is_in, ins, vector, out, first = _scalar("hvp", func, inputs, v, create_graph, strict)
        seeds = tuple([zeros_of(x).requires_grad_() for x in ins])
        second = _gradients(first, ins, seeds, True)
        found = _filled(
            _gradients(second, seeds, vector, create_graph), ins, strict, create_graph,
            "hessian of the user-provided function",
        )  # fmt: skip
    return _finished([out], False, create_graph), _finished(found, is_in, create_graph)


def vhp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(func(*inputs), a scalar; the vector v times its Hessian)."""
    with enable_grad():
        is_in, ins, vector, out, first = _scalar("vhp", func, inputs, v, create_graph, strict)
        found = _filled(
            _gradients(first, ins, vector, create_graph), ins, strict, create_graph,
            "jacobian of the user-provided function",
        )  # fmt: skip
    return _finished([out], False, create_graph), _finished(found, is_in, create_graph)


def _check_strategy(name: str, strategy: str) -> None:
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode".')
    if strategy == "forward-mode":
        refuse(name, strategy=strategy)


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """d func(*inputs) / d inputs, each of the output's shape and then the input's.

    A tuple for a tuple of outputs, of tuples for a tuple of inputs.
    """
    _check_strategy("jacobian", strategy)
    if vectorize and strict:
        raise RuntimeError(
            "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not supported together. "
            "Please either set `strict=False` or `vectorize=False`."
        )
    with enable_grad():
        is_in, ins = _as_tuple(inputs, "inputs", "jacobian")
        ins = _prepared(ins, create_graph, True)
        is_out, outs = _as_tuple(func(*ins), "outputs of the user-provided function", "jacobian")
        _strict(outs, strict, _OUTPUT)
        made: list[Any] = []
        for i, out in enumerate(outs):
            rows: list[list[Tensor]] = []
            flat = out.reshape(-1)
            for j in range(flat.numel()):
                found = _gradients((flat[j],), ins, None, create_graph, True)
                rows.append(_filled(found, ins, strict, create_graph, "Output %d of the user-provided function" % i))
            blocks = [_stacked([row[k] for row in rows], out, x) for k, x in enumerate(ins)]
            made.append(_finished(blocks, is_in, create_graph))
    return tuple(made) if is_out else made[0]


def _stacked(rows: list[Tensor], out: Tensor, x: Tensor) -> Tensor:
    shape = out._shape + x._shape
    return movement.stack(rows).reshape(shape) if rows else zeros_of(x)[None][:0].reshape(shape)


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The second derivatives of func(*inputs), a scalar: a block of both shapes for each pair."""
    _check_strategy("hessian", outer_jacobian_strategy)
    is_in, ins = _as_tuple(inputs, "inputs", "hessian")

    def single(*given: Tensor) -> Tensor:
        is_out, outs = _as_tuple(func(*given), "outputs of the user-provided function", "hessian")
        _strict(outs, strict, _OUTPUT)
        _check_scalar("hessian", is_out, outs[0])
        return outs[0].reshape(())

    def first(*given: Tensor) -> tuple[Tensor, ...]:
        found = jacobian(single, given, create_graph=True)
        _strict(found, strict, _JACOBIAN)
        return found

    found = jacobian(first, ins, create_graph=create_graph, strict=strict, vectorize=vectorize)
    return found if is_in else found[0][0]
