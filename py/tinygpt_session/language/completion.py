"""The editor's requests: what can stand at the cursor (complete) and what is this (describe); what
is wrong is found by diagnostics.py.

A place is {source, line, column, file}: lines from 1, columns in characters from 0. The answers
come from the interpreter that runs: real modules, real objects, the running loop's variables
(inference.py), and never from running anything. Nothing here raises: an editor that gets no answer
does without.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import re
import sys
from typing import TYPE_CHECKING, Any

from ..dispatch import handles
from . import members
from .diagnostics import quietly
from .inference import UNKNOWN, Source, Value, module
from .scopes import HERE, find_here, scope_at, scopes_of, tree_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .. import protocol

# Possessive quantifiers: nothing is tried twice, so that a long line takes linear time.
WORD = re.compile(r"(?<!\w)\w++$")
FROM_IMPORT = re.compile(r"\s*+from\s++(\.*+)([\w.]*+)\s++import\s++\(?+[\w\s,]*+$")
IMPORT = re.compile(r"\s*+(?:from\s++(\.*+)|import\s++(?:[\w.]++(?:\s++as\s++\w++)?+,\s*+)*+)([\w.]*+)$")
CHAIN = re.compile(r"(?<![\w.])[\w.]++$")
SOFT = ("match", "case", "type")
# (id of a function or class, bound) -> (it, type, signature, first line): long lists are described
# at once
_details: dict[tuple[int, bool], tuple[Any, str, str | None, str]] = {}


@handles("complete")
def complete(args: protocol.EditorPlace, part: object = None) -> protocol.CompleteAnswer:
    """What can stand at the cursor; an option's detail is its signature."""
    return quietly({"options": []}, _complete, args)


@handles("describe")
def describe(args: protocol.EditorPlace, part: object = None) -> protocol.Description | None:
    """What the word at the cursor is."""
    return quietly(None, _describe, args)


# ---- at the cursor ----


class _Place:
    """The source with HERE instead of the word at the cursor, read as far as it can be."""

    node: Any
    parents: tuple[ast.AST, ...]

    def __init__(self, args: protocol.EditorPlace) -> None:
        lines = args["source"].split("\n")
        self.line, column = args["line"], args["column"]
        text = lines[self.line - 1]
        self.before = text[:column]
        self.prefix = _matched(WORD.search(self.before))
        self.after = _matched(re.match(r"\w*", text[column:]))
        self.word = self.prefix + self.after
        stem, rest = self.before[: len(self.before) - len(self.prefix)], text[column + len(self.after) :]
        self.indent = len(text) - len(text.lstrip())
        self.file = args.get("file", "train.py")
        # The whole line, or where that is unfinished (`f(optim.Ad`), the names before the cursor
        # alone.
        for attempt in (stem + HERE + rest, " " * self.indent + _matched(CHAIN.search(stem)).lstrip(".") + HERE):
            lines[self.line - 1] = attempt
            tree = tree_of("\n".join(lines))
            if tree is None:
                continue
            self.source = Source(self.file, scopes_of(tree))
            found = find_here(self.source.scope, self.line)
            if found:
                self.node, self.parents, self.scope = found
                return
        lines[self.line - 1] = " " * self.indent + "pass"
        self.source = Source(self.file, scopes_of(tree_of("\n".join(lines)) or ast.Module([], [])))
        self.node, self.parents = None, ()
        self.scope = scope_at(self.source.scope, self.line, self.indent)


def _matched(found: re.Match[str] | None) -> str:
    return found[0] if found else ""


def _complete(args: protocol.EditorPlace) -> protocol.CompleteAnswer:
    place = _Place(args)
    if found := FROM_IMPORT.match(place.before):
        return _listed(_importable(place.source.resolved(found[2], len(found[1])), place.source), place.prefix)
    if isinstance(place.node, ast.alias) and isinstance(place.parents[-1], ast.ImportFrom):
        statement = place.parents[-1]
        return _listed(
            _importable(place.source.resolved(statement.module, statement.level), place.source), place.prefix
        )
    if found := IMPORT.match(place.before):
        return _modules(place, found[1] or "", found[2])
    if isinstance(place.node, (ast.arg, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler)):
        return {"options": []}  # a new name
    if isinstance(place.node, ast.Attribute):
        value = place.source.infer(place.node.value, place.scope)
        return _listed(place.source.members(value), place.prefix)
    if place.node is None and place.before[: len(place.before) - len(place.prefix)].endswith("."):
        return {"options": []}
    return _names(place)


