"""The small template language of shaders/*.wgsl, and the WGSL module that comes out of it.

A file is shared text, then sections (`//! shader NAME`) with a header each (`//! buffers`, `//!
params`). A line that begins with `#if EXPR`, `#elif EXPR`, `#else`, `#for x in EXPR`, `#end`, `#let
x = EXPR` (a define from here on) or `#include FILE` steers the expansion, `${EXPR}` is replaced;
EXPR is Python over the defines.
shaders/README.md describes the header; `module` adds what every shader begins with: bindings,
uniforms, prelude.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Defines = tuple[tuple[str, Any], ...]  # sorted by name
    Bound = tuple[str, str, str, str]  # name, type, name of the buffer whose binding it shares, access


FOLDERS = (Path(__file__).parents[2] / "shaders", Path(__file__).parents[4] / "shaders")  # in a package, in a checkout
# What an array is declared of, where it is not what the header says. `i8`: bytes in words, offsets
# count bytes.
TYPES = {"i8": "u32"}
SIZES = {"f32": 4, "i32": 4, "u32": 4, "vec4<f32>": 16, "vec4<u32>": 16, "vec4<i32>": 16, "vec2<u32>": 8,
         "vec2<f32>": 8, "atomic<u32>": 4, "atomic<i32>": 4, "i8": 1, "atomic<i8>": 1}  # fmt: skip


class Section(NamedTuple):
    """One shader of a file: its header's buffers and params as written, and its text."""

    name: str
    buffers: str
    params: str
    text: str


class Field(NamedTuple):
    """A buffer of a shader. access: "r" or "w". type: of its elements, in WGSL."""

    name: str
    access: str
    type: str
    optional: bool


PRELUDE = """
// The linear index of a workgroup: a dispatch above 65535 is folded into two dimensions, and may then
// have a few workgroups too many.
fn group_index(wid: vec3u, nwg: vec3u) -> u32 { return wid.x + wid.y * nwg.x; }
fn is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
var<private> nan_bits: u32 = 0x7fc00000u;  // not constants: WGSL refuses to compile a constant NaN
var<private> inf_bits: u32 = 0x7f800000u;
fn nan() -> f32 { return bitcast<f32>(nan_bits); }
fn inf() -> f32 { return bitcast<f32>(inf_bits); }
"""
# What a module must enable for words in its code; comments enable nothing.
ENABLES = (
    (r"\bsubgroup(?!_matrix|Matrix)", "subgroups"),
    (r"\bf16\b", "f16"),
    (r"\bsubgroup_matrix", "chromium_experimental_subgroup_matrix"),
)


@functools.cache
def read(file: str) -> tuple[str, dict[str, Section]]:
    """(shared text, {section name: Section}) of shaders/<file>.wgsl."""
    for folder in FOLDERS:
        path = folder / (file + ".wgsl")
        if path.is_file():
            break
    else:
        raise FileNotFoundError("there is no shader file %s.wgsl" % file)
    shared, *rest = re.split(r"^//! shader ", path.read_text(), flags=re.M)
    sections: dict[str, Section] = {}
    for text in rest:
        name, _, text = text.partition("\n")
        header = {"buffers": "", "params": ""}
        for kind, line in re.findall(r"^//! (buffers|params) (.*)$", text, flags=re.M):
            header[kind] += " " + line
        sections[name.strip()] = Section(name.strip(), header["buffers"], header["params"], text)
    return shared, sections


class _Names(dict[str, Any]):
    """The defines; an unknown name is False, so that an optional buffer or feature is a flag."""

    def __missing__(self, name: str) -> Any:
        if name in _BUILTINS:
            return _BUILTINS[name]
        return False


_BUILTINS: dict[str, Any] = {
    f.__name__: f for f in (range, len, min, max, int, float, str, repr, enumerate, zip, abs, hex)
}


def _value(x: object, expression: str) -> str:
    if x is False or x is None:
        raise ValueError("a shader names %r, which has no value" % expression)
    return str(x)


