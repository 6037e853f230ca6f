"""Hostile Python sources: what a link, a paste or a lesson may put into the editor, where the
check, completion and hover of py/tinygpt_session/language read it.

`SOURCES` has them by name. None of them may end, stop or fill the interpreter that reads it, and
nothing of one runs: where anything did, `builtins.HOSTILE` would be there.

    python3 -m tests.security.sources    gives each to the three natively, in processes that may die
"""

import json
import os
import resource
import select
import subprocess
import sys
import time
import types

from tests.hosts import ROOT

DEEP = 3000  # ends the compiler's stack in WebAssembly; 98 characters of `(` are enough there
LARGE = 99_000  # characters: just below what is looked at while it is typed
SECONDS = 3  # that one source may take for its check, completion and hover together
MEMORY = 2 << 30  # bytes that the process which reads the sources may map
MARK = "import builtins; builtins.HOSTILE = 1\n"


def nested():
    """Each construct of the grammar that may hold itself, DEEP times."""
    for name, opening, inner, closing in (
        ("parentheses", "(", "1", ")"),
        ("lists", "[", "1", "]"),
        ("sets", "{", "1", "}"),
        ("dicts", "{1:", "1", "}"),
        ("tuples", "(", "1", ",)"),
        ("calls", "f(", "1", ")"),
        ("keyword arguments", "f(a=", "1", ")"),
        ("starred arguments", "f(*", "a", ")"),
        ("subscripts", "a[", "1", "]"),
        ("slices", "a[:", "1", "]"),
        ("lambdas", "lambda:", "1", ""),
        ("lambda defaults", "lambda a=", "1", ":1"),
        ("not", "not ", "1", ""),
        ("minus", "-", "1", ""),
        ("tilde", "~", "1", ""),
        ("await", "await ", "a", ""),
        ("yield", "(yield ", "a", ")"),
        ("conditionals", "1 if 1 else ", "1", ""),
        ("list comprehensions", "[", "1", " for a in b]"),
        ("iterables of comprehensions", "[a for a in ", "b", "]"),
        ("conditions of comprehensions", "[a for a in b if ", "1", "]"),
        ("set comprehensions", "{", "1", " for a in b}"),
        ("dict comprehensions", "{1:", "1", " for a in b}"),
        ("generators", "(", "1", " for a in b)"),
        ("walruses", "(a:=", "1", ")"),
        ("powers", "1**", "1", ""),
        ("powers of names", "a**", "a", ""),
        ("boolean groups", "a and(b or(", "1", "))"),
        ("comparisons in groups", "1<(", "1", ")"),
        ("mixed brackets", "([{1:", "1", "}])"),
        ("f-string fields", "f'{", "1", "}'"),
        ("starred targets", "[*", "a", "]"),
    ):
        yield name, "x = " + opening * DEEP + inner + closing * DEEP
    for name, opening in (
        ("parentheses", "("),
        ("brackets", "["),
        ("braces", "{"),
        ("calls", "f("),
        ("f-strings", "f'{"),
    ):
        yield "open " + name, opening * DEEP
        yield "%d open %s" % (LARGE, name), opening * LARGE
    yield "closed parentheses", ")" * LARGE
    yield "wrong brackets", "([{" * DEEP + ")]}" * DEEP
    yield "targets", "(" * DEEP + "a" + ",)" * DEEP + " = 1"
    yield "targets of for", "for " + "(" * DEEP + "a" + ",)" * DEEP + " in b: pass"
    yield "targets of del", "del " + "(" * DEEP + "a" + ")" * DEEP
    yield "targets of with", "with a as " + "(" * DEEP + "b" + ")" * DEEP + ": pass"
    yield "annotations", "a: " + "b[" * DEEP + "c" + "]" * DEEP
    yield "defaults", "def f(a=" + "[" * DEEP + "1" + "]" * DEEP + "): pass"
    yield "bases", "class A(" + "[" * DEEP + "1" + "]" * DEEP + "): pass"
    yield "a decorator", "@" + "(" * DEEP + "a" + ")" * DEEP + "\ndef f(): pass"
    yield "a return", "def f():\n return " + "[" * DEEP + "]" * DEEP
    yield "patterns", "match a:\n case " + "[" * DEEP + "b" + "]" * DEEP + ": pass"
    yield "class patterns", "match a:\n case " + "A(" * DEEP + "b" + ")" * DEEP + ": pass"
    yield "dict patterns", "match a:\n case " + "{1:" * DEEP + "b" + "}" * DEEP + ": pass"
    yield "groups of patterns", "match a:\n case " + "(" * DEEP + "b" + ")" * DEEP + ": pass"
    yield "format specs", "f'" + "{a:" * DEEP + "}" * DEEP + "'"
    yield "f-strings of one quote", "f'{" * 149 + "1" + "}'" * 149
    yield "type parameters", "def f[T: " + "(" * DEEP + "int" + ")" * DEEP + "](): pass"
    yield "parentheses of 99", "(" * 99 + "1" + ")" * 99
    yield "parentheses of 199", "(" * 199 + "1" + ")" * 199
    for name, head in (
        ("if", "if 1:"),
        ("while", "while 1:"),
        ("for", "for a in b:"),
        ("def", "def f():"),
        ("class", "class A:"),
        ("try", "try:"),
        ("with", "with a:"),
        ("async def", "async def f():"),
        ("match", "match a:"),
    ):
        for depth in (19, 99, 500):
            yield (
                "%d blocks of %s" % (depth, name),
                "".join(" " * at + head + "\n" for at in range(depth)) + " " * depth + "pass",
            )
    yield "blocks in tabs", "".join("\t" * at + "if 1:\n" for at in range(99)) + "\t" * 99 + "pass"


