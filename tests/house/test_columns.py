"""Prose has at most 100 columns, code at most 120.

ruff holds Python to both (W505, E501), biome and clang-format hold code to 120. Here: the comments
of the other languages, Markdown, and the code that has no formatter. Out: the places that are too
long.
"""

import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.fast

PROSE, CODE = 100, 120
SLASHES = ("*.js", "*.mjs", "*.ts", "*.jsonc", "*.cpp", "*.h", "*.c", "*.wgsl", "*.css")
HASHES = ("*.sh", "*.yml", "*.toml", "CMakeLists.txt", "Makefile", ".ci/*")
# Built files, the card of the shipped models (generated).
SKIPPED = ("public/ext/", "public/models/", "wasm_ext/contract.h")


def lines(*patterns):
    """(path, line number, line) of the tracked files that match."""
    listed = subprocess.run(["git", "ls-files", "--", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        if not name.startswith(SKIPPED) and (ROOT / name).is_file():
            for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
                yield name, number, line


def comments(found):
    """Those that are comment only: `//` to the end, or a part of a block of /* */. A shader's
    header (`//!`) is code.
    """
    block = False
    for name, number, line in found:
        text = line.strip()
        if block or text.startswith(("//", "/*")) and not text.startswith("//!"):
            yield name, number, line
        if block or text.startswith("/*"):
            block = "*/" not in text


def prose(found):
    """Markdown without code blocks and tables; the target of a link does not count."""
    code = None  # the file whose code block is open
    for name, number, line in found:
        if line.lstrip().startswith("```"):
            code = None if code == name else name
        elif code != name and not line.lstrip().startswith("|"):
            yield name, number, re.sub(r"\]\([^)]*\)", "]()", line)


def too_long(found, columns):
    """A sentence for each line that could be shorter: one word alone (an address) could not."""
    return [
        "%s:%d has %d columns of %d" % (name, number, len(line), columns)
        for name, number, line in found
        if len(line) > columns and len(line.lstrip("/#*- ").split()) > 1
    ]


def test_comments_have_at_most_100_columns():
    assert not too_long(comments(lines(*SLASHES)), PROSE)


def test_comments_of_scripts_have_at_most_100_columns():
    assert not too_long((place for place in lines(*HASHES) if place[2].lstrip().startswith("#")), PROSE)


def test_markdown_has_at_most_100_columns():
    assert not too_long(prose(lines("*.md")), PROSE)


def test_shaders_have_at_most_120_columns():
    plain = (place for place in lines("*.wgsl") if "${" not in place[2] and not place[2].startswith(("#", "//!")))
    assert not too_long(plain, CODE)  # the lines of the template language cannot be cut


def test_the_checks_see_a_line_that_is_too_long():
    long, short = "// " + "word " * 25, "// " + "word " * 15
    places = [("a.js", 1, long), ("a.js", 2, short), ("a.js", 3, "const x = 1; " + long), ("a.js", 4, "/* " + long)]
    assert [n for _, n, _ in comments(places)] == [1, 2, 4]
    assert len(too_long(comments(places), PROSE)) == 2
    markdown = [("a.md", 1, long), ("a.md", 2, "```"), ("a.md", 3, long), ("a.md", 4, "```"), ("a.md", 5, "| " + long)]
    assert [n for _, n, _ in prose(markdown)] == [1]
