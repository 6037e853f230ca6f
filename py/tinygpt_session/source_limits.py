"""The one place where the session compiles Python source: of the editor, a link, a paste, a file,
the console.

The compiler walks the syntax tree by recursion, and in WebAssembly nothing guards the end of its
stack: `x = a` with 1,600 times `.b`, or an `if` with 1,300 branches, end the interpreter that
trains. So a source is read once from its beginning to its end first, without recursion and in
linear time. What is too long or nests too deeply is a SyntaxError of one sentence.

The depth that is counted is never below that of the syntax tree. A path from the tree's root to a
leaf passes the blocks around, the branches of an `if`, and in each bracket that is open the
operators and trailers (`.b`, `()`, `[0]`) of one element; it enters one bracket of an expression
and never leaves it. A comma begins an element. So does what can only be a mistake: an operand after
an operand, or the first word of a statement inside a bracket. A bracket that is being typed
therefore does not sum up the lines below it.
"""

from __future__ import annotations

import ast
import functools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import CodeType

DEPTH = 300  # a quarter of what ends Chromium's worker first: 1,200 branches (1,500 of `.b`, 1,600 of `+`)
BLOCK = 2  # levels of a block: a statement and what it contains
CHARACTERS = 1_000_000  # of a source that runs; a link brings no more
TYPED = 100_000  # of one that is looked at while it is typed: 1 to 2 s of a training run

# What follows the white space, by group. Possessive quantifiers: nothing is tried twice.
TOKEN = r"""(?:[ \t\f]|\\\n)*+(?:
    (\n|\#[^\n]*+\n?)                                                                   # 1 the end of a line
    |([rRbBuUfFtT]{0,2})('''|\"""|'|")                                                   # 2, 3 a string begins
    |(0[xX][\da-fA-F_]++|0[bBoO][\d_]++|(?:\d[\d_]*+(?:\.[\d_]*+)?|\.\d[\d_]*+)(?:[eE][-+]?\d[\d_]*+)?[jJ]?)  # 4
    |(\w++)                                                                             # 5 a word
    |(\*\*|//|<<|>>|[<>!=]=|->|:=|\.\.\.|.)                                             # 6
    )"""
LINE_END, PREFIX, QUOTE, NUMBER, WORD, SIGN = range(1, 7)
REST = {  # of a string, by the quote that it began with
    "'": r"(?:[^'\\\n]|\\.)*+'",
    '"': r'(?:[^"\\\n]|\\.)*+"',
    "'''": r"(?:[^'\\]|\\.|'(?!''))*+'''",
    '"""': r'(?:[^"\\]|\\.|"(?!""))*+"""',
}
# The text of a formatted string up to a brace, a quote, a line's end or a backslash before a brace,
# which does not hide it; then the same of a field's format.
TEXT = r"(?:[^{}\\'\"\n]|\\[^{}]|\{\{|\}\})*+"
FORMAT = r"(?:[^{}\\'\"\n]|\\[^{}])*+"

OPERATORS = frozenset(("and or not in is if else for lambda await yield from async as").split())
STATEMENTS = frozenset(
    (
        "def class return import while with try except finally raise del global nonlocal pass break continue assert "
        "elif"
    ).split()
)
FLAT = frozenset(("=", ":", ";", ",", "!", "->"))  # signs that make no level
CLOSING = frozenset(")]}")


def compiled(source: str, file: str, mode: str = "exec", flags: int = 0) -> CodeType:
    """compile(source, file, mode) of a source within the limits; SyntaxError for any other."""
    limit(source, file)
    try:
        return compile(source, file, mode, flags, dont_inherit=True)
    except (RecursionError, MemoryError):
        raise _refused("the source is too complex for Python's compiler", file, source, 0) from None


def parsed(source: str, file: str = "train.py", flags: int = 0, characters: int = CHARACTERS) -> ast.Module:
    """The syntax tree of a source within the limits; SyntaxError for any other."""
    limit(source, file, characters)
    try:
        return compile(source, file, "exec", ast.PyCF_ONLY_AST | flags, dont_inherit=True)
    except (RecursionError, MemoryError):
        raise _refused("the source is too complex for Python's compiler", file, source, 0) from None


