"""L-BFGS (Nocedal 1980), with a line search by the strong Wolfe conditions (Nocedal and Wright
2006, algorithms 3.5 and 3.6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...core.factory import full
from ...core.state import enable_grad, no_grad
from ...core.tensor import Tensor
from ...graph import program
from ...ops.movement import cat
from .counted import number
from .optimizer import Optimizer
from .single import check_lr

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LBFGS"]

ENOUGH_CURVATURE = 1e-10  # a pair of steps with less is not remembered
C1, C2 = 1e-4, 0.9  # sufficient decrease, curvature


class _Point(NamedTuple):
    """A place on the line: its step, the loss, the gradient, and that along the direction."""

    t: Any
    loss: Any
    grad: Any
    slope: Any


def _cubic_minimum(a: _Point, b: _Point, bounds: tuple[Any, Any] | None = None) -> Any:
    """Where the cubic through two points with their slopes is least, within bounds."""
    low, high = bounds or ((a.t, b.t) if a.t <= b.t else (b.t, a.t))
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1**2 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2.0
    d2 = square.sqrt()
    if a.t <= b.t:
        least = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
    else:
        least = a.t - (a.t - b.t) * ((a.slope + d2 - d1) / (a.slope - b.slope + 2 * d2))
    return min(max(least, low), high)


def _strong_wolfe(
    at: Callable[[Any], tuple[float, Tensor]],
    start: _Point,
    first: Any,
    direction: Tensor,
    most: int,
    tolerance: float = 1e-9,
) -> tuple[_Point, int]:
    """A point that satisfies the conditions, and how often the loss was computed.

    start: t = 0. first: the step that is tried first. most: evaluations.
    """
    largest = direction.abs().max()
    calls = 0

    def point(t: Any) -> _Point:
        nonlocal calls
        calls += 1
        loss, grad = at(t)
        return _Point(t, loss, grad.clone(), grad @ direction)

    now, before, found = point(first), start, False
    bracket: list[_Point] = []
    tries = 0
    while tries < most:
        if now.loss > start.loss + C1 * now.t * start.slope or (tries > 1 and now.loss >= before.loss):
            bracket = [before, now]
            break
        if abs(now.slope) <= -C2 * start.slope:
            bracket, found = [now], True
            break
        if now.slope >= 0:
            bracket = [before, now]
            break
        bounds = now.t + 0.01 * (now.t - before.t), now.t * 10
        before, now = now, point(_cubic_minimum(before, now, bounds))
        tries += 1
    if tries == most:
        bracket = [start, now]
    stuck = False
    low, high = (0, 1) if bracket[0].loss <= bracket[-1].loss else (1, 0)
    while not found and tries < most:
        left, right = bracket
        if abs(right.t - left.t) * largest < tolerance:
            break
        t = _cubic_minimum(left, right)
        lower, upper = min(left.t, right.t), max(left.t, right.t)
        margin = 0.1 * (upper - lower)
        if min(upper - t, t - lower) < margin:  # too near an end: a second time in a row it moves inside
            if stuck or t >= upper or t <= lower:
                t = upper - margin if abs(t - upper) < abs(t - lower) else lower + margin
                stuck = False
            else:
                stuck = True
        else:
            stuck = False
        now = point(t)
        tries += 1
        if now.loss > start.loss + C1 * t * start.slope or now.loss >= bracket[low].loss:
            bracket[high] = now
            low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
        else:
            if abs(now.slope) <= -C2 * start.slope:
                found = True
            elif now.slope * (bracket[high].t - bracket[low].t) >= 0:
                bracket[high] = bracket[low]
            bracket[low] = now
    return bracket[low], calls


class LBFGS(Optimizer):
    """As torch.optim.LBFGS: step(closure) computes the loss several times.

    line_search_fn: None or "strong_wolfe".
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_lr(lr)
        if max_eval is None:
            max_eval = max_iter * 5 // 4
        super().__init__(
            params,
            dict(
                lr=lr, max_iter=max_iter, max_eval=max_eval, tolerance_grad=tolerance_grad,
                tolerance_change=tolerance_change, history_size=history_size, line_search_fn=line_search_fn,
            ),
        )  # fmt: skip
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    @property
    def _params(self) -> list[Any]:
        return self.param_groups[0]["params"]

    def _gather_flat_grad(self) -> Tensor:
        parts = []
        for p in self._params:
            grad = p.grad
            parts.append(
                full((p.numel(),), 0.0, p._dtype, device=p.device) if grad is None else grad.detach().reshape(-1)
            )
        return cat(parts)

    def _add_grad(self, step_size: Any, update: Tensor) -> None:
        at = 0
        for p in self._params:
            p.add_(update[at : at + p.numel()].view(p._shape), alpha=number(step_size))
            at += p.numel()

    def _directional_evaluate(self, closure: Any, x: list[Tensor], t: Any, d: Tensor) -> tuple[float, Tensor]:
        self._add_grad(t, d)
        loss, grad = float(closure()), self._gather_flat_grad()
        for p, before in zip(self._params, x):
            p.copy_(before)
        return loss, grad

    def step(self, closure: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Up to max_iter iterations. closure: clears the gradients, computes the loss and its
        gradients, and returns the loss. Returns the first loss.
        """
        program.note_read("LBFGS.step() decides by the loss")

        def evaluate() -> Any:
            with enable_grad():
                return closure()

        with no_grad():
            return self._step(evaluate)

    def _step(self, closure: Any) -> Any:
        group, state = self.param_groups[0], self.state[self._params[0]]
        lr, tolerance = number(group["lr"]), group["tolerance_change"]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first_loss = closure()
        loss, calls = float(first_loss), 1
        state["func_evals"] += 1
        grad = self._gather_flat_grad()
        if grad.abs().max() <= group["tolerance_grad"]:
            return first_loss
        d, t = state.get("d"), state.get("t")
        for _ in range(group["max_iter"]):
            state["n_iter"] += 1
            d = self._direction(state, grad, d, t, group["history_size"])
            if state.get("prev_flat_grad") is None:
                state["prev_flat_grad"] = grad.clone()
            else:
                state["prev_flat_grad"].copy_(grad)
            state["prev_loss"] = before = loss
            t = min(1.0, 1.0 / grad.abs().sum()) * lr if state["n_iter"] == 1 else lr
            slope = grad @ d
            if slope > -tolerance:
                break
            last = _ + 1 == group["max_iter"]
            made, t, loss, grad = self._move(closure, group, t, d, _Point(0, loss, grad, slope), calls, last)
            calls += made
            state["func_evals"] += made
            if last or calls >= group["max_eval"] or grad.abs().max() <= group["tolerance_grad"]:
                break
            if d.mul(t).abs().max() <= tolerance or abs(loss - before) < tolerance:
                break
        state["d"], state["t"] = d, t
        return first_loss

    def _move(
        self, closure: Any, group: dict[str, Any], t: Any, d: Tensor, start: _Point, calls: int, last: bool
    ) -> tuple[int, Any, float, Tensor]:
        """Moves the parameters along d: (calls of the closure, step, loss, gradient)."""
        if group["line_search_fn"] is not None:
            if group["line_search_fn"] != "strong_wolfe":
                raise RuntimeError("only 'strong_wolfe' is supported")
            x = [p.clone() for p in self._params]
            most = group["max_eval"] - calls
            end, made = _strong_wolfe(lambda t: self._directional_evaluate(closure, x, t, d), start, t, d, most)
            self._add_grad(end.t, d)
            return made, end.t, end.loss, end.grad
        self._add_grad(t, d)
        if last:
            return 0, t, start.loss, start.grad
        loss = float(closure())
        return 1, t, loss, self._gather_flat_grad()

    @staticmethod
    def _direction(state: dict[str, Any], grad: Any, d: Any, t: Any, history_size: int) -> Any:
        """Minus the inverse Hessian, as the remembered steps tell it, times the gradient."""
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1)
            return grad.neg()
        old_dirs, old_stps, ro = state["old_dirs"], state["old_stps"], state["ro"]
        y, s = grad.sub(state["prev_flat_grad"]), d.mul(t)
        ys = y @ s
        if ys > ENOUGH_CURVATURE:
            if len(old_dirs) == history_size:
                for kept in (old_dirs, old_stps, ro):
                    kept.pop(0)
            old_dirs.append(y)
            old_stps.append(s)
            ro.append(1.0 / ys)
            state["H_diag"] = ys / (y @ y)
        al = state.setdefault("al", [None] * history_size)
        q = grad.neg()
        for i in range(len(old_dirs) - 1, -1, -1):
            al[i] = (old_stps[i] @ q) * ro[i]
            q.add_(old_dirs[i], alpha=-al[i].item())
        r = q * state["H_diag"]
        for i in range(len(old_dirs)):
            r.add_(old_stps[i], alpha=(al[i] - (old_dirs[i] @ r) * ro[i]).item())
        return r