def chains():
    """What has no brackets and still becomes a deep tree, or a long one."""
    for name, start, part in (
        ("attributes", "x = a", ".b"),
        ("calls", "x = a", "()"),
        ("subscripts", "x = a", "[0]"),
        ("attributes and calls", "x = a", ".b()"),
        ("sums", "x = 1", "+1"),
        ("sums of names", "x = a", "+a"),
        ("products", "x = a", "*a"),
        ("matrix products", "x = a", "@a"),
        ("shifts", "x = a", "<<a"),
        ("strings", "x = ''", "''"),
        ("f-strings", "x = f''", " f'{a}'"),
        ("comparisons", "x = a", "<a"),
        ("and", "x = a", " and a"),
        ("or", "x = a", " or a"),
        ("is", "x = a", " is a"),
        ("conditionals", "x = a", " if a else a"),
        ("assignments", "x", "=x"),
        ("commas", "x = a", ",a"),
        ("statements", "a", ";a"),
        ("lines", "a", "\na"),
        ("continued lines", "x = a", "\\\n"),
        ("global names", "def f():\n global a", ",a"),
        ("imported names", "from a import a", ",a"),
        ("imported modules", "import a", ",a.b.c"),
        ("dotted modules", "import a", ".a"),
        ("dots of an import", "from .", "."),
        ("with items", "with a", ",a"),
        ("or patterns", "match a:\n case 1", "|1"),
        ("cases", "match a:\n case 1: pass", "\n case 1: pass"),
        ("elif", "if a: pass", "\nelif a: pass"),
        ("except", "try: pass", "\nexcept a: pass"),
        ("for of a comprehension", "x = [a for a in b", " for a in b"),
        ("if of a comprehension", "x = [a for a in b", " if a"),
        ("decorators", "@a", "\n@a"),
        ("comments", "#", "\n#"),
        ("spaces", "x = 1", " "),
        ("form feeds", "x = 1", "\f\n"),
        ("semicolons", "a", ";"),
        ("typed names", "a: int", "\na: int"),
        ("lambda parameters", "x = lambda a", ",a"),
        ("dict items", "x = {1:1", ",1:1"),
        ("starred items", "x = [*a", ",*a"),
        ("slices of many dimensions", "x = a[0", ",:"),
    ):
        for times in (DEEP, LARGE // len(part)):
            yield "%d of %s" % (times, name), start + part * times
    yield "arguments", "f(" + ",".join("a%d=1" % number for number in range(3000)) + ")"
    yield "parameters", "def f(" + ",".join("a%d" % number for number in range(13_000)) + "): pass"
    yield "names", "".join("name_%d = name_%d\n" % (number, number + 1) for number in range(4000))
    yield "functions", "".join("def f%d(a): return f%d(b)\n" % (number, number + 1) for number in range(3000))
    yield (
        "classes one of another",
        "class A0: pass\n" + "".join("class A%d(A%d): pass\n" % (number + 1, number) for number in range(4000)),
    )
    yield (
        "aliases one of another",
        "a0 = 1\n" + "".join("a%d = a%d\n" % (number + 1, number) for number in range(4000)) + "a4000.",
    )
    yield (
        "functions that call each other",
        "".join("def f%d(): return f%d()\n" % (n, (n + 1) % 3000) for n in range(3000)) + "f0().",
    )
    yield "an alias of itself", "a = a\na."
    yield "two aliases of each other", "a = b\nb = a\na."
    yield "a class of itself", "class A(A): pass\nA()."
    yield "imports of oneself", "from train import *\nimport train\ntrain.train.train.train."
    yield "unknown names in one line", "a;" * 49_000
    yield "warnings", "1 is 1\n" * 14_000
    yield "warnings in one line", "1 is 1;" * 14_000
    yield "unknown escapes", "x = '\\d'\n" * 11_000
    yield "unknown escapes in one line", "x = '" + "\\d" * 49_000 + "'"
    yield "assertions of tuples", "assert (a, 'x')\n" * 6000


def literals():
    """Constants whose value is larger than their text, and numbers and strings of great length."""
    for text in (
        "'a' * 10**9",
        "b'a' * 10**10",
        "(1,) * 10**9",
        "('a' * 10**5) * 10**5",
        "2 ** 10**9",
        "10 ** 10 ** 6",
        "9 ** 9 ** 9 ** 9",
        "1 << 10**9",
        "1 << 10**18",
        "(1 << 4000) * (1 << 4000) ** 99",
        "-(2 ** 10**7)",
        "'%1000000000d' % 1",
        "'%*d' % (10**9, 1)",
        "'%.999999999f' % 1.0",
        "f'{1:1000000000}'",
        "f'{0:>{10**9}}'",
        "1 % 10 ** 10**7",
        "()[10**30]",
        "1e999999999",
        "1e-999999999",
        "0x" + "f" * 98_000,
        "0b" + "1" * 98_000,
        "1" * 4300,
        "1" * 4301,
        "1" * 98_000,
        "1." + "1" * 98_000,
        "." + "0" * 98_000 + "1",
        "1" * 98_000 + "j",
        "1" + "_1" * 49_000,
        "0_" * 1000,
        "'" + "a" * 98_000 + "'",
        "b'" + "a" * 98_000 + "'",
        "'" + "a" * 98_000,
        "'''" + "a\n" * 49_000,
        "'" + "\\N{BULLET}" * 9_900 + "'",
        "'" + "\\N{x" * 24_000,
        "'\\x'",
        "'\\U00110000'",
        "'\\ud800'",
        "a" * 98_000,
        "\ufdfa" * 98_000,
        "a" + "\u0301" * 98_000,
        "\U0001d41a" * 98_000,
        "f'" + "{a}" * 32_000 + "'",
        "f'" + "{{" * 49_000 + "'",
        "f'{" + "a" * 98_000 + "}'",
        "f'{a!" + "r" * 98_000 + "}'",
        "f'{a" + "!r" * 49_000 + "}'",
        "f'{a:" + "x" * 98_000 + "}'",
        "rb'" * 1000,
        "1if 1else 1",
        "0xfor x in 1",
    ):
        yield "%.20s of %d" % (text, len(text)), "x = " + text


def odd_text():
    """Characters that change what a source seems to be."""
    yield from (
        ("nothing", ""),
        ("one NUL", "x = 1\0"),
        ("NULs", "\0" * LARGE),
        ("a NUL in a comment", "# \0\nx = 1"),
        ("a lone surrogate", "x = '\ud800'"),
        ("lone surrogates", "\udfff" * 1000),
        ("a mark of byte order", "\ufeffx = 1"),
        ("two marks of byte order", "\ufeff\ufeffx = 1"),
        ("a right-to-left override", "x = 'a\u202e' # b'"),
        ("isolates", "x = '\u2066" * 500),
        ("look-alikes", "\u0430 = 1\nprint(a)"),
        ("an invisible name", "\u3164 = 1\n\u115f = 2"),
        ("a full-width call", "\uff45\uff58\uff45\uff43('1')"),
        ("no-break spaces", "if 1:\n\u00a0\u00a0x = 1"),
        ("zero-width spaces", "x\u200b = 1"),
        ("line separators", "x = 1\u2028y = 2\u2029z = 3"),
        ("carriage returns", "a\rb\rc = undefined\r" * 500),
        ("mixed line ends", "a = 1\r\nb = 2\rc = 3\n\rd = 4"),
        ("vertical tabs", "x = 1\x0by = 2\x0c\x1c\x1d\x1e\x85z = 3"),
        ("a control character", "x = 1\x1b[2J"),
        ("a coding of UTF-7", "# -*- coding: utf-7 -*-\n+AAo-import os"),
        ("a coding of rot13", "# coding: rot13\nvzcbeg bf"),
        ("an unknown coding", "# vim: set fileencoding=nonsense :\nx = 1"),
        ("a long coding", "# coding: " + "a" * 98_000),
        ("a coding in line two", "\n# coding: utf-16\nx = 1"),
        ("tabs and spaces", "if 1:\n\tx = 1\n        y = 2\n"),
        ("tabs after spaces", "if 1:\n  \tx = 1\n \t y = 2\n"),
        ("an indent of 98,000", " " * 98_000 + "x = 1"),
        ("dedents", "".join(" " * (90 - at) + "x\n" for at in range(90))),
        ("a backslash at the end", "x = \\"),
        ("backslashes", "\\" * LARGE),
        ("quotes", "'" * LARGE),
        ("double quotes", '"' * LARGE),
        ("dots", "." * LARGE),
        ("at signs", "@" * LARGE),
        ("colons", ":" * LARGE),
        ("stars", "*" * LARGE),
        ("exclamation marks", "!" * LARGE),
        ("dollars", "$" * LARGE),
        ("spaces alone", " " * LARGE),
        ("empty lines", "\n" * LARGE),
        ("emoji", "\U0001f600" * 50_000),
        ("emoji in one line of names", "x = '" + "\U0001f600" * 30_000 + "'; " + "unknown; " * 3000),
        ("more than is looked at", "x = 1\n" * 120_000),
        ("a line of a million letters", "x = '%s'" % ("a" * 10**6)),
        ("a million brackets", "[" * 10**6),
        ("markup", "</script><script>window.hostile = 1</script>"),
        ("future", "from __future__ import braces"),
        ("futures", "from __future__ import annotations\n" * 2800),
        ("an unknown future", "x = 1\nfrom __future__ import " + "a" * 5000),
        ("import antigravity", "import antigravity\nantigravity."),
        ("import this", "import this\nthis."),
        ("import of main", "import __main__\n__main__.__dict__."),
        ("a barry", "from __future__ import barry_as_FLUFL\n1 <> 2"),
        ("await at the top", "await " * 50 + "a"),
        ("return at the top", "return " * 1000),
        ("break at the top", "break\n" * 16_000),
        ("stars at the top", "*a, *b = *c, *d\n" * 5000),
        ("soft keywords", "match match:\n case case: type = type\n" * 2500),
        ("a cell of itself", "def f():\n def g(): nonlocal a\n" * 2000),
        ("comments that look like types", "x = [] # type: " + "List[" * 3000),
        ("underscores", "_" * LARGE + " = 1"),
        ("dunder names", "__builtins__.__import__('os')._exit(1)\n__builtins__."),
        (
            "code wherever reading might run it",
            MARK + "@[%s]\ndef f(a=%s): pass\nclass A(%s): x = %s\nA." % ((MARK.replace("; ", " or ").strip(),) * 4),
        ),
        ("a metaclass", MARK + "class M(type):\n def __getattr__(c, n): %sclass A(metaclass=M): pass\nA." % MARK),
        ("a slow pattern for words", "from " + ". " * 49_000 + "import ("),
        ("a slow pattern for imports", "import " + "a as b, " * 12_000),
        ("a slow pattern for chains", "a." * 49_000),
        ("a slow pattern for strings", "'\\" * 49_000),
        ("a slow pattern for continuation", "\\\n" * 49_000),
    )


SOURCES = dict([*nested(), *chains(), *literals(), *odd_text()])


def language():
    """The modules completion and diagnostics, in a package without what needs Pyodide."""
    package = types.ModuleType("session_without_page")
    package.__path__ = [str(ROOT / "py" / "tinygpt_session")]
    requests = types.ModuleType("session_without_page.dispatch")
    requests.handles = lambda name: lambda function: function
    sys.modules.update({"session_without_page": package, "session_without_page.dispatch": requests})
    from session_without_page.language import completion, diagnostics

    return completion, diagnostics


def serve():
    """Reads a source a line of JSON, answers a line of JSON each: {"ms", "problems", "ran"}."""
    import builtins

    completion, diagnostics = language()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        source = json.loads(line)
        begun = time.process_time()
        lines = source.split("\n")
        place = {"source": source, "line": len(lines), "column": len(lines[-1]), "file": "train.py"}
        problems = diagnostics.check({"source": source, "file": "train.py"})
        completion.complete(place)
        completion.describe({**place, "column": len(lines[-1]) // 2})
        ms = 1000 * (time.process_time() - begun)
        print(json.dumps({"ms": ms, "problems": problems, "ran": hasattr(builtins, "HOSTILE")}), flush=True)


class Reader:
    """A process that reads sources; another one takes its place where it dies or is silent."""

    def __init__(self):
        self.process = None

    def read(self, source, seconds):
        """The answer to one source: of serve, or {"died": why}."""
        if self.process is None:
            pipe = subprocess.PIPE
            command = [sys.executable, "-m", "tests.security.sources", "--serve"]
            environment = {**os.environ, "PYTHONPATH": "%s:%s" % (ROOT / "py", ROOT)}
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe)
        self.process.stdin.write(json.dumps(source).encode() + b"\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        if ready and (line := self.process.stdout.readline()):
            return json.loads(line)
        died = "ended with %s" % self.process.wait() if ready else "no answer within %d s" % seconds
        self.close()
        return {"died": died}

    def close(self):
        if self.process:
            self.process.kill()
            self.process.communicate()
            self.process = None


def read(room=1):
    """What is wrong with the answers to SOURCES: [(name, problem)]. room: times as long as SECONDS
    may pass for one.
    """
    wrong = []
    reader = Reader()
    for name, source in SOURCES.items():
        found = reader.read(source, 10 * SECONDS * room)
        if "died" in found:
            wrong.append((name, found["died"]))
        elif found["ms"] > 1000 * SECONDS * room:
            wrong.append((name, "took %d ms" % found["ms"]))
        elif found["ran"]:
            wrong.append((name, "some of it ran"))
        elif any(len(problem["message"]) > 300 for problem in found["problems"]):
            wrong.append((name, "a message of more than 300 characters"))
    reader.close()
    return wrong


def main():
    began = time.perf_counter()
    wrong = read()
    for name, problem in wrong:
        print("%s: %s" % (name, problem))
    print("%d sources, %d wrong, %.1f s" % (len(SOURCES), len(wrong), time.perf_counter() - began))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(serve() if "--serve" in sys.argv else main())