@functools.lru_cache(maxsize=256)
def _program(text: str) -> Any:
    """The template as a code object that calls `_out` for every line."""
    lines: list[str] = []
    depth = 0
    for line in text.split("\n"):
        found = re.match(r"\s*#(if|elif|else|for|end|let)\b\s*(.*)$", line)
        if found:
            word, rest = found.groups()
            if word == "end":
                depth -= 1
                continue
            if word == "let":
                lines.append("  " * depth + rest)
                continue
            if word in ("elif", "else"):
                depth -= 1
            lines.append("%s%s%s:" % ("  " * depth, word, " " + rest if rest else ""))
            depth += 1
            lines.append("  " * depth + "pass")
            continue
        parts = re.split(r"\$\{([^}]*)\}", line)
        pieces = [repr(p) if i % 2 == 0 else "_value(%s, %r)" % (p, p) for i, p in enumerate(parts) if i % 2 or p]
        lines.append("%s_out(%s)" % ("  " * depth, " + ".join(pieces) or "''"))
    if depth:
        raise ValueError("a shader template has an #if or #for without #end")
    return compile("\n".join(lines), "<shader>", "exec")


def expand(text: str, defines: Mapping[str, Any]) -> str:
    """The text with its directives carried out."""
    out: list[str] = []
    names = _Names(defines)
    names["_out"], names["_value"] = out.append, _value
    exec(_program(_included(text)), {}, names)
    return "\n".join(out)


def _included(text: str, seen: set[str] | None = None) -> str:
    seen = set() if seen is None else seen

    def insert(found: re.Match[str]) -> str:
        name = found.group(1)
        if name in seen:
            return ""
        seen.add(name)
        return _included(read(name)[0], seen)

    return re.sub(r"^\s*#include (\w+)\s*$", insert, text, flags=re.M)


def section(shader: str) -> tuple[str, Section]:
    """(shared text, Section) of "file.section"."""
    file, name = shader.split(".")
    shared, sections = read(file)
    if name not in sections:
        raise KeyError("shaders/%s.wgsl has no section %r" % (file, name))
    return shared, sections[name]


@functools.lru_cache(maxsize=1024)
def header(shader: str, defines: Defines) -> tuple[list[Field], list[tuple[str, str]]]:
    """([Field] of buffers, [(name, type)] of params) for defines given as a sorted tuple of
    pairs."""
    _, chosen = section(shader)
    names = dict(defines)
    buffers: list[Field] = []
    for word in expand(chosen.buffers, names).split():
        name, access, kind = word.split(":")
        buffers.append(Field(name.rstrip("?"), access, kind, name.endswith("?")))
    pairs = (word.partition(":") for word in expand(chosen.params, names).split())
    params = [(name, kind) for name, _, kind in pairs]
    return buffers, params


def module(shader: str, defines: Defines, bound: Sequence[Bound]) -> str:
    """WGSL of "file.section" for defines (a sorted tuple of pairs).

    bound: for each buffer that is given, in order: (name, type, name of the buffer whose binding it
    shares or its own, "r" or "w").
    """
    shared, chosen = section(shader)
    names = dict(defines)
    for name, *_ in bound:
        names[name] = True
    _, params = header(shader, defines)
    body = expand(shared + "\n" + chosen.text, names)
    for name, _, owner, _ in bound:
        if owner != name:
            body = re.sub(r"\b%s\[" % name, owner + "[", body)
    code = re.sub(r"//.*", "", body)
    out = ["enable %s;" % feature for word, feature in ENABLES if re.search(word, code)]
    fields = ["%s: u32" % name for name, *_ in bound] + ["%s: %s" % pair for pair in params]
    out.append("struct Parameters { %s }" % ", ".join(fields))
    out.append("@group(0) @binding(0) var<uniform> P: Parameters;")
    at = 1
    for name, kind, owner, access in bound:
        if owner == name:
            kind = kind.replace("i8", "u32")
            out.append(
                "@group(0) @binding(%d) var<storage, %s> %s: array<%s>;"
                % (at, "read_write" if access == "w" else "read", name, kind)
            )
            at += 1
    return "\n".join(out) + PRELUDE + body
