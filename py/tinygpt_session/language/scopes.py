"""What a source says about its names, read from its syntax tree: which scope binds which name, and
how. Nothing is run.

`tree_of` also reads a source that somebody is typing in: the lines that are not Python yet are left
out. `scopes_of` gives the module's Scope; a binding is (kind, node, more) with the kinds import,
function, class, parameter, value (more: the path into a tuple), other.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from ..source_limits import TYPED, parsed

if TYPE_CHECKING:
    from collections.abc import Callable

    Binding = tuple[str, Any, Any]  # kind, node, more

HERE = "here_is_the_cursor"  # stands for the word at the cursor
ATTEMPTS = 6  # lines that may be left out
REREAD = 200_000  # characters that all attempts may read together: a long source costs the run that trains


class Scope:
    """A module, class or function: `names` {name: [binding]}, `reads` the Name nodes that read one,
    `attributes` {name: binding} of a class's self, `inner` Scopes, `node`, `parent`.
    """

    def __init__(self, node: Any, parent: Scope | None) -> None:
        self.node, self.parent = node, parent
        self.names: dict[str, Any] = {}
        self.reads: list[ast.Name] = []
        self.attributes: dict[str, tuple[str, Any, Any, Scope]] = {}
        self.inner: list[Scope] = []
        self.is_class = isinstance(node, ast.ClassDef)
        self.star = False  # a module with `from x import *`

    @property
    def qualname(self) -> str:
        """As Python would call it: `train.<locals>.step`."""
        if self.parent is None:
            return ""
        outer = self.parent
        if outer.parent is None:
            return self.node.name
        return outer.qualname + (".%s" if outer.is_class else ".<locals>.%s") % self.node.name

    def bind(self, name: str, kind: str, node: ast.AST | None, more: Any = None) -> None:
        """Adds a binding of the name."""
        self.names.setdefault(name, []).append((kind, node, more))

    def visible(self) -> list[Scope]:
        """The scopes whose names can be used here, innermost first: the classes around a function
        are not among them.
        """
        scope: Scope | None = self
        found: list[Scope] = []
        while scope is not None:
            if scope is self or not scope.is_class:
                found.append(scope)
            scope = scope.parent
        return found


def tree_of(source: str, first: int | None = None) -> ast.Module | None:
    """The syntax tree; where the source is broken, without its broken lines, beginning with line
    `first`. None: it cannot be read.
    """
    lines = source.split("\n")
    for attempt in range(max(2, min(ATTEMPTS, REREAD // (len(source) + 1)))):
        try:
            return parsed("\n".join(lines), characters=TYPED)
        except SyntaxError as error:
            number = first if first and attempt == 0 else error.lineno
        except (ValueError, RecursionError, MemoryError):
            return None
        if not number or number > len(lines):
            number = len(lines)
        line = lines[number - 1]
        if line.strip() in ("", "pass"):  # an unclosed block before it, or a bracket
            number = max((n for n in range(1, number) if lines[n - 1].strip() not in ("", "pass")), default=0)
            if not number:
                return None
            line = lines[number - 1]
        lines[number - 1] = line[: len(line) - len(line.lstrip())] + "pass"
    return None


def scopes_of(tree: ast.AST) -> Scope:
    """The module's Scope, with those in it."""
    scope = Scope(tree, None)
    _Reader(scope).generic_visit(tree)
    return scope


LEAVES = frozenset((ast.Load, ast.Store, ast.Constant, ast.Pass, ast.Break, ast.Continue))


