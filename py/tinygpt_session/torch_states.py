"""What autosave keeps of a program of plain PyTorch code: the state_dicts of its Modules and
optimizers under the names that the program has for them, with the step and the source, as a file of
torch.save.

The names are those of the variables of the functions that run, and of the files' globals;
attributes of an object and items of a list or dict count too ("trainer.model", "critics.0"). A
Module inside another one that is kept is part of that one's state_dict. Parameters that belong to
no Module are kept as tensors by their names, or in the list "parameters".
"""

from __future__ import annotations

import sys
from types import FunctionType, ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

MOST_FRAMES = 50
MOST_ITEMS = 100  # of a list, dict or object that are looked at
PACKAGES = ("-packages/", "/tinygpt/", "/tinygpt_session/")
RESERVED = ("step", "source", "left_out")


def of_program(frame: FrameType) -> bool:
    """Whether a frame runs code of the user's: not Python's own, nor of a package."""
    name = frame.f_code.co_filename
    return not name.startswith(("<frozen", "/lib/")) and not any(part in name for part in PACKAGES)


def named(frame: FrameType | None, optimizers: list[Any]) -> dict[str, Any]:
    """{name: Module, optimizer, tensor or list of tensors}: all that holds what the optimizers
    update, by the names that the functions of the stack have for it.
    """
    from tinygpt.nn import Module

    parameters = {id(p): p for o in optimizers for group in o.param_groups for p in group["params"]}
    wanted = {id(o) for o in optimizers}
    found: dict[int, tuple[tuple[bool, int], str, Any]] = {}
    for name, value in _values(frame):
        if id(value) in wanted or id(value) in parameters or isinstance(value, Module) and _holds(value, parameters):
            rank = name.startswith(("self", "_")), name.count(".")
            if id(value) not in found or rank <= found[id(value)][0]:  # of equals the outermost
                found[id(value)] = rank, name, value
    modules = [value for _, _, value in found.values() if isinstance(value, Module)]
    inside = {id(m) for value in modules for m in value.modules() if m is not value}
    covered = {id(p) for value in modules for p in value.parameters()}
    out: dict[str, Any] = {}
    for _, name, value in found.values():
        if id(value) not in inside and id(value) not in covered:
            out[_free(name, out)] = value
    for optimizer in optimizers:
        if id(optimizer) not in found:
            out[_free("optimizer", out)] = optimizer
    rest = [p for key, p in parameters.items() if key not in covered and key not in found]
    if rest:
        out[_free("parameters", out)] = rest
    return out


def _holds(module: Any, parameters: dict[int, Any]) -> bool:
    return any(id(p) in parameters for p in module.parameters())


def _free(name: str, taken: dict[str, Any]) -> str:
    free, number = name, 2
    while free in taken or free in RESERVED:
        free, number = "%s_%d" % (name, number), number + 1
    return free


def _values(frame: FrameType | None) -> Iterator[tuple[str, Any]]:
    """The variables of the stack's functions from the innermost on, then the globals of their
    files.
    """
    spaces: list[dict[str, Any]] = []
    for _ in range(MOST_FRAMES):
        if frame is None:
            break
        if of_program(frame):
            if frame.f_locals is not frame.f_globals:
                yield from _reached(dict(frame.f_locals))
            if not any(space is frame.f_globals for space in spaces):
                spaces.append(frame.f_globals)
        frame = frame.f_back
    for space in spaces:
        yield from _reached(dict(space))


def _reached(variables: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    from tinygpt import Tensor
    from tinygpt.nn import Module

    for name, value in variables.items():
        if name.startswith("__") or value is None:
            continue
        yield name, value
        if type(value) in (list, tuple):
            items: Any = enumerate(value)
        elif type(value) is dict:
            items = value.items()
        elif isinstance(value, (Module, Tensor, type, ModuleType, FunctionType)):
            continue
        else:
            inner = getattr(value, "__dict__", None)
            items = inner.items() if type(inner) is dict else ()
        if len(value if isinstance(value, (list, tuple, dict)) else items) <= MOST_ITEMS:
            for key, item in list(items):
                yield str(key) if name == "self" else "%s.%s" % (name, key), item


def content(things: dict[str, Any], step: int, source: str) -> dict[str, Any]:
    """What is saved: {"step", "source", and by its name each state_dict}; "left_out": by its name
    why a state_dict cannot be saved.
    """
    out: dict[str, Any] = {"step": step, "source": source}
    for name, thing in things.items():
        if hasattr(thing, "state_dict"):
            out[name] = thing.state_dict()
        else:
            out[name] = [p.detach() for p in thing] if isinstance(thing, list) else thing.detach()
    return out


def file(what: dict[str, Any]) -> bytes:
    """The file of torch.save."""
    try:
        return _file(what)
    except TypeError:
        kept, left_out = dict(what), {}
        for name, value in what.items():
            try:
                _file(value)
            except TypeError as error:
                left_out[name] = str(error)
                del kept[name]
        return _file({**kept, "left_out": left_out})


def _file(what: Any) -> bytes:
    pieces: list[bytes] = []
    sys.modules["tinygpt.torch"].save(what, SimpleNamespace(write=pieces.append))
    return pieces[0]


def hand_over(data: bytes, room: Callable[[int], object], put: Callable[[int, Any], object]) -> None:
    """The file for the store of saved runs: in a container of safetensors as the one tensor "file",
    since the store hashes and checks such a container (app/store/slots.js). ValueError where it is
    larger than the page can read back.

    `room(bytes)` is called once, then `put(position, bytes)`.
    """
    from tinygpt.storage import safetensors_file
    from tinygpt.training.run_checkpoint import MOST_BYTES

    if len(data) > MOST_BYTES:
        raise ValueError(
            "the program's state_dicts are too large to be saved: %.1f GB, and a page can read back at most %.1f GB"
            % (len(data) / 1e9, MOST_BYTES / 1e9)
        )
    head, _ = safetensors_file.laid_out({"format": "torch.save"}, {"file": ("U8", (len(data),))})
    room(len(head) + len(data))
    put(0, head)
    put(len(head), data)
