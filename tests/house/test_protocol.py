"""One file states every message between page, worker and Python; both sides keep to it.

py/tinygpt_session/protocol.py has the types, app/worker/protocol.js the same ones for the
JavaScript. What the sources send and handle is read with `ast` and, for the JavaScript, from the
text.
"""

import ast
import importlib.util
import re
from pathlib import Path

import pytest

from tools import protocol_types

pytestmark = pytest.mark.fast
ROOT = Path(__file__).resolve().parents[2]
PROTOCOL = protocol_types.read()
SESSION = sorted((ROOT / "py" / "tinygpt_session").rglob("*.py"))
PACKAGE = sorted((ROOT / "py" / "tinygpt").rglob("*.py"))
WORKER = sorted((ROOT / "app" / "worker").glob("*.js"))
PAGE = sorted((ROOT / "app").rglob("*.js"))


def by_type(union):
    """{"step": {field: Field}} of the messages of a union."""
    return {PROTOCOL.messages[name]["type"].type.strip('"'): PROTOCOL.messages[name] for name in PROTOCOL.unions[union]}


TRAINING, TO_WORKER, TO_PAGE = by_type("TrainingMessage"), by_type("PageMessage"), by_type("WorkerMessage")


def wrong(given, spread, fields, place):
    """Sentences on the fields that a message has too many or too few. spread: it may have more than
    are seen here.
    """
    required = {name for name, entry in fields.items() if not entry.optional}
    out = ["%s: the field %s is not stated" % (place, name) for name in sorted(given - fields.keys())]
    return out + ["%s: the field %s is missing" % (place, name) for name in sorted(required - given) if not spread]


def place(path, line):
    return "%s:%d" % (path.relative_to(ROOT), line)


# ---- the two files ----


def test_both_files_state_the_same_messages():
    written = protocol_types.TARGET.read_text(encoding="utf-8")
    assert written == protocol_types.written(PROTOCOL), "run python3 -m tools.protocol_types"


def test_the_typedefs_have_the_fields_of_the_classes():
    """The same by another way: the text of protocol.js against the classes that Python makes."""
    spec = importlib.util.spec_from_file_location("protocol", protocol_types.SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    classes = {
        name: {key: key in cls.__optional_keys__ for key in cls.__annotations__}
        for name, cls in vars(module).items()
        if hasattr(cls, "__optional_keys__") and name not in ("Call", "Requests")
    }
    typedefs = {}
    for block in re.findall(r"/\*\*(.*?)\*/", protocol_types.TARGET.read_text(encoding="utf-8"), re.S):
        if found := re.search(r"@typedef \{(?:object|\{\})\} (\w+)", block):
            fields = re.findall(r"@property \{.*\} (\[?\w+\]?)(?:  .*)?$", block, re.M)
            typedefs[found[1]] = {field.strip("[]"): field.startswith("[") for field in fields}
    assert typedefs == classes and len(typedefs) > 50
    assert set(module.Requests.__annotations__) == set(PROTOCOL.requests)


def test_the_kinds_of_records_have_the_same_numbers_on_both_sides():
    python = dict(zip(*kinds_in_python()))
    text = (ROOT / "app" / "worker" / "channel.js").read_text(encoding="utf-8")
    block = re.search(r"export const (STDOUT = .*?);", text, re.S)[1]
    javascript = {name: int(number) for name, number in re.findall(r"(\w+) = (\d+)", block)}
    assert javascript.pop("REQUEST") not in python.values(), "a record that only Python reads"
    assert javascript == python


def kinds_in_python():
    tree = ast.parse((ROOT / "py" / "tinygpt_session" / "output_channel.py").read_text(encoding="utf-8"))
    node = next(n for n in tree.body if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Tuple))
    return [t.id for t in node.targets[0].elts], [v.value for v in node.value.elts]


# ---- what Python sends and answers ----


def dictionary(node):
    """(fields, {field: node}, spread) of `{...}` or `dict(...)`; None of anything else."""
    if isinstance(node, ast.Dict):
        pairs = {k.value: v for k, v in zip(node.keys, node.values) if isinstance(k, ast.Constant)}
        return set(pairs), pairs, None in node.keys
    if isinstance(node, ast.Call) and (ast.unparse(node.func) == "dict" or ast.unparse(node.func).endswith(".send")):
        pairs = {k.arg: k.value for k in node.keywords if k.arg}
        return set(pairs), pairs, len(pairs) < len(node.keywords)
    return None


def training_messages():
    """(path, line, type, fields, spread) of each training message in the sources."""
    for path in (*SESSION, *PACKAGE):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            written = name == "host.write" and ast.unparse(node.args[0]) == "TRAINING"
            if written and isinstance(node.args[1], ast.Call):
                node = node.args[1].args[0]
            elif not name.endswith(".send") and name != "dict":
                continue
            found = dictionary(node)
            if found and isinstance(found[1].get("type"), ast.Constant):
                yield path, node.lineno, found[1]["type"].value, found[0], found[2]


def test_python_sends_the_training_messages_with_their_fields():
    seen, problems = set(), []
    for path, line, kind, fields, spread in training_messages():
        seen.add(kind)
        stated = TRAINING.get(kind)
        # a step's message gets the numbers of the device later, so its optional fields are not here
        problems += wrong(fields, spread, stated, place(path, line)) if stated else [place(path, line) + ": " + kind]
    assert not problems
    assert seen == set(TRAINING)


