"""Random Python sources against the limits of py/tinygpt_session/source_limits.py: what
they let pass has a syntax tree of bounded depth, however it is spelled.

    python3 -m tests.fuzz.sources --count 100000 --seed 1

A source is made by a grammar that spells with trailing keywords (`1if 2else 3`), commas in lambdas
and targets, strings that hold brackets, formatted strings, continued lines and odd indentation, or
it is such a source with a piece removed, doubled or swapped. Python's own parser is the oracle.
"""

import argparse
import ast
import importlib.util
import random
import warnings

from tests.hosts import ROOT

PATH = ROOT / "py" / "tinygpt_session" / "source_limits.py"
DEPTH = 12  # instead of the module's: random sources reach it often
NODES = 2  # of a syntax tree for each level: a lambda's default is behind two


def loaded():
    """The module alone: its package needs Pyodide."""
    spec = importlib.util.spec_from_file_location("source_limits", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def depth_of(tree):
    """The nodes on the longest path of a syntax tree. An `elif` is one below its `if`."""
    deepest, nodes = 0, [(tree, 1)]
    while nodes:
        node, depth = nodes.pop()
        deepest = max(deepest, depth)
        nodes += [(child, depth + 1) for child in ast.iter_child_nodes(node)]
    return deepest


HEADS = (
    "if %s:",
    "while %s:",
    "for a, b in %s:",
    "with %s as c:",
    "def f(x=%s):",
    "class A(%s):",
    "async def g(x: %s):",
    "try:",
)
BINARY = ("+", "**", "@", "//", "<<", "|", "and", "or", "is not", "not in", "<=", "==")
FORMATS = ("", "!r", ":>{w}", ":{(w)}.{p}", "=")


class Sources:
    """Random sources of one generator."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def one(self):
        budget = self.random.choice((10, 40, 150))
        source = "".join(self.statement("", budget) for _ in range(self.random.randint(1, 3)))
        if self.random.random() < 0.3:
            source = self.damaged(source)
        return source

    def damaged(self, source):
        choose = self.random
        a, b = sorted(choose.randrange(len(source) + 1) for _ in range(2))
        piece = source[a : min(b, a + choose.randint(1, 8))]
        sign = choose.choice("()[]{}'\"\\\n#:,\f\t\r;")
        return choose.choice((source[:a] + source[a + len(piece) :], source[:a] + piece * 2 + source[a + len(piece) :],
                              source[:a] + sign + source[a:]))  # fmt: skip

    def space(self):
        return self.random.choice(("", "", "", " ", "\t", "\\\n", " \\\n "))

    def statement(self, indent, budget):
        choose = self.random
        if budget > 8 and len(indent) < 40 and choose.random() < 0.5:
            head = choose.choice(HEADS)
            inner = indent + choose.choice((" ", "  ", "\t", "        "))
            body = choose.randint(1, 2)
            block = "".join(self.statement(inner, budget // 2) for _ in range(body))
            text = indent + (head % self.expression(budget // 4) if "%" in head else head) + choose.choice(
                ("\n", " # a [comment\n", "\n\n", "\n#(\n")) + block  # fmt: skip
            if head == "if %s:":
                for _ in range(choose.choice((0, 0, 1, 3, 9))):
                    joined = choose.choice(("", "", "", "\\\n"))
                    text += indent + joined + "elif %s:\n" % self.expression(4) + self.statement(inner, 4)
                if choose.random() < 0.3:
                    text += indent + "else:\n" + self.statement(inner, budget // 3)
            if head == "try:":
                text += indent + "except A as e:\n" + self.statement(inner, 4)
            return text
        left = choose.choice(
            ("x = ", "x, y = ", "x: int = ", "x += ", "", "return " if indent else "", "f(y)[0] = ", "del x; ")
        )
        return indent + left + self.expression(budget) + choose.choice(("\n", ";\n", "; y = 1\n", "\r\n", "\f\n"))

    def expression(self, budget):
        choose = self.random
        if budget < 2:
            return choose.choice(
                ("a", "1", "0xf", "1.5e3", "'s'", '"(["', "'''{'''", "b'\\''", "...", "1_0", ".5j", "None", "'a' 'b'")
            )
        part = budget - choose.randint(1, 3)
        kind = choose.randrange(21)
        e, s = self.expression, self.space
        if kind == 0:
            return e(part) + s() + ".b"
        if kind == 1:
            return (
                "a" + s() + choose.choice((".b()", "()", "[0]", ".c[1:2]", "(*a, **b)", "(x=1)")) * choose.randint(1, 6)
            )
        if kind == 2:
            return "(%s%s%s)" % (s(), e(part), choose.choice(("", ",", "\n", " # )\n")))
        if kind == 3:
            return "[%s, %s]" % (e(part // 2), e(part // 2))
        if kind == 4:
            return "{%s: %s, **%s}" % (e(part // 3), e(part // 2), e(1))
        if kind == 5:
            return "f(%s, k=%s)%s" % (e(part // 2), e(part // 2), choose.choice(("", ".b", "(1)")))
        if kind == 6:
            return "%s %s%s %s" % (e(part // 2), choose.choice(BINARY), s(), e(part // 2))
        if kind == 7:
            return choose.choice(("-", "not ", "~", "+", "- -", "not not ")) + e(part)
        if kind == 8:
            return "%sif %s else %s" % (choose.choice(("1", "1.", "0xf ", "a ")), e(part // 2), e(part // 2))
        if kind == 9:
            return "lambda%s: %s" % (
                choose.choice(("", " a, b", " a, *b", " a=1, b=(1, 2)", " a=%s, b=2" % e(part // 2))),
                e(part),
            )
        if kind == 10:
            return "[%s for a, b in %s if %s]" % (e(part // 3), e(part // 3), e(part // 3))
        if kind == 11:
            return "(%s" % e(2) + "".join(" for a, b in c" for _ in range(choose.randint(1, 5))) + ")"
        if kind == 12:
            return "(y := %s)" % e(part)
        if kind == 13:
            quote = choose.choice(('"', '"""'))
            inner = e(part).replace('"', "").replace("\\", "").replace("\n", " ").replace("#", "").replace("'", "")
            try:
                ast.parse("(%s)" % inner)
            except (SyntaxError, ValueError):
                inner = "a"
            field = "{(%s)%s}" % (inner, choose.choice(FORMATS))
            before, behind = choose.choice(("", "{{", "\\\\", "'(")), choose.choice(("", "}}", "["))
            return choose.choice("fF") + quote + before + field + behind + quote
        if kind == 14:
            return "(%s)%s" % (e(part), choose.choice((".b", "()", "[0]")) * choose.randint(1, 5))
        if kind == 15:
            return "1if 2else " * choose.randint(1, 5) + "3"
        if kind == 16:
            return "a[%s:%s, ::%s]" % (e(part // 3), e(part // 3), e(1))
        if kind == 17:
            return "(await %s)" % e(part)
        if kind == 18:
            return "%s" % "".join("lambda a, b: " for _ in range(choose.randint(1, 5))) + e(part // 2)
        if kind == 19:
            return "'a' 'b' %s %% (%s,)" % (choose.choice(('"]"', "'''\n'''", "r'\\'", "u'\\\\'")), e(part))
        return "x" if part > 100 else e(part)


def attack(count, seed):
    """How many valid sources passed and were refused; AssertionError for one that is too deep."""
    limits = loaded()
    limits.DEPTH = DEPTH
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Python about the sources
        return _attack(limits, count, Sources(seed))


def _attack(limits, count, sources):
    accepted = refused = 0
    for _ in range(count):
        source = sources.one()
        passed = limits.too_deep(source.replace("\r\n", "\n").replace("\r", "\n")) is None
        try:
            depth = depth_of(ast.parse(source))
        except (SyntaxError, ValueError):
            continue
        accepted += passed
        refused += not passed
        assert not passed or depth <= NODES * DEPTH + 6, (depth, source)
    return accepted, refused


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--count", type=int, default=10000)
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    print("%d valid sources passed, none too deep; %d were refused" % attack(options.count, options.seed))
