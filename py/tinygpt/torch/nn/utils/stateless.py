"""A module called with other parameters than its own."""

from __future__ import annotations

from typing import Any

from ....core.moving import attributes_of
from ....core.state import state

__all__ = ["functional_call"]


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: Any,
    args: Any = None,
    kwargs: Any = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """module(*args, **kwargs) with the tensors of {name: Tensor}, or of several such dicts, in the
    place of its parameters and buffers.

    tie_weights: a tensor that the module has under several names is replaced under all. strict:
    RuntimeError unless every name of the module is given and no other.
    """
    given: dict[str, Any] = {}
    dicts = parameter_and_buffer_dicts
    for values in (dicts,) if isinstance(dicts, dict) else dicts:
        given.update(values)
    named: dict[str, Any] = {}
    for path, part in module.named_modules(remove_duplicate=False):
        for table in (part._parameters, part._buffers):
            named.update({path + ("." if path else "") + name: x for name, x in table.items() if x is not None})
    if strict and set(given) != set(named):
        raise RuntimeError(
            "Unexpected key(s): %s. Missing key(s): %s."
            % (sorted(set(given) - set(named)), sorted(set(named) - set(given)))
        )
    if tie_weights:
        by_tensor = {id(named[name]): x for name, x in given.items() if name in named}
        given = {**{name: by_tensor[id(x)] for name, x in named.items() if id(x) in by_tensor}, **given}
    before: list[tuple[Any, str, Any]] = []
    state.touch()
    try:
        for name, x in given.items():
            path, _, last = name.rpartition(".")
            part = module.get_submodule(path)
            attributes = attributes_of(part)
            if last not in part._parameters and last not in part._buffers:
                raise AttributeError("%s has no attribute `%s`" % (type(part).__name__, last))
            before.append((part, last, attributes[last]))
            attributes[last] = x
        args = () if args is None else args if isinstance(args, tuple) else (args,)
        return module(*args, **(kwargs or {}))
    finally:
        for part, last, x in reversed(before):
            attributes_of(part)[last] = x
        state.touch()
