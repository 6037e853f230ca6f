"""Steps whose settings are in a small device buffer, `hyper`: one kernel a parameter, and a
recorded step (tinygpt.compile) replays with the settings and the step count of the moment.

A step count is a 0-d tensor, `state[p]["step"]`, as in PyTorch. Python knows its value without
a read as long as nobody else has written it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...core.autograd import written
from ...core.factory import empty, full
from ...core.gradients import gradient_of
from ...core.reads import paused
from ...core.state import enable_grad
from ...core.state import state as modes
from ...core.tensor import DTYPES, Tensor, float32, row_major
from ...devices.base import Words
from ...graph import program
from ...graph.program import launch_all
from .optimizer import Optimizer, _use_grad_for_differentiable

if TYPE_CHECKING:
    from collections.abc import Sequence

_COUNTS = {"float32": Words("f"), "float64": Words("d")}


def number(value: Any) -> float:
    """A setting as a Python float: it may be a tensor of one element."""
    return float(value.item()) if isinstance(value, Tensor) else float(value)


def refuse_differentiable(differentiable: bool) -> None:
    """RuntimeError for differentiable=True."""
    if differentiable:
        raise RuntimeError(
            "differentiable=True is not in TinyGPT's subset: a step is not recorded; leave it False, or write the "
            "update with tensor ops"
        )


class unrecorded:
    """What is made inside exists before a recorded step: a replay does not make it anew."""

    def __enter__(self) -> None:
        self._capture = program.active_capture()
        program.set_capture(None)

    def __exit__(self, *error: object) -> None:
        program.set_capture(self._capture)


def new_count(value: float = 0.0) -> Tensor:
    """A step count: 0-d, float64 where that is the default dtype, else float32."""
    return full((), value, DTYPES["float64" if modes.real == "float64" else "float32"])


_row_major: dict[tuple[int, ...], tuple[int, ...]] = {}  # strides by shape


def is_dense(x: Tensor) -> bool:
    """As is_contiguous, faster: it is asked of every parameter and gradient in each step."""
    strides = _row_major.get(x._shape)
    if strides is None:
        strides = _row_major[x._shape] = row_major(x._shape)
    return x._strides == strides or x.is_contiguous()


def zeros_like(p: Tensor) -> Tensor:
    """The zeros that a moment begins with."""
    return full(p._shape, 0.0, p._dtype, device=p.device)


def refuse_both(foreach: Any, fused: Any) -> None:
    """RuntimeError where both are requested; either alone changes nothing here."""
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


class Counts:
    """What Python knows of the step counts that it has written."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Tensor, int, float]] = {}  # by id: the tensor, its writes then, its value

    def new(self) -> Tensor:
        """A count of no steps."""
        count = new_count()
        self._known[id(count)] = count, count._storage.writes(), 0.0
        return count

    def of(self, count: Tensor) -> float:
        """Its value, read from the device only where others have written it."""
        found = self._known.get(id(count))
        if found is not None and found[0] is count and found[1] == count._storage.writes():
            return found[2]
        value = float(count.item())
        self._known[id(count)] = count, count._storage.writes(), value
        return value

    def advance(self, counts: Sequence[Tensor], by: float = 1.0) -> float:
        """Counts one step further, all from the value of the first. Returns the value."""
        value = self.of(counts[0]) + by
        for count in counts:
            storage = count._storage
            words = _COUNTS.get(count._dtype.name)
            if words is not None and storage.owner is None and storage.nbytes == count._dtype.itemsize:
                storage.device.put(words, storage.handle, (value,))
                storage.version += 1
            else:
                count.fill_(value)
            self._known[id(count)] = count, storage.writes(), value
        return value


class _Row:
    """The parameters of a group that take the same step, and the settings that their kernels read.

    key: what they have in common, for the first step.
    """

    def __init__(
        self, optimizer: CountedOptimizer, group: dict[str, Any], states: list[Any], key: Any, hyper: Tensor
    ) -> None:
        self.optimizer, self.group, self.states, self.key, self.hyper = optimizer, group, states, key, hyper

    def advance(self) -> None:
        storage = self.hyper._storage
        words = self.optimizer._words(self.group, self.states, self.key)
        storage.device.put(self.optimizer._format, storage.handle, words)
        self.key = None

    def retreat(self) -> None:
        self.optimizer._retreat(self.states)


class CountedOptimizer(Optimizer):
    """Base of the optimizers with a kernel for one parameter."""

    _format = Words("8f")  # of the settings
    _kernel: Any  # of the contract

    def _member(self, group: dict[str, Any], p: Tensor) -> tuple[dict[str, Any], Any]:
        """The state of a parameter, made before its first step, and the key of its row."""
        raise NotImplementedError

    def _words(self, group: dict[str, Any], states: list[Any], key: Any) -> Sequence[float]:
        """Counts one step of the states, and gives the settings of it that the kernel reads.

        key: of the row, None in a replay.
        """
        raise NotImplementedError

    def _retreat(self, states: list[Any]) -> None:
        """Counts back a step that was interrupted."""

    def _launch(
        self, group: dict[str, Any], p: Any, n: int, grad: Any, state: dict[str, Any], hyper: Tensor
    ) -> tuple[Sequence[Tensor | None], Sequence[float]]:
        """The kernel's tensors and params for one dense float32 parameter of n elements."""
        raise NotImplementedError

    def _single(self, group: dict[str, Any], p: Any, grad: Any, state: dict[str, Any], key: Any) -> None:
        """One update of any other parameter, in PyTorch's ops."""
        raise NotImplementedError

    @property
    def _counts(self) -> Counts:
        return self.__dict__.setdefault("_known_counts", Counts())

    @_use_grad_for_differentiable
    def step(self, closure: Any = None) -> Any:
        """One update of every parameter that has a gradient. closure: called first, for the loss
        that is returned.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with paused():
            for group in self.param_groups:
                self._update(group)
        return loss

    def _update(self, group: dict[str, Any]) -> None:
        """One step of a group."""
        rows: dict[Any, list[tuple[Tensor, Tensor, dict[str, Any]]]] = {}
        capturing = program.capturing()
        for p in group["params"]:
            grad = gradient_of(p) if capturing else p._grad
            if grad is None:
                continue
            state, key = self._member(group, p)
            if p._dtype is not float32 or not is_dense(p):
                self._single(group, p, grad.detach(), state, key)
                continue
            if not is_dense(grad):
                grad = grad.contiguous()
            if group["maximize"]:
                grad = -grad.detach()
            rows.setdefault(key, []).append((p, grad, state))
        for key, members in rows.items():
            hyper = self._hyper(members[0][0].device)
            row = _Row(self, group, [state for _, _, state in members], key, hyper)
            row.advance()
            program.before_replay(row)
            launches = []
            for p, grad, state in members:
                n = p.numel()
                if n:
                    launches.append(self._launch(group, p, n, grad, state, hyper))
                if capturing:
                    written(p)
                else:
                    p._storage.version += 1
            if launches:
                launch_all(self._kernel, launches)

    def _hyper(self, device: Any) -> Tensor:
        """The buffer of settings; a recording has its own."""
        if program.capturing():
            return empty(8, device=device)
        kept = self.__dict__.get("_kept_hyper")
        if kept is None or kept.device is not device:
            kept = self._kept_hyper = empty(8, device=device)
        return kept