class _Reader:
    """Fills a scope and the scopes in it. Lambdas and comprehensions belong to the scope around
    them: too many names, never too few.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def visit(self, node: ast.AST) -> None:
        visitor = VISITORS.get(type(node))
        if visitor is None:
            self.generic_visit(node)
        else:
            visitor(self, node)

    def generic_visit(self, node: ast.AST) -> None:
        # As ast.NodeVisitor does it, in a third of the time: this is done at a key press, in
        # WebAssembly.
        for field in node._fields:
            value = getattr(node, field, None)
            if type(value) is list:
                for item in value:
                    if isinstance(item, ast.AST) and type(item) not in LEAVES:
                        self.visit(item)
            elif isinstance(value, ast.AST) and type(value) not in LEAVES:
                self.visit(value)

    def _enter(self, node: Any) -> Scope:
        inner = Scope(node, self.scope)
        self.scope.inner.append(inner)
        reader = _Reader(inner)
        for parameter in getattr(node, "type_params", ()):
            inner.bind(parameter.name, "other", parameter)
        if not inner.is_class:
            reader.parameters(node.args, node)
        for statement in node.body:
            reader.visit(statement)
        return inner

    def visit_FunctionDef(self, node: Any) -> None:
        # Decorators and defaults belong out here; annotations may never be evaluated.
        self.scope.bind(node.name, "function", node)
        for part in (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults):
            if part is not None:
                self.visit(part)
        inner = self._enter(node)
        if self.scope.is_class and node.args.args:
            me = node.args.args[0].arg
            for name, binding in inner.names.pop("%s." % me, {}).items():
                self.scope.attributes.setdefault(name, (*binding, inner))

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: Any) -> None:
        self.scope.bind(node.name, "class", node)
        for part in (*node.bases, *node.keywords, *node.decorator_list):
            self.visit(part)
        self._enter(node)

    def visit_Lambda(self, node: Any) -> None:
        self.parameters(node.args, node)
        self.generic_visit(node)

    def parameters(self, arguments: ast.arguments, node: ast.AST) -> None:
        for argument in (
            *arguments.posonlyargs,
            *arguments.args,
            *arguments.kwonlyargs,
            arguments.vararg,
            arguments.kwarg,
        ):
            if argument is not None:
                self.scope.bind(argument.arg, "parameter", argument, node)

    def visit_Import(self, node: Any) -> None:
        for alias in node.names:
            self.scope.bind(alias.asname or alias.name.partition(".")[0], "import", alias)

    def visit_ImportFrom(self, node: Any) -> None:
        for alias in node.names:
            if alias.name == "*":
                root = self.scope
                while root.parent is not None:
                    root = root.parent
                root.star = True
            else:
                self.scope.bind(alias.asname or alias.name, "import", alias, node)

    def _targets(self, target: ast.expr, value: ast.expr | None, path: tuple[int, ...] = ()) -> None:
        if isinstance(target, ast.Name):
            self.scope.bind(target.id, "value", value, path)
        elif isinstance(target, (ast.Tuple, ast.List)):
            for i, item in enumerate(target.elts):
                self._targets(item, value, (*path, i))
        elif isinstance(target, ast.Starred):
            self._targets(target.value, None)
        elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            self.scope.names.setdefault(target.value.id + ".", {}).setdefault(target.attr, ("value", value, path))

    def visit_Assign(self, node: Any) -> None:
        for target in node.targets:
            self._targets(target, node.value)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: Any) -> None:
        if isinstance(node.target, ast.Name):
            self.scope.bind(node.target.id, "annotated", node)
        else:
            self._targets(node.target, node.value)
            self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def visit_NamedExpr(self, node: Any) -> None:
        self._targets(node.target, node.value)
        self.generic_visit(node)

    def visit_withitem(self, node: Any) -> None:
        if node.optional_vars is not None:
            self._targets(node.optional_vars, None)
        self.generic_visit(node)

    def visit_ExceptHandler(self, node: Any) -> None:
        if node.name:
            self.scope.bind(node.name, "other", node)
        self.generic_visit(node)

    def visit_Global(self, node: Any) -> None:
        root = self.scope
        while root.parent is not None:
            root = root.parent
        for name in node.names:
            root.bind(name, "other", node)

    def visit_MatchAs(self, node: Any) -> None:
        name = getattr(node, "name", None) or getattr(node, "rest", None)
        if name:
            self.scope.bind(name, "other", node)
        self.generic_visit(node)

    visit_MatchStar = visit_MatchMapping = visit_MatchAs

    def visit_Name(self, node: Any) -> None:
        # For loops, comprehensions and whatever else stores; what _targets has bound already is
        # known better.
        if type(node.ctx) is ast.Load:
            self.scope.reads.append(node)
        elif type(node.ctx) is ast.Store and node.id not in self.scope.names:
            self.scope.bind(node.id, "other", node)


VISITORS = {
    getattr(ast, name[6:], None): function for name, function in vars(_Reader).items() if name.startswith("visit_")
}


def find_here(scope: Scope, line: int) -> tuple[Any, tuple[Any, ...], Scope] | None:
    """(the node on that line that holds HERE, its parents from the outside in, its Scope)."""
    waiting: list[tuple[Any, tuple[Any, ...], Scope]] = [(scope.node, (), scope)]
    while waiting:
        node, parents, inside = waiting.pop()
        if HERE in (
            getattr(node, "id", None),
            getattr(node, "attr", None),
            getattr(node, "arg", None),
            getattr(node, "name", None),
        ):
            return node, parents, inside
        parents = (*parents, node)
        for child in ast.iter_child_nodes(node):
            if getattr(child, "lineno", line) > line or getattr(child, "end_lineno", line) < line:
                if not getattr(child, "decorator_list", None):  # they stand above the line of their function
                    continue
            within = inside
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                within = next((s for s in inside.inner if s.node is child), inside)
            waiting.append((child, parents, within))
    return None


def scope_at(scope: Scope, line: int, indent: int) -> Scope:
    """The innermost scope that a line with this indentation belongs to, where the line itself could
    not be read.
    """
    best = scope
    for inner in scope.inner:
        if inner.node.lineno < line and inner.node.col_offset < indent:
            following = [
                s
                for s in scope.inner
                if inner.node.lineno < s.node.lineno <= line and s.node.col_offset <= inner.node.col_offset
            ]
            if not following and line <= inner.node.end_lineno + 3:
                best = scope_at(inner, line, indent)
    return best


def undefined_names(scope: Scope, known: Callable[[str], bool]) -> list[ast.Name]:
    """The Name nodes that read what no scope around them, nor `known(name)`, has. Rather too few
    than too many.
    """
    if scope.star:
        return []
    visible = scope.visible()
    found = [node for node in scope.reads if not known(node.id) and not any(node.id in s.names for s in visible)]
    for inner in scope.inner:
        found += undefined_names(inner, known)
    return found