def _importable(name: str, source: Source) -> dict[str, Value]:
    found = module(name)
    names = dict(source.members(Value("live", found))) if found else {}
    names.update(_submodules(name))
    return names


def _submodules(name: str) -> dict[str, Value]:
    start = name + "."
    return {
        m[len(start) :]: Value("live", sys.modules[m])
        for m in list(sys.modules)
        if m.startswith(start) and "." not in m[len(start) :]
    }


def _modules(place: _Place, dots: str, typed: str) -> protocol.CompleteAnswer:
    outer = typed.rpartition(".")[0]
    if dots or outer:
        return _listed(_submodules(place.source.resolved(outer, len(dots)) if dots else outer), place.prefix)
    names = {m for m in sys.stdlib_module_names if not m.startswith("_")} | {m for m in sys.modules if "." not in m}
    fitting = sorted(n for n in names if _fits(n, place.prefix))
    return {"options": [{"label": n, "type": "module", "boost": 1 if n == "tinygpt" else 0} for n in fitting]}


def _names(place: _Place) -> protocol.CompleteAnswer:
    """The names that can stand here: arguments of the call around, the source's own, __main__'s,
    builtins, keywords.
    """
    options: list[protocol.CompletionOption] = []
    seen: set[str] = set()
    call = place.parents[-1] if place.parents else None
    if isinstance(call, ast.Call) and any(place.node is argument for argument in call.args):
        given = {k.arg for k in call.keywords}
        for name in _parameters(place.source.infer(call.func, place.scope)):
            if name not in given:
                options.append({"label": name + "=", "type": "variable", "detail": "argument", "boost": 3})
    for depth, scope in enumerate(place.scope.visible()):
        for name in scope.names:
            if name not in seen and name.isidentifier() and name != HERE:
                seen.add(name)
                options.append(_option(name, place.source.lookup(name, place.scope) or UNKNOWN, 2 if depth == 0 else 1))
    live = place.source.namespace()
    for name in (*live, *builtins.__dict__):
        if name not in seen and type(name) is str and _begins(name, place.prefix):
            seen.add(name)
            own = name in live
            options.append(
                _option(name, Value("live", live[name] if own else builtins.__dict__[name]), 0 if own else -1)
            )
    words = (*keyword.kwlist, *SOFT)
    for word in words:
        if word not in seen and _begins(word, place.prefix):
            options.append({"label": word, "type": "keyword", "boost": 0})
    return {"options": options}


def _parameters(value: Value) -> list[str]:
    if value.kind == "source class":
        value = _own_init(value)
    if value.kind == "source function":
        arguments = value.item[0].args
        return [a.arg for a in (*arguments.args, *arguments.kwonlyargs) if a.arg not in ("self", "cls")]
    if value.kind == "live":
        names = members.parameters(value.item)
        return names[1:] if value.bound and names[:1] == ["self"] else names
    return []


def _own_init(value: Value) -> Value:
    scope = value.item[1]
    inner = next((s for s in scope.inner if getattr(s.node, "name", "") == "__init__"), None)
    return Value("source function", (inner.node, inner)) if inner else UNKNOWN


def _fits(name: str, prefix: str) -> bool:
    """Whether the name may be listed: private names only after an underscore, and the first letter
    must be in it.
    """
    if name.startswith("_") and not prefix.startswith("_"):
        return False
    return not prefix or prefix[0].lower() in name.lower()


def _begins(name: str, prefix: str) -> bool:
    """As _fits, of names that are everywhere: only where they begin with the first letter."""
    return _fits(name, prefix) and (not prefix or name[0].lower() == prefix[0].lower())


def _listed(members: Mapping[str, Value], prefix: str) -> protocol.CompleteAnswer:
    """The options of {name: Value}."""
    return {"options": [_option(n, v, -1 if n.startswith("__") else 0) for n, v in members.items() if _fits(n, prefix)]}


def _option(name: str, value: Value, boost: int = 0) -> protocol.CompletionOption:
    kind, detail, info = _brief(value)
    option: protocol.CompletionOption = {"label": name, "type": kind, "boost": boost}
    if detail:
        option["detail"] = detail
    if info:
        option["info"] = info
    return option


