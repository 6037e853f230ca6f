"""What is known of an object without running any of its code: its members, its signature, its first
words.

Members come from the dicts of modules, classes and instances (as inspect.getattr_static reads
them): no property, no __getattr__ and no repr of somebody's class is called.
"""

from __future__ import annotations
import __future__

import inspect
import types
import typing
from typing import Any

from tinygpt.core.refused_names import Refused

FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType,
             types.ClassMethodDescriptorType, types.MethodWrapperType)  # fmt: skip
PLAIN = (bool, int, float, str, bytes, type(None))
_mro: Any = type.__dict__["__mro__"].__get__
_class_dict: Any = type.__dict__["__dict__"].__get__
_missing = object()


def bases(cls: type) -> tuple[type, ...]:
    """The class and those that it inherits from, nearest first."""
    return _mro(cls)


def is_class(value: Any) -> bool:
    """As isinstance(value, type), which may read the value's own __class__."""
    return type in bases(type(value))


def class_members(cls: type) -> dict[str, Any]:
    """{name: value in the class dicts}, nearest class first; attributes that its methods
    assign to self have the value Ellipsis.
    """
    found: dict[str, Any] = {}
    for base in reversed(bases(cls)):
        content = _class_dict(base)
        if base is not object:
            assigned = content.get("__static_attributes__", ())  # since Python 3.13
            found.update(dict.fromkeys((n for n in assigned if type(n) is str), ...) if type(assigned) is tuple else ())
            fields = content.get("__dataclass_fields__", ())
            found.update(dict.fromkeys(fields, ...) if type(fields) is dict else ())
        found.update({name: value for name, value in content.items() if not issubclass(type(value), Refused)})
    return found


def own_dict(thing: Any) -> dict[str, Any]:
    """The instance's own attributes, or {}."""
    for base in bases(type(thing)):
        descriptor = _class_dict(base).get("__dict__")
        if type(descriptor) is types.GetSetDescriptorType:  # past a property of that name, whose code would run
            content = descriptor.__get__(thing)
            return content if type(content) is dict else {}
    return {}


def members(thing: Any) -> dict[str, Any]:
    """{name: value} of a live object; what only running code could know is Ellipsis."""
    if type(thing) is types.ModuleType:
        return thing.__dict__
    if is_class(thing):
        return class_members(thing)
    found = class_members(type(thing))
    for name, value in list(found.items()):
        if type(value) in (types.MemberDescriptorType, types.GetSetDescriptorType) and not name.startswith("__"):
            try:
                found[name] = value.__get__(thing)
            except Exception:
                found[name] = ...
    found.update(own_dict(thing))
    return found


def for_annotations(name: str, value: Any) -> bool:
    """Whether a module imports this name for its annotations alone: one of typing's, or of
    __future__'s.
    """
    return any(module.__dict__.get(name, _missing) is value for module in (typing, __future__))


def unwrapped(value: Any) -> Any:
    """The function inside a staticmethod or classmethod."""
    return value.__func__ if type(value) in (staticmethod, classmethod) else value


def path(value: Any) -> str:
    """`package.module.Class.function` of a function, or ""."""
    value = unwrapped(value)
    return "%s.%s" % (value.__module__, value.__qualname__) if type(value) is types.FunctionType else ""


def computed(value: Any) -> bool:
    """Whether a class attribute is a property or the like: what it gives is known only to who calls
    it.
    """
    return (
        type(value) not in FUNCTIONS
        and not is_class(value)
        and any("__get__" in _class_dict(c) for c in bases(type(value)))
    )


def kind_of(value: Any) -> str:
    """module, class, function or variable."""
    value = unwrapped(value)
    if types.ModuleType in bases(type(value)):
        return "module"
    if is_class(value):
        return "class"
    if type(value) in FUNCTIONS or type(value) is types.MethodType:
        return "function"
    return "variable"


def constant(value: Any) -> str:
    """A short plain value as text, else "…"."""
    if type(value) in PLAIN:
        text = repr(value)
        return text if len(text) <= 24 else "…"
    if type(value) is tuple and len(value) <= 4 and all(type(v) in PLAIN for v in value):
        return repr(value)
    if type(value) in FUNCTIONS or is_class(value):
        return getattr(value, "__name__", "…")
    return "…"


