"""Writes README.md's tree from the first sentence of every file: `python3 -m tools.readme_tree`.

In: the files that git tracks. Out: the block below "## The tree". A folder's sentence is its
`__init__.py`'s; the test folders are listed without their files.
"""

import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
WIDTH = 100
COLUMN = 29  # of the sentences, where a name leaves the room

# In the order of the README; the files of each folder follow its sentence.
FOLDERS = {
    "": "",
    "py/tinygpt/": "",
    "py/tinygpt_session/": "",
    "app/": "The page: HTML, JavaScript and styles, as the browser loads them.",
    "shaders/": "The WGSL kernels, one file per family (shaders/README.md has the table).",
    "wasm_ext/": "The C++ extension (wasm_ext/README.md: builds, paths, rules of the kernels).",
    "reference/": "",
    "tools/": "",
    "typings/": "Stubs of the modules that exist in Pyodide or in the page only.",
    "public/": "What the page loads besides: icons, datasets, models/, ext/ (the built extension).",
    "docs/": "",
    "tests/": "",
}
SHALLOW = ("public/", "typings/", "tests/")  # only the sentences of their folders
# Files whose format has no place for a sentence, or whose first line says something else.
SENTENCES = {
    "pyproject.toml": "the package; pinned test packages; ruff, pyright, pytest",
    "package.json": "pinned: what the page needs, and what tests and lint need besides",
    "LICENSE": "MIT",
    "docs/architecture.md": "how it is put together, and why",
    "docs/browsers.md": "what each browser engine has and does, by the last `python3 -m tests.engines`",
    "docs/embed.md": "`window.tinygpt`: the page in a page of your own",
    "docs/format.md": ".tinygpt files",
    "docs/performance.md": "the last `make bench`, and what bounds it",
    "docs/security.md": "the attacks that were tried, by the last `python3 -m tests.security`",
    "CONTRIBUTING.md": "three worked examples: a kernel, a panel, a request",
    "SECURITY.md": "the threat model",
    "CHANGELOG.md": "what changed",
}
HIDDEN = re.compile(r"(^|/)(\.(git|clang).*|__init__\.py|MANIFEST\.in|.*\.(md|png|json|svg|css|txt))$")
COMMENT = re.compile(r"^\s*(///?|#|/\*+|<!--|\*)\s?")


def tracked():
    """The paths that git tracks, and new ones that it does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return sorted({path for path in listing if path and (ROOT / path).is_file()})


def opening(path):
    """The first sentence of a file: of its docstring, comment or description."""
    if path in SENTENCES:
        return SENTENCES[path]
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    if path.endswith(".html"):
        found = re.search(r'<meta name="description" content="([^"]*)|<title>([^<]*)', "\n".join(lines))
        return (found[1] or found[2]) if found else ""
    text = []
    for line in lines:
        if line.startswith("#!") or (not text and not line.strip("/*#<!- \t")):
            continue
        if path.endswith(".py"):
            line = line.strip().removeprefix('"""')
            text.append(line.removesuffix('"""'))
            if not text[-1] or line.endswith('"""'):
                break
        elif COMMENT.match(line):
            text.append(COMMENT.sub("", line).removesuffix("-->").removesuffix("*/"))
        else:
            break
    joined = " ".join(" ".join(text).split())
    return re.split(r"(?<!et al)[.] (?=[A-Z`*'\"(]|$)", joined + " ", maxsplit=1)[0].strip()


def fitted(sentence, width):
    """The sentence in `width` columns: cut at a clause, else at a word."""
    sentence = sentence.rstrip(".:")
    if len(sentence) <= width:
        return sentence
    clauses = [m.start() for m in re.finditer(r"[,;:] | \(", sentence) if width // 4 < m.start() <= width]
    return sentence[: clauses[-1]] if clauses else sentence[: sentence.rindex(" ", 0, width - 1)] + " …"


def row(name, sentence):
    gap = max(COLUMN - len(name), 2)
    return (name + " " * gap + fitted(sentence, WIDTH - len(name) - gap)).rstrip()


def tree():
    """The text of the block."""
    files, out = tracked(), []
    for folder, sentence in FOLDERS.items():
        inside = [f for f in files if f.startswith(folder) and (folder or "/" not in f or f.startswith(".ci/"))]
        if folder:
            inits = [f for f in inside if f == folder + "__init__.py"]
            out += ["", row(folder, sentence or (opening(inits[0]) if inits else ""))]
        if folder in SHALLOW:
            for init in [f for f in inside if f.endswith("/__init__.py") and f.count("/") == folder.count("/") + 1]:
                out.append(row("  " + init.removeprefix(folder).removesuffix("__init__.py"), opening(init)))
            continue
        own = [f for f in inside if f in SENTENCES or not HIDDEN.search(f)]
        names = [f.removeprefix(folder) for f in own]
        for name in sorted(names, key=lambda name: (bool(folder) and "/" in name, name)):
            out.append(row(("  " if folder else "") + name, opening(folder + name)))
    return "\n".join(out)


def replaced(text):
    """README's text with the block as it should be."""
    head, rest = text.split("## The tree", 1)
    return "%s## The tree\n\n```\n%s\n```%s" % (head, tree(), rest.split("```", 2)[2])


if __name__ == "__main__":
    README.write_text(replaced(README.read_text(encoding="utf-8")), encoding="utf-8")
    print("README.md has the tree of %d files" % tree().count("\n"))