def _brief(value: Value) -> tuple[Any, str | None, str | None]:
    """(type, detail, first line of the docstring)"""
    if value.kind == "live":
        thing = value.item
        kind = members.kind_of(thing)
        if kind == "variable":
            if type(thing) is property:
                return "variable", None, members.documentation(thing).split("\n")[0]
            text, shown = members.summary(thing)
            return "variable", shown if shown is not None and len(shown) < 30 else text, None
        key = id(thing), value.bound
        if key in _details:
            return _details[key][1:]
        detail = None if kind == "module" else members.signature(thing, value.bound)
        described = kind, detail, members.documentation(thing).split("\n")[0]
        if members.path(thing).startswith("tinygpt.") or type(thing) is type and thing.__module__ != "__main__":
            if len(_details) > 5000:
                _details.clear()
            _details[key] = thing, *described  # (what is the user's own is not kept alive by this)
        return described
    if value.kind in ("source function", "source class"):
        node = value.item[0]
        kind = value.kind.removeprefix("source ")
        return kind, _source_signature(value), members.first_paragraph(ast.get_docstring(node)).split("\n")[0]
    return "variable", _type_of(value), None


def _source_signature(value: Value) -> str | None:
    node = value.item[0]
    if value.kind == "source class":
        value = _own_init(value)
        if value is UNKNOWN:
            return None
        node, first = value.item[0], 1
    else:
        first = 1 if value.bound else 0
    text = ast.unparse(node.args)
    if first and node.args.args:
        text = re.sub(r"^\w+(, )?", "", text)
    return "(%s)" % text


def _type_of(value: Value) -> str | None:
    if value.kind == "instance":
        return members.name_of(value.item)
    if value.kind == "source instance":
        return value.item[0].name
    return {"tuple": "tuple", "parameter": "parameter"}.get(value.kind)


# ---- what is this ----


def _describe(args: protocol.EditorPlace) -> protocol.Description | None:
    place = _Place(args)
    word, node = place.word, place.node
    if not word or (keyword.iskeyword(word) and not isinstance(node, ast.Attribute)):
        return None
    value = _meant(place, word, node)
    if value is None:
        return None
    answer: protocol.Description = {"label": word, "type": None, "signature": None, "value": None, "doc": ""}
    if value.kind == "live":
        kind = members.kind_of(value.item)
        answer["type"] = kind
        if kind == "variable" and type(value.item) is not property:
            answer["type"], answer["value"] = members.summary(value.item)
            answer["doc"] = members.documentation(type(value.item)) if type(value.item) not in members.PLAIN else ""
        else:
            answer["signature"] = members.signature(value.item, value.bound)
            answer["type"] = "property" if type(value.item) is property else kind
            answer["doc"] = members.documentation(value.item)
    elif value.kind in ("source function", "source class"):
        answer.update({"type": value.kind.removeprefix("source "), "signature": _source_signature(value)})
        answer["doc"] = members.first_paragraph(ast.get_docstring(value.item[0]))
    else:
        answer["type"] = _type_of(value)
        if answer["type"] is None:
            return None
        if value.kind == "instance" and value.item not in members.PLAIN:
            answer["doc"] = members.documentation(value.item)
    return answer


def _meant(place: _Place, word: str, node: Any) -> Value | None:
    """The Value that the word names, or None."""
    source, scope = place.source, place.scope
    if found := IMPORT.match(place.before):
        dots = found[1] or ""
        found = module(source.resolved(found[2] + place.after, len(dots)))
        return Value("live", found) if found else None
    if isinstance(node, ast.Attribute):
        return source.members(source.infer(node.value, scope)).get(word)
    if isinstance(node, ast.alias):
        node.name = node.name.replace(HERE, word)
        statement = place.parents[-1]
        return source.imported(node, statement if isinstance(statement, ast.ImportFrom) else None)
    if isinstance(node, ast.keyword):
        return Value("parameter")
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        inner = next((s for s in scope.inner if s.node is node), scope)
        return Value("source class" if isinstance(node, ast.ClassDef) else "source function", (node, inner))
    if isinstance(node, ast.arg):
        found = source.lookup(
            HERE, next((s for s in scope.inner if node in ast.walk(s.node.args)), scope) if scope.inner else scope
        )
        return found or Value("parameter")
    if isinstance(node, ast.Name):
        found = source.lookup(word, scope)
        here = source.lookup(HERE, scope) if isinstance(node.ctx, ast.Store) else None
        if here is not None and here.kind != "unknown" and (found is None or found.kind != "live"):
            found = here  # the word is being assigned here: its value is that of this line
        live = source.frame_locals(scope)
        return Value("live", live[word]) if word in live and (found is None or found is UNKNOWN) else found
    return None
