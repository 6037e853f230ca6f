"""What is current: the device of new tensors, whether gradients are recorded, where parameters lie."""

import sys

from . import devices


class _State:
    grad_enabled = True
    device = None  # a Device, made at the first use
    epoch = 0  # names what leaves' gradients and modules' modes are now: a Program that saw another one checks its guards again
    layout = 0  # changes when a parameter moves or its requires_grad changes: captured Programs look at it
    _epochs = 0

    def touch(self):
        """A leaf's gradient or a module's mode may have changed: from here on it is an epoch that never was."""
        self._epochs += 1
        self.epoch = self._epochs


state = _State()


class no_grad:
    """Context manager and decorator: nothing inside is recorded for backward."""

    _value = False

    def __enter__(self):
        self._before = state.grad_enabled
        state.grad_enabled = self._value
        return self

    def __exit__(self, *exc):
        state.grad_enabled = self._before

    def __call__(self, function):
        def wrapped(*args, **kwargs):
            with type(self)():
                return function(*args, **kwargs)

        wrapped.__name__, wrapped.__doc__ = getattr(function, "__name__", "wrapped"), function.__doc__
        return wrapped


class enable_grad(no_grad):
    """The reverse of no_grad."""

    _value = True


def is_grad_enabled():
    return state.grad_enabled


def set_device(name):
    """Makes `name` (see tinygpt.devices.NAMES) the device of new tensors. Existing tensors stay where they are."""
    state.device = devices.get(name)
    return state.device


def get_device(name=None):
    """The Device called `name`, or the current one: the first that runs here of wasm, native, reference."""
    if name is not None:
        return name if isinstance(name, devices.base.Device) else devices.get(name)
    if state.device is None:
        errors = []
        # A tab never trains on the oracle unasked.
        for candidate in ("wasm",) if sys.platform == "emscripten" else ("wasm", "native", "reference"):
            try:
                state.device = devices.get(candidate)
                break
            except (RuntimeError, ImportError) as error:
                errors.append("%s: %s" % (candidate, error))
        else:
            raise RuntimeError("no device can run here. " + " ".join(errors))
    return state.device
