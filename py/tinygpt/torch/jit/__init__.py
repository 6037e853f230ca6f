"""torch.jit: a function is its own script. Tracing and files of scripts are refused."""

from __future__ import annotations

from typing import Any, Final, NoReturn

from ...nn import Module
from .. import table

__all__ = ["Final", "annotate", "export", "ignore", "is_scripting", "is_tracing", "load", "save", "script", "trace"]


class ScriptModule(Module):
    """For isinstance: no Module is one."""


class ScriptFunction:
    """For isinstance: no function is one."""


def script(obj: Any, *args: Any, **kwargs: Any) -> Any:
    """The function, class or Module itself: it runs as Python."""
    return obj


def _same(fn: Any = None, *args: Any, **kwargs: Any) -> Any:
    """The function itself."""
    return (lambda function: function) if fn is None or isinstance(fn, bool) else fn


ignore = unused = export = script_method = interface = script_if_tracing = _same


def annotate(the_type: Any, the_value: Any) -> Any:
    """The value."""
    return the_value


def is_scripting() -> bool:
    """False."""
    return False


def is_tracing() -> bool:
    """False."""
    return False


def freeze(mod: Any, *args: Any, **kwargs: Any) -> Any:
    """The Module itself."""
    return mod


optimize_for_inference = freeze


def _refused(*args: Any, **kwargs: Any) -> NoReturn:
    """RuntimeError: there are no traces and no files of scripts."""
    raise RuntimeError(
        "torch.jit traces and files are not in TinyGPT's subset; call the function, and save the state_dict with "
        "torch.save"
    )


trace = trace_module = load = save = _refused


def __getattr__(name: str):
    """The sentence on a name that is not here."""
    return table.missing(__name__, name)