def test_python_writes_the_records_of_an_answer():
    stated = [PROTOCOL.messages[name] for name in PROTOCOL.unions["AnswerRecord"]]
    found = []
    for path in SESSION:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and [ast.unparse(a) for a in node.args[:1]] == ["ANSWER"]:
                fields, _, spread = dictionary(node.args[1].args[0])
                fitting = [s for s in stated if not wrong(fields, spread, s, "") and (spread or fields == s.keys())]
                assert fitting, place(path, node.lineno)
                found += fitting[:1]
    assert found == stated


def handlers():
    """{request: (path, function, deferred)} of each `@handles("name")`."""
    out = {}
    for path in SESSION:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for decorator in getattr(node, "decorator_list", ()):
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).split(".")[-1] == "handles":
                    name = decorator.args[0].value
                    assert name not in out, "%s has two handlers" % name
                    out[name] = path, node, bool(decorator.keywords)
    return out


def test_every_request_has_a_handler_with_the_types_that_are_stated():
    """pyright holds what the handler reads and returns to these types."""
    found = handlers()
    assert set(found) == set(PROTOCOL.requests)
    for name, (path, function, deferred) in found.items():
        args, answer, part = (re.sub(r"protocol\.", "", text) for text in PROTOCOL.annotations[name])
        taken = [re.sub(r"protocol\.", "", ast.unparse(a.annotation)) for a in function.args.args]
        given = re.sub(r"protocol\.", "", ast.unparse(function.returns))
        stated = [
            args,
            "dispatch.Answer" if deferred else "object" if part == "None" else "Callable[[%s], None]" % part,
        ]
        assert (taken, given) == (stated, "object" if deferred else answer), place(path, function.lineno)


# ---- what the JavaScript sends and handles ----

STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')
COMMENT = re.compile(r"/\*.*?\*/|(?<![:\"'`])//[^\n]*", re.S)


def literal(text, start):
    """(fields, spread) of the object literal that begins at text[start]."""
    depth, piece, pieces = 0, "", []
    for i in range(start, len(text)):
        c = text[i]
        if c in "{[(":
            depth += 1
            piece += c if depth > 1 else ""
        elif c in "}])":
            depth -= 1
            if not depth:
                break
            piece += c
        elif c == "," and depth == 1:
            pieces.append(piece)
            piece = ""
        else:
            piece += c
    pieces = [p.strip() for p in (*pieces, piece) if p.strip()]
    names = {re.match(r"[\w$]+", p)[0] for p in pieces if not p.startswith("...")}
    return names, any(p.startswith("...") for p in pieces)


def test_a_literal_is_read_with_what_it_nests():
    assert literal("x({ a, b: { c: 1 }, ...d, e: f(1, 2) })", 2) == ({"a", "b", "e"}, True)


def posted():
    """(path, line, type, fields, spread) of each message that the page or the worker posts."""
    for path in WORKER:
        text = COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), path.read_text(encoding="utf-8"))
        for found in re.finditer(r'\{\s*type: "(\w+)"', text):
            before = text[: found.start()].rstrip()
            if before.endswith(("post(", "postMessage(", "const boot =")):
                yield path, text.count("\n", 0, found.start()) + 1, found[1], *literal(text, found.start())


def test_page_and_worker_post_their_messages_with_their_fields():
    seen, problems = {True: set(), False: set()}, []
    for path, line, kind, fields, spread in posted():
        from_page = path.name == "session.js"
        stated = (TO_WORKER if from_page else TO_PAGE).get(kind)
        seen[from_page].add(kind)
        problems += wrong(fields, spread, stated, place(path, line)) if stated else [place(path, line) + ": " + kind]
    assert not problems
    assert seen == {True: set(TO_WORKER), False: set(TO_PAGE)}


@pytest.mark.parametrize("file, stated", [("session.js", TO_PAGE), ("worker.js", TO_WORKER)])
def test_each_message_is_handled_at_the_other_end(file, stated):
    text = (ROOT / "app" / "worker" / file).read_text(encoding="utf-8")
    assert set(re.findall(r'data\.type === "(\w+)"', text)) == set(stated)


def test_the_page_requests_what_is_stated_with_its_arguments():
    seen, problems = set(), []
    for path in PAGE:
        text = path.read_text(encoding="utf-8")
        for found in re.finditer(r'(?<!files)\.(request|ask)\(\s*"([\w ]+)"(?:,\s*(\{))?', text):
            name, line = found[2], text.count("\n", 0, found.start()) + 1
            if path.parent.name == "speed":
                name = "measure " + name  # through its own `ask`
            if name not in PROTOCOL.requests:
                problems.append("%s: the request %r is not stated" % (place(path, line), name))
                continue
            seen.add(name)
            fields, spread = literal(text, found.start(3)) if found[3] else (set(), True)
            spread = spread or path.parent.name == "speed"
            problems += wrong(fields, spread, PROTOCOL.messages[PROTOCOL.requests[name][0]], place(path, line))
    assert not problems
    # what else is requested has its name in a variable
    assert set(PROTOCOL.requests) - seen <= {"check"}


def test_the_page_takes_the_fields_of_training_messages():
    found = 0
    for path in PAGE:
        for kind, fields in re.findall(
            r"^  on_(\w+)\((?:\{([^}]*)\}|\w*)\) \{", path.read_text(encoding="utf-8"), re.M
        ):
            assert kind in TRAINING, place(path, 1) + ": on_" + kind
            names = {re.match(r"\w+", part.strip())[0] for part in fields.split(",") if part.strip()}
            assert names <= TRAINING[kind].keys(), "%s: on_%s" % (path.name, kind)
            found += 1
    assert found >= len(TRAINING)
