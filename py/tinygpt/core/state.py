"""What is current: the device of new tensors, whether gradients are recorded, the epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar


class _State:
    grad_enabled = True
    device: Any = None  # a Device, made at the first use (current_device.py)
    # names what leaves' gradients and modules' modes are now: a Program that saw another one checks
    # its guards again
    epoch = 0
    layout = 0  # changes when a parameter moves or its requires_grad changes: captured Programs look at it
    _epochs = 0
    # Modules whose `__dict__` was handed out (nn.Module): how many, and the ids of the dicts.
    exposed = 0
    # The dtype of a Python int and of what counts (sums of ints, indices), and that of a Python
    # float: names in core/tensor.py. PyTorch's are int64 and float32.
    whole = "int32"
    real = "float32"
    front = "tinygpt"  # whose names code sees: "torch" once tinygpt.torch is imported
    exposed_dicts: ClassVar[set[int]] = set()
    # Whether code of the process writes attributes past Module.__setattr__ (bypasses.py).
    bypassed = False
    # What a name of a device stands for, where `front` has its own; else None.
    resolve: Callable[[Any], Any] | None = None
    # What a Tensor is made of by PyTorch's legacy constructor, while code sees its names.
    construct: Callable[..., Any] | None = None
    # For the layer below them: autograd.renew, gradients.show, gradients.keep_apart.
    renew: Callable[[Any], None]
    show: Callable[[Any], Any]
    keep_apart: Callable[[Any], None]

    def touch(self) -> None:
        """A leaf's gradient or a module's mode may have changed: from here on it is an epoch that
        never was.
        """
        self._epochs += 1
        self.epoch = self._epochs


state = _State()


class no_grad:
    """Context manager and decorator: nothing inside is recorded for backward."""

    _value = False

    def __enter__(self) -> no_grad:
        self._before = state.grad_enabled
        state.grad_enabled = self._value
        return self

    def __exit__(self, *exc: object) -> None:
        state.grad_enabled = self._before

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with type(self)():
                return function(*args, **kwargs)

        wrapped.__name__, wrapped.__doc__ = getattr(function, "__name__", "wrapped"), function.__doc__
        return wrapped


class enable_grad(no_grad):
    """The reverse of no_grad."""

    _value = True


def is_grad_enabled() -> bool:
    """Whether ops are recorded for backward."""
    return state.grad_enabled
