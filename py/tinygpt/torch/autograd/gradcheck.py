"""`gradcheck` and `gradgradcheck`: the gradients of a function beside finite differences."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from ...core.state import enable_grad
from ...core.tensor import Tensor, float64
from ...ops.random import randn
from ..keywords import refuse
from .gradients import grad

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """A gradient differs from the finite differences."""


def _tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _outputs(value: Any) -> list[Tensor]:
    return [v for v in _tuple(value) if isinstance(v, Tensor) and v.requires_grad]


def _numerical(function: Callable[..., Any], inputs: Sequence[Any], x: Tensor, eps: float) -> list[list[list[float]]]:
    """For each output d output / d x, a row for each element of x, by central differences."""
    rows: list[list[list[float]]] = []
    data = x.data
    for place in _places(x.shape):
        value = data[place].item()
        ends: list[list[list[float]]] = []
        for moved in (value + eps, value - eps):
            data[place] = moved
            ends.append([v.detach().reshape(-1).tolist() for v in _outputs(function(*inputs))])
        data[place] = value
        rows.append([[(a - b) / (2 * eps) for a, b in zip(high, low)] for high, low in zip(*ends)])
    return [[row[i] for row in rows] for i in range(len(rows[0]) if rows else 0)]


def _places(shape: Sequence[int]) -> list[Any]:
    places: list[tuple[int, ...]] = [()]
    for n in shape:
        places = [(*p, i) for p in places for i in range(n)]
    return places


def _analytical(out: Tensor, x: Tensor) -> tuple[list[list[float]], bool]:
    """d out / d x, a row for each element of x; and whether two backwards agree to the bit."""
    columns: list[list[float]] = []
    same = True
    for place in _places(out.shape):
        seed = out.detach() * 0.0
        seed[place] = 1.0
        found = [grad(out, x, seed, retain_graph=True, allow_unused=True)[0] for _ in range(2)]
        a, b = ([0.0] * x.numel() if g is None else g.reshape(-1).tolist() for g in found)
        same = same and a == b
        columns.append(a)
    return [list(row) for row in zip(*columns)], same


def _close(a: float, b: float, atol: float, rtol: float) -> bool:
    return a == b or a != a and b != b or abs(a - b) <= atol + rtol * abs(b)


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Whether the gradients of func(*inputs) equal central differences of step eps, for each input
    that requires one; give float64. GradcheckError where not, or False without raise_exception.
    """
    refuse(
        "gradcheck",
        check_batched_grad=check_batched_grad,
        check_batched_forward_grad=check_batched_forward_grad,
        check_forward_ad=check_forward_ad,
        masked=masked,
    )
    given = _tuple(inputs)
    checked = [(i, x) for i, x in enumerate(given) if isinstance(x, Tensor) and x.requires_grad]
    if not checked:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of the them have "
            "requires_grad=True."
        )
    for i, x in checked:
        if x.dtype is not float64:
            warnings.warn(
                "Input #%d requires gradient and is not a double precision floating point or complex. This check will "
                "likely fail if all the inputs are not of double precision floating point or complex. " % i,
                stacklevel=2,
            )
    try:
        with enable_grad():
            _check(func, given, checked, eps, atol, rtol, nondet_tol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _check(
    func: Callable[..., Any],
    given: tuple[Any, ...],
    checked: list[tuple[int, Tensor]],
    eps: float,
    atol: float,
    rtol: float,
    nondet_tol: float,
) -> None:
    outputs = _outputs(func(*given))
    for i, x in checked:
        x.data = x.data.contiguous()
        numerical = _numerical(func, given, x, eps)
        if not outputs:
            if any(v for rows in numerical for row in rows for v in row):
                raise GradcheckError("Numerical gradient for function expected to be zero")
            continue
        for o, out in enumerate(outputs):
            analytical, same = _analytical(out, x)
            expected = numerical[o] if numerical else []
            if not same and not nondet_tol:
                raise GradcheckError(
                    "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times "
                    "gives different values, although analytical gradient matches numerical gradient."
                )
            pairs = [(a, n) for ra, rn in zip(analytical, expected) for a, n in zip(ra, rn)]
            if not all(_close(a, n, atol, rtol) for a, n in pairs):
                raise GradcheckError(
                    "Jacobian mismatch for output %d with respect to input %d,\nnumerical:%s\nanalytical:%s\n"
                    % (o, i, expected, analytical)
                )


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """gradcheck of the gradients of func, by its inputs and its output gradients. They are random
    numbers unless given.
    """
    refuse("gradgradcheck", check_batched_grad=check_batched_grad, check_fwd_over_rev=check_fwd_over_rev, masked=masked)
    given = _tuple(inputs)
    if grad_outputs is None:
        seeds = [randn(v.shape).to(v.dtype).requires_grad_() for v in _outputs(func(*given))]
    else:
        seeds = list(_tuple(grad_outputs))
    count = len(seeds)

    def gradient(*arguments: Any) -> tuple[Any, ...]:
        own = arguments[:-count] if count else arguments
        own = tuple([x.clone() if isinstance(x, Tensor) and x.is_leaf and x.requires_grad else x for x in own])
        wanted = [x for x in own if isinstance(x, Tensor) and x.requires_grad]
        found = grad(_outputs(func(*own)), wanted, arguments[-count:], create_graph=True, allow_unused=True)
        return tuple([g for g in found if g is not None])

    return gradcheck(
        gradient,
        (*given, *seeds),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
    )
