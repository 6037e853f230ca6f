"""What a name or an expression of the edited source stands for, as far as that can be known without
running it.

A Value is a live object, an instance of a class (live or of the source), a function or class of the
source, or unknown. Names are resolved in the source's own scopes first; imports against the modules
that are loaded; local variables of a loop that is running against its frame, so `model.` completes
with the attributes of the model that is being trained.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import os
import sys
import typing
from typing import TYPE_CHECKING, Any

import __main__

from ..console import names
from . import members

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from .scopes import Scope

# Modules that an edited line may name before anything has imported them: importing these does
# nothing but define things.
HARMLESS = frozenset(
    "abc array bisect collections contextlib copy dataclasses enum functools heapq io itertools json "
    "math operator os random re statistics string struct sys textwrap time types typing "
    "tinygpt.checkpoint tinygpt.config tinygpt.data tinygpt.functional tinygpt.generate tinygpt.loop "
    "tinygpt.model tinygpt.nn tinygpt.optim tinygpt.schedule tinygpt.tokenizer".split()
)
# What the files' functions are called with: nothing in the source says so.
PARAMETERS = {
    ("train.py", "run"): "tinygpt.loop.Run",
    ("train.py", "config"): "tinygpt.config.TrainConfig",
    ("model.py", "config"): "tinygpt.config.ModelConfig",
    ("model.py", "x"): "tinygpt.core.tensor.Tensor",
    ("model.py", "ids"): "tinygpt.core.tensor.Tensor",
    ("generate.py", "model"): "tinygpt.model.GPT",
}
TENSORS = (
    "tinygpt.functional.",
    "tinygpt.core.factory.",
    "tinygpt.ops.",
    "tinygpt.core.tensor.Tensor.",
    "tinygpt.data.Dataset.batch",
    "tinygpt.optim.clip_grad_norm_",
)
NOT_TENSORS = frozenset(
    "backward device dim element_size is_contiguous item numel numpy size stride tobytes tolist".split()
)
CONSOLE = "console"  # the "file" of an entry of the console
DEPTH = 12  # of a chain of names, calls and attributes


class Value:
    """kind "live" (item: the object), "instance" (item: its live class), "source class", "source
    instance", "source function" (item: (node, Scope)), "tuple" (item: Values), "parameter",
    "unknown". bound: found on an instance.
    """

    __slots__ = ("kind", "item", "bound")

    def __init__(self, kind: str, item: Any = None, bound: bool = False) -> None:
        self.kind, self.item, self.bound = kind, item, bound


UNKNOWN = Value("unknown")


def module(name: str) -> ModuleType | None:
    """The loaded module of that name, or a harmless one; None otherwise."""
    found = sys.modules.get(name)
    if found is None and (name == "torch" or name.startswith("torch.")):
        finder = sys.modules.get("tinygpt_session.torch_finder")  # in the tab alone
        return finder.known(name) if finder else None
    if found is None and name in HARMLESS:
        try:
            found = importlib.import_module(name)
        except Exception:
            return None
    return found


def _named(path: str) -> Any:
    """The live object at "package.module.Name", or None."""
    place, _, name = path.rpartition(".")
    return members.members(module(place)).get(name) if module(place) else None


class Source:
    """One edited file: its scopes, and what is alive of it."""

    def __init__(self, file: str, scope: Scope) -> None:
        self.file, self.scope = file, scope
        self.package = "" if file in ("train.py", CONSOLE) else "tinygpt"
        self.defaults: dict[ast.arguments, dict[str, ast.expr]] = {}  # by parameter, of the functions seen

    # ---- what is alive ----

    def namespace(self) -> dict[str, Any]:
        """The module's live names."""
        if self.file == CONSOLE:
            return {**names(), **__main__.__dict__}
        if not self.package:
            return __main__.__dict__
        found = sys.modules.get("tinygpt." + self.file.removesuffix(".py"))
        return found.__dict__ if found else {}

    def frame_locals(self, scope: Scope) -> Any:
        """The variables of the function as it runs now, or {}: a request that is answered between
        two steps finds train() on the stack.
        """
        if scope.parent is None or scope.is_class:
            return {}
        frame = sys._getframe()
        while frame is not None:
            code = frame.f_code
            if (
                code.co_name == scope.node.name
                and os.path.basename(code.co_filename) == self.file
                and code.co_qualname == scope.qualname
            ):
                return frame.f_locals
            frame = frame.f_back
        return {}

    # ---- names ----

    def lookup(self, name: str, scope: Scope, depth: int = DEPTH) -> Value | None:
        """The Value of a name as `scope` sees it; None where there is no such name."""
        for place in scope.visible():
            if name in place.names:
                value = self._bound(place.names[name][-1], place, depth - 1)
                live = self.frame_locals(place) if place.parent else self.namespace()
                return _livelier(value, live[name]) if name in live else value
        if name in self.namespace():
            return Value("live", self.namespace()[name])
        if name in builtins.__dict__:
            return Value("live", builtins.__dict__[name])
        return None

    def _bound(self, binding: tuple[str, Any, Any], scope: Scope, depth: int) -> Value:
        kind, node, more = binding
        if depth <= 0 or kind == "other" or node is None:
            return UNKNOWN
        if kind == "import":
            return self.imported(node, more)
        if kind in ("function", "class"):
            inner = next((s for s in scope.inner if s.node is node), None)
            return Value("source " + kind, (node, inner)) if inner else UNKNOWN
        if kind == "parameter":
            return self._parameter(node, more, scope, depth)
        if kind == "annotated":
            return (
                self._instance(self.infer(node.annotation, scope, depth))
                if node.annotation
                else self.infer(node.value, scope, depth)
            )
        value = self.infer(node, scope, depth)
        for i in more or ():
            if value.kind == "tuple":
                value = value.item[i] if i < len(value.item) else UNKNOWN
            elif not (value.kind == "instance" and value.item is _named("tinygpt.core.tensor.Tensor")):
                return UNKNOWN  # (several tensors of one call are a Tensor each)
        return value

    def imported(self, alias: ast.alias, statement: ast.ImportFrom | None) -> Value:
        """The Value of one name of an import statement."""
        if statement is None:
            found = module(alias.name if alias.asname else alias.name.partition(".")[0])
            return Value("live", found) if found else UNKNOWN
        place = self.resolved(statement.module, statement.level)
        found = module(place)
        if found is not None and alias.name in members.members(found):
            return Value("live", members.members(found)[alias.name])
        found = module("%s.%s" % (place, alias.name))
        return Value("live", found) if found else UNKNOWN

    def resolved(self, name: str | None, level: int) -> str:
        """The absolute name of what `from` names."""
        if not level:
            return name or ""
        place = "tinygpt" if level == 1 else ""
        return "%s.%s" % (place, name) if place and name else name or place

    def _parameter(self, node: ast.arg, function: Any, scope: Scope, depth: int) -> Value:
        if node.annotation is not None:
            value = self._instance(self.infer(node.annotation, scope, depth))
            if value is not UNKNOWN:
                return value
        owner = scope.parent
        arguments: Any = getattr(function, "args", None)
        if owner is not None and owner.is_class and function is scope.node and arguments.args[:1] == [node]:
            return Value("source instance", (owner.node, owner))
        cls = _named(PARAMETERS.get((self.file, node.arg), ""))
        if cls is not None:
            return Value("instance", cls)
        if arguments:
            given = self.defaults.get(arguments)
            if given is None:
                given = {a.arg: d for a, d in zip(reversed(arguments.args), reversed(arguments.defaults))}
                given.update({a.arg: d for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults) if d is not None})
                self.defaults[arguments] = given
            default = given.get(node.arg)
            if isinstance(default, ast.Constant) and default.value is not None:
                return Value("instance", type(default.value))
        return Value("parameter")

    @staticmethod
    def _instance(value: Value) -> Value:
        if value.kind == "live" and members.is_class(value.item):
            return Value("instance", value.item)
        return Value("source instance", value.item) if value.kind == "source class" else UNKNOWN

    # ---- expressions ----

    def infer(self, node: ast.expr | None, scope: Scope, depth: int = DEPTH) -> Value:
        """The Value of an expression."""
        if node is None or depth <= 0:
            return UNKNOWN
        if isinstance(node, ast.Name):
            return self.lookup(node.id, scope, depth - 1) or UNKNOWN
        if isinstance(node, ast.Attribute):
            value = self.members(self.infer(node.value, scope, depth - 1), depth - 1).get(node.attr, UNKNOWN)
            return UNKNOWN if value.bound and members.computed(value.item) else value
        if isinstance(node, ast.Call):
            return self._called(node, scope, depth - 1)
        if isinstance(node, ast.Constant):
            return Value("instance", type(node.value)) if node.value is not None else UNKNOWN
        if isinstance(node, ast.Tuple):
            return Value("tuple", [self.infer(item, scope, depth - 1) for item in node.elts])
        if isinstance(node, ast.BinOp):
            sides = [self.infer(side, scope, depth - 1) for side in (node.left, node.right)]
            return next((s for s in sides if _is_tensor(s)), sides[0] if sides[0].kind == "instance" else UNKNOWN)
        if isinstance(node, (ast.UnaryOp, ast.Subscript)):
            value = self.infer(node.operand if isinstance(node, ast.UnaryOp) else node.value, scope, depth - 1)
            return value if _is_tensor(value) else UNKNOWN
        if isinstance(node, ast.IfExp):
            value = self.infer(node.body, scope, depth - 1)
            return value if value is not UNKNOWN else self.infer(node.orelse, scope, depth - 1)
        if isinstance(node, ast.BoolOp):
            return self.infer(node.values[-1], scope, depth - 1)
        if isinstance(node, ast.NamedExpr):
            return self.infer(node.value, scope, depth - 1)
        for kinds, cls in LITERALS:
            if isinstance(node, kinds):
                return Value("instance", cls)
        return UNKNOWN

    def _called(self, node: ast.Call, scope: Scope, depth: int) -> Value:
        """What a call gives, without making it: an instance of a class, a tensor of an operation,
        or unknown.
        """
        function = node.func
        if isinstance(function, ast.Name) and function.id == "super" and not node.args:
            owner = next((s for s in _outwards(scope) if s.is_class), None)
            base = self.infer(owner.node.bases[0], owner.parent, depth) if owner and owner.node.bases else UNKNOWN
            return self._instance(base)
        if (
            isinstance(function, ast.Attribute)
            and function.attr == "keep"
            and len(node.args) == 2
            and isinstance(node.args[1], ast.Lambda)
        ):
            return self.infer(node.args[1].body, scope, depth)  # run.keep("model", lambda: GPT(shape))
        callee = self.infer(function, scope, depth)
        if callee.kind in ("live", "source class"):
            value = self._instance(callee)
            if value is not UNKNOWN:
                return value
        tensor = _named("tinygpt.core.tensor.Tensor")
        if tensor is None:
            return UNKNOWN
        if callee.kind == "live":
            path = members.path(callee.item)
            if path == "tinygpt.training.run.Run.settings":
                configs = [_named("tinygpt.config." + name) for name in ("ModelConfig", "TrainConfig")]
                return Value("tuple", [Value("instance", cls) for cls in configs])
            name = path.rpartition(".")[2]
            if path.startswith(TENSORS) and name not in NOT_TENSORS:
                return Value("instance", tensor)
        layer = _named("tinygpt.nn.Module")
        cls = callee.item if callee.kind == "instance" else type(callee.item) if callee.kind == "live" else None
        if callee.kind == "source instance" or (cls is not None and layer in members.bases(cls)):
            return Value("instance", tensor)  # a layer gives a tensor, or several
        return UNKNOWN

    # ---- members ----

    def members(self, value: Value, depth: int = DEPTH) -> dict[str, Value]:
        """{name: Value} of what can follow a dot."""
        if depth <= 0:
            return {}
        if value.kind == "live":
            kind = members.kind_of(value.item)
            found = {n: v for n, v in members.members(value.item).items() if type(n) is str}
            if kind == "module" and value.item is not typing:
                found = {n: v for n, v in found.items() if not members.for_annotations(n, v)}
            return {n: _wrapped(v, kind not in ("class", "module")) for n, v in found.items()}
        if value.kind == "instance":
            return {n: _wrapped(v, True) for n, v in members.class_members(value.item).items()}
        if value.kind == "tuple":
            return self.members(Value("instance", tuple))
        if value.kind == "source function":
            return self.members(Value("instance", type(_named)))
        if value.kind not in ("source class", "source instance"):
            return {}
        node, scope = value.item
        found: dict[str, Value] = {}
        for base in reversed(node.bases):
            parent = self.infer(base, scope.parent, depth - 1)
            found.update(self.members(self._instance(parent) if value.kind == "source instance" else parent, depth - 1))
        for name, bindings in scope.names.items():
            inner = self._bound(bindings[-1], scope, depth - 1)
            found[name] = Value(inner.kind, inner.item, value.kind == "source instance")
        if value.kind == "source instance":
            for name, (_, expression, path, method) in scope.attributes.items():
                found[name] = self._bound(("value", expression, path), method, depth - 1)
        return found


LITERALS = (
    ((ast.JoinedStr,), str),
    ((ast.List, ast.ListComp), list),
    ((ast.Dict, ast.DictComp), dict),
    ((ast.Set, ast.SetComp), set),
    ((ast.Compare,), bool),
)


def _outwards(scope: Scope | None) -> Iterator[Any]:
    while scope is not None:
        yield scope
        scope = scope.parent


def _wrapped(value: Any, bound: bool) -> Value:
    return UNKNOWN if value is ... else Value("live", value, bound)


def _is_tensor(value: Value) -> bool:
    cls = value.item if value.kind == "instance" else type(value.item) if value.kind == "live" else None
    return cls is not None and _named("tinygpt.core.tensor.Tensor") in members.bases(cls)


def _livelier(value: Value, live: Any) -> Value:
    """The running object instead of what the source promises, where it is of that kind: the source
    may have been edited since.
    """
    if value.kind in ("unknown", "parameter") or (value.kind == "instance" and value.item in members.bases(type(live))):
        return Value("live", live)
    return value