def limit(source: str, file: str = "train.py", characters: int = CHARACTERS) -> None:
    """SyntaxError, with the line, where the source is too long or nests too deeply."""
    if len(source) > characters:
        text = "the source has %s characters: at most %s are read" % (f"{len(source):,}", f"{characters:,}")
        raise _refused(text, file, source, 0)
    if "\r" in source:
        source = source.replace("\r\n", "\n").replace("\r", "\n")
    at = too_deep(source)
    if at is not None:
        raise _refused(
            "this line nests more than %d levels deep (brackets, operators, blocks): split it" % DEPTH, file, source, at
        )


@functools.cache
def _patterns() -> tuple[re.Pattern[str], dict[str, re.Pattern[str]], re.Pattern[str], re.Pattern[str]]:
    """TOKEN, REST, TEXT and FORMAT, compiled at the first source, so that no start waits for it."""
    rest = {quote: re.compile(pattern, re.DOTALL) for quote, pattern in REST.items()}
    token = re.compile(TOKEN, re.VERBOSE | re.DOTALL)
    return token, rest, re.compile(TEXT, re.DOTALL), re.compile(FORMAT, re.DOTALL)


def _refused(text: str, file: str, source: str, at: int) -> SyntaxError:
    begin = source.rfind("\n", 0, at) + 1
    return SyntaxError(text, (file, source.count("\n", 0, at) + 1, at - begin + 1, None))


