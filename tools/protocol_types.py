"""Writes the types of app/worker/protocol.js: `python3 -m tools.protocol_types`.

In: the TypedDicts, unions and requests of py/tinygpt_session/protocol.py, read with `ast`. Out: a
JSDoc typedef for each, with the same fields; a field's comment becomes its description.
"""

import ast
import pathlib
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parents[1]
SOURCE = ROOT / "py" / "tinygpt_session" / "protocol.py"
TARGET = ROOT / "app" / "worker" / "protocol.js"

HEAD = """\
// @ts-check
// Every message between the page, its worker and Python, with its fields: the types alone.
//
// `python3 -m tools.protocol_types` writes this file from py/tinygpt_session/protocol.py.
"""
NAMES = {"str": "string", "int": "number", "float": "number", "bool": "boolean", "Any": "any", "object": "unknown"}
NOT_OURS = ("SharedArrayBuffer", "Uint8Array")  # types of JavaScript


@dataclass
class Field:
    type: str  # of JavaScript
    optional: bool
    comment: str


@dataclass
class Protocol:
    """What protocol.py states. messages: {name: {field: Field}}; requests: {name: (args, answer,
    part) as JavaScript's types}.
    """

    messages: dict = field(default_factory=dict)
    documentation: dict = field(default_factory=dict)
    unions: dict = field(default_factory=dict)  # name -> names of messages
    requests: dict = field(default_factory=dict)
    annotations: dict = field(default_factory=dict)  # requests as Python annotates them


def js_type(node):
    """A Python annotation as JavaScript's type."""
    match node:
        case ast.Constant(value=None):
            return "null"
        case ast.Name(id=name):
            return NAMES.get(name, name)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return "%s | %s" % (js_type(left), js_type(right))
        case ast.Subscript(value=ast.Name(id="Literal"), slice=values):
            items = values.elts if isinstance(values, ast.Tuple) else [values]
            return " | ".join(_literal(item.value) for item in items)
        case ast.Subscript(value=ast.Name(id="list"), slice=item):
            return "Array<%s>" % js_type(item)
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=items)):
            return "[%s]" % ", ".join(map(js_type, items))
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[key, value])):
            return "Record<%s, %s>" % (js_type(key), js_type(value))
    raise ValueError("protocol.py:%d: no type of JavaScript for %s" % (node.lineno, ast.unparse(node)))


def _literal(value):
    return str(value).lower() if isinstance(value, bool) else '"%s"' % value


def read(text=None):
    """The Protocol of protocol.py."""
    text = SOURCE.read_text(encoding="utf-8") if text is None else text
    lines, out = text.splitlines(), Protocol()
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef) and node.name != "Call":
            fields = {}
            for base in node.bases:
                fields.update(out.messages.get(ast.unparse(base), {}))
            for entry in node.body:
                if isinstance(entry, ast.AnnAssign):
                    fields[ast.unparse(entry.target)] = _field(entry, lines[entry.lineno - 1])
            out.messages[node.name] = fields
            out.documentation[node.name] = ast.get_docstring(node) or ""
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.target) not in NOT_OURS:
            out.unions[ast.unparse(node.target)] = js_type(node.value).split(" | ")
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "Requests":
            table = node.value.args[1]
            for key, value in zip(table.keys, table.values):
                out.requests[key.value] = tuple(map(js_type, value.slice.elts))
                out.annotations[key.value] = tuple(map(ast.unparse, value.slice.elts))
    return out


def _field(entry, line):
    annotation, optional = entry.annotation, False
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "NotRequired":
        annotation, optional = annotation.slice, True
    return Field(js_type(annotation), optional, line.partition("  # ")[2])


def written(protocol):
    """The text of protocol.js."""
    out = [HEAD]
    for name, fields in protocol.messages.items():
        out.append("/**")
        if protocol.documentation[name]:
            out += [" * " + protocol.documentation[name], " *"]
        if not fields:
            out.append(" * @typedef {{}} %s" % name)
        else:
            out.append(" * @typedef {object} %s" % name)
        for key, entry in fields.items():
            shown = "[%s]" % key if entry.optional else key
            out.append((" * @property {%s} %s  %s" % (entry.type, shown, entry.comment)).rstrip())
        out += [" */", ""]
    for name, members in protocol.unions.items():
        out += ["/**", " * @typedef {"] + [" *   | %s" % member for member in members] + [" * } %s" % name, " */", ""]
    out += [
        "/**",
        " * The types of each request: its arguments, its answer, a part that comes ahead of the answer.",
        " *",
    ]
    out += [" * @typedef {{"]
    out += [
        ' *   "%s": { args: %s, answer: %s, part: %s },' % (name, *types) for name, types in protocol.requests.items()
    ]
    out += [" * }} Requests", " */", "", "export {};", ""]
    return "\n".join(out)


if __name__ == "__main__":
    TARGET.write_text(written(read()), encoding="utf-8")