def signature(value: Any, bound: bool = False) -> str | None:
    """`(params, lr=0.001)` of a function or class, or None. bound: without self. Read from the code
    object, so it costs microseconds.
    """
    if type(value) is classmethod:
        bound = True
    value = unwrapped(value)
    if type(value) is types.MethodType:
        value, bound = value.__func__, True
    if is_class(value):
        return _class_signature(value)
    if type(value) is types.FunctionType:
        return _function_signature(value, bound)
    if type(value) in FUNCTIONS:
        return _text_signature(value, bound)
    return None


def _function_signature(function: types.FunctionType, bound: bool) -> str:
    code = function.__code__
    names, count = code.co_varnames, code.co_argcount
    defaults = function.__defaults__ or ()
    given = dict(zip(names[count - len(defaults) : count], defaults))
    parts = [n if n not in given else "%s=%s" % (n, constant(given[n])) for n in names[:count]]
    if 0 < code.co_posonlyargcount:
        parts.insert(code.co_posonlyargcount, "/")
    if bound and parts:
        del parts[0]
    at, keywords = count + code.co_kwonlyargcount, function.__kwdefaults__ or {}
    if code.co_flags & inspect.CO_VARARGS:
        parts.append("*" + names[at])
        at += 1
    elif code.co_kwonlyargcount:
        parts.append("*")
    parts += [
        n if n not in keywords else "%s=%s" % (n, constant(keywords[n]))
        for n in names[count : count + code.co_kwonlyargcount]
    ]
    if code.co_flags & inspect.CO_VARKEYWORDS:
        parts.append("**" + names[at])
    return "(%s)" % ", ".join(parts)


def _class_signature(cls: type) -> str | None:
    for base in bases(cls)[:-1]:
        content = _class_dict(base)
        for name in ("__init__", "__new__"):
            if type(unwrapped(content.get(name))) is types.FunctionType:
                return _function_signature(unwrapped(content[name]), True)
        if type(base) is type and base.__module__ == "builtins":
            return _text_signature(base, True)
    return "()" if type(cls) is type else None


def _text_signature(value: Any, bound: bool) -> str | None:
    text = getattr(value, "__text_signature__", None)
    if not isinstance(text, str):
        return None
    parts = [p.strip() for p in text.strip("()").split(", ") if p.strip()]
    if parts and parts[0].startswith("$") and (bound or parts[0] == "$module"):
        del parts[0]
    return "(%s)" % ", ".join(p.lstrip("$") for p in parts if p != "/")


def parameters(value: Any) -> list[str]:
    """The names that a call of `value` takes by keyword."""
    names = [part.partition("=")[0] for part in (signature(value) or "()")[1:-1].split(", ")]
    return [name for name in names if name.isidentifier()]


def documentation(value: Any) -> str:
    """The first paragraph of the docstring, or ""."""
    value = unwrapped(value)
    if is_class(value):
        text = _class_dict(value).get("__doc__")
    elif type(value) is property:
        text = value.__doc__
    elif type(value) in FUNCTIONS or type(value) in (types.ModuleType, types.MethodType):
        text = value.__doc__
    else:
        return ""
    return first_paragraph(text)


def first_paragraph(text: Any) -> str:
    """The first paragraph of a docstring, at most 600 characters; "" where it is no text."""
    if not isinstance(text, str):
        return ""
    lines = inspect.cleandoc(text).split("\n")
    end = next((i for i, line in enumerate(lines) if not line.strip()), len(lines))
    return "\n".join(lines[:end])[:600]


def summary(value: Any) -> tuple[str, str | None]:
    """What a variable holds: its type, with the shape of a tensor and the value of a plain one:
    ("Tensor [12, 64] float32", None).
    """
    cls = type(value)
    if cls in PLAIN:
        text = repr(value)
        return cls.__name__, text if len(text) <= 60 else text[:59] + "…"
    name = name_of(cls)
    found = class_members(cls)
    shape = found.get("_shape")
    if type(shape) is types.MemberDescriptorType:
        try:
            name += " " + repr(list(shape.__get__(value)))
            dtype = members(found["_dtype"].__get__(value)).get("name")
            name += " " + dtype if type(dtype) is str else ""
        except Exception:  # made without __init__
            pass
    if cls in (list, tuple, dict, set):
        name += " of %d" % len(value)
    return name, None


def name_of(cls: Any) -> str:
    """The class's own name, whatever its metaclass says."""
    return type.__dict__["__name__"].__get__(cls)