def too_deep(source: str) -> int | None:
    """The position at which the source nests deeper than DEPTH, or None. Lines end with \\n."""
    blocks: list[list[int]] = []  # column and branches of each block that is open
    # Of what is open, innermost last: the sign and the five numbers of what is around it. The sign
    # is a bracket, "f" a formatted string's text, "{f" a field in it, ":" the field's format.
    around: list[tuple[str, int, int, int, int, int]] = []
    quotes: list[str] = []  # of the formatted strings that are open
    sign = ""  # of the innermost
    room = DEPTH  # what is around leaves so many levels
    levels = 0  # of the element: operators and trailers
    inside = 0  # the deepest bracket of the element
    before = 0  # the deepest element before it
    keeps = 0  # commas that begin no element: `for` (from 2^20) and lambdas whose colon has not come
    operand = 0  # the last token: 1 ends an operand, 2 is a string
    line = 0  # where the statement's line begins; -1 behind its first token
    tokens, rests, text, formats = _patterns()
    at, end, match = 0, len(source), tokens.match

    while at < end:
        if sign == "f" or sign == ":":  # in the text of a formatted string
            at = (text if sign == "f" else formats).match(source, at).end()  # pyright: ignore[reportOptionalMemberAccess]
            char, quote = source[at : at + 1], quotes[-1]
            if char == "{" or (char == "}" and sign == ":") or source.startswith(quote, at):
                pass
            elif char == "\n" and len(quote) == 1:
                if sign == "f":
                    return None  # Python reads no further: the string has no end
                char = ""
            else:
                at += 1
                continue
            if char == "{":
                around.append((sign, room, levels, inside, before, keeps))
                sign, room, levels, inside, before, keeps, operand = "{f", room - 1, 0, 0, 0, 0, 0
                at += 1
                if room < 0:
                    return at - 1
                continue
            if char == "}":
                at += 1
                leaves = 2  # the format and its field
            elif char == "":
                leaves = 1
            else:
                at += len(quote)
                leaves = 1
                while sign != "f":  # the field has no end
                    height = max(before, levels + inside) + 1
                    sign, room, levels, inside, before, keeps = around.pop()
                    inside = max(inside, height)
                quotes.pop()
            for _ in range(leaves):
                height = max(before, levels + inside) + 1
                sign, room, levels, inside, before, keeps = around.pop()
                inside = max(inside, height)
            operand = 2
            if levels + inside > room:
                return at - 1
            continue

        found = match(source, at)
        if found is None:
            return None  # white space alone
        kind = found.lastindex or 0  # never 0: each alternative is a group
        at = found.end()
        token = found[kind]
        if kind == LINE_END:
            if not around:
                room = DEPTH
                for block in blocks:
                    room -= BLOCK + block[1]
                levels = inside = before = keeps = operand = 0
                line = at
            continue
        if line >= 0:  # the first token of a statement
            column = _column(source, line, found.start(PREFIX if kind == QUOTE else kind))
            line = -1
            if column is None:
                if not blocks:
                    blocks.append([0, 0])
                block = blocks[0]  # it is reset last
            else:
                while blocks and blocks[-1][0] > column:
                    blocks.pop()
                if not blocks or blocks[-1][0] < column:
                    blocks.append([column, 0])
                block = blocks[-1]
            if token == "elif":
                block[1] += 1
            elif token != "else" and column is not None:
                block[1] = 0
            room = DEPTH
            for block in blocks:
                room -= BLOCK + block[1]
            if room < 0:
                return at - 1
        if kind == WORD:
            if token in OPERATORS:
                levels += 1
                operand = 0
                if token == "lambda":
                    keeps += 1
                elif token == "for" and around:
                    keeps |= 1 << 20
            elif operand or token in STATEMENTS:
                before, levels, inside, keeps = max(before, levels + inside), 0, 0, 0
                operand = 0 if token in STATEMENTS else 1
            else:
                operand = 1
        elif kind == SIGN:
            if token in "([{":
                if operand:
                    levels += 1
                around.append((sign, room, levels, inside, before, keeps))
                sign, room = token, room - levels - 1
                levels = inside = before = keeps = operand = 0
                if room < 0:
                    return at - 1
                continue
            if token in CLOSING:
                operand = 1
                if not around or (sign == "{f") != (token == "}" and sign == "{f"):
                    continue  # Python reads no further: nothing is open, or a field is
                height = max(before, levels + inside) + 1
                sign, room, levels, inside, before, keeps = around.pop()
                inside = max(inside, height)
            elif token == "," and not keeps:
                before, levels, inside, operand = max(before, levels + inside), 0, 0, 0
            elif token in (":", ":=") and sign == "{f":
                at = found.start(SIGN) + 1
                around.append((sign, room, levels, inside, before, keeps))
                sign, room = ":", room - levels - 1
                levels = inside = before = keeps = operand = 0
                if room < 0:
                    return at - 1
                continue
            elif token == "...":
                operand = 1
            else:
                operand = 0
                if token not in FLAT:
                    levels += 1
                elif token == ":" and keeps & 0xFFFFF:
                    keeps -= 1
                elif token == ";" and not around:
                    levels = inside = before = keeps = 0
        elif kind == NUMBER:
            if operand:
                before, levels, inside, keeps = max(before, levels + inside), 0, 0, 0
            operand = 1
        else:  # a string
            if operand == 1:
                before, levels, inside, keeps = max(before, levels + inside), 0, 0, 0
            operand = 2
            prefix = found[PREFIX]
            if "f" in prefix or "F" in prefix or "t" in prefix or "T" in prefix:
                around.append((sign, room, levels, inside, before, keeps))
                quotes.append(token)
                sign, room = "f", room - levels - 1
                levels = inside = before = keeps = 0
            else:
                rest = rests[token].match(source, at)
                if rest is None:
                    return None  # Python reads no further: the string has no end
                at = rest.end()
        if levels + inside > room:
            return at - 1
    return None


def _column(source: str, begin: int, end: int) -> int | None:
    """The column of a statement that begins after this white space; None where a backslash joins
    lines there.
    """
    space = source[begin:end]
    if "\\" in space:
        return None
    if "\t" not in space and "\f" not in space:
        return len(space)
    column = 0
    for char in space:
        column = 0 if char == "\f" else (column // 8 + 1) * 8 if char == "\t" else column + 1
    return column
