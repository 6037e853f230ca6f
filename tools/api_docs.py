"""Writes the API pages, one for each public module, from its docstrings: `python3 -m tools.api_docs
DIR`.

The pages are plain HTML that needs no server and no network. pdoc makes them.
"""

import argparse
import importlib
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PUBLIC = (
    "config", "model", "train", "generate", "nn", "optim", "functional", "schedule", "data", "tokenizer", "corpora",
    "loop", "kernels", "checkpoint", "plot",
)  # fmt: skip
MODULES = ("tinygpt", *("tinygpt." + name for name in PUBLIC))
WITHOUT_DOCSTRING = {"tinygpt.train.train"}  # the page shows this file; its first paragraph says what the function does


def write(folder):
    """Writes the pages into `folder`. Returns the names of the modules."""
    import pdoc

    pdoc.render.configure(show_source=False, footer_text="TinyGPT")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a module that the package's page lists too
        pdoc.pdoc(*MODULES, *("!tinygpt." + name for name in hidden()), output_directory=Path(folder))
    return MODULES


def hidden():
    """The modules in tinygpt.__all__ that are no part of the documented interface."""
    import tinygpt

    return [name for name in tinygpt.__all__ if name not in PUBLIC and type(getattr(tinygpt, name)) is type(sys)]


def undocumented():
    """The full names of public functions and classes without a docstring."""
    import pdoc.doc

    found = []

    def look(owner, members):
        for member in members:
            if member.name.startswith("_") or isinstance(member, (pdoc.doc.Module, pdoc.doc.Variable)):
                continue
            if not member.docstring and member.fullname not in WITHOUT_DOCSTRING:
                found.append(member.fullname)
            if isinstance(member, pdoc.doc.Class):
                look(member, member.own_members)

    for name in MODULES:
        module = pdoc.doc.Module(importlib.import_module(name))
        look(module, module.members.values())
    return sorted(set(found))


def main():
    sys.path.insert(0, str(ROOT / "py"))
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", metavar="DIR")
    folder = Path(parser.parse_args().folder)
    print("%d modules; open %s" % (len(write(folder)), folder / "index.html"))


if __name__ == "__main__":
    main()
