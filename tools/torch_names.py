"""Writes py/tinygpt/torch/names.py, PyTorch's public names, from the PyTorch that is installed, and
docs/torch.md, what of them is here: `python3 -m tools.torch_names`.
"""

import importlib
import inspect
import sys
import textwrap
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAMES = ROOT / "py" / "tinygpt" / "torch" / "names.py"
PAGE = ROOT / "docs" / "torch.md"
NAMESPACES = (
    "torch", "torch.Tensor", "torch.nn", "torch.nn.Module", "torch.nn.functional", "torch.nn.init", "torch.nn.utils",
    "torch.nn.utils.rnn", "torch.nn.utils.parametrize", "torch.nn.utils.parametrizations", "torch.nn.attention",
    "torch.optim", "torch.optim.lr_scheduler", "torch.optim.swa_utils", "torch.utils.data", "torch.utils.checkpoint",
    "torch.linalg", "torch.special", "torch.autograd", "torch.autograd.functional", "torch.func", "torch.distributions",
    "torch.random", "torch.amp", "torch.cuda", "torch.backends", "torch.distributed", "torch.testing",
)  # fmt: skip


def public(name):
    """The names that a user of PyTorch finds in a namespace, sorted."""
    import torch

    warnings.simplefilter("ignore", FutureWarning)  # names that PyTorch deprecates
    for namespace in NAMESPACES:  # PyTorch imports some at their first use: its own names then have them
        if namespace.rpartition(".")[2] not in ("Tensor", "Module"):
            importlib.import_module(namespace)
    parts = name.split(".")
    owner = torch
    for depth, part in enumerate(parts[1:], 2):
        owner = getattr(owner, part, None) or importlib.import_module(".".join(parts[:depth]))
    members = getattr(owner, "__all__", None) if name != "torch" else None
    found = []
    for member in sorted(set(members or dir(owner))):
        value = inspect.getattr_static(owner, member, None)
        if member.startswith("_") or value is None and member not in vars(owner):
            continue
        home = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None)
        if inspect.ismodule(owner) and not members:
            written = home.startswith("torch") if isinstance(home, str) else not inspect.isclass(value)
            if not written or member == "TYPE_CHECKING" or (home or "").startswith("torch._C") and "." in name:
                continue
        found.append(member)
    return found


def names_module():
    """The text of names.py."""
    lines = [
        '"""PyTorch\'s public names, by namespace: which words an AttributeError explains, and what',
        "docs/torch.md lists. Written by `python3 -m tools.torch_names`; do not edit.",
        '"""',
        "",
        "NAMES = {",
    ]
    for namespace in NAMESPACES:
        lines.append('    "%s": """' % namespace)
        lines += textwrap.wrap(" ".join(public(namespace)), 112, initial_indent=" " * 8, subsequent_indent=" " * 8)
        lines.append('    """.split(),')
    return "\n".join([*lines, "}", ""])


def page():
    """The text of docs/torch.md."""
    sys.path.insert(0, str(ROOT / "py"))
    from tinygpt.torch import table

    out = [
        "# What of PyTorch is here",
        "",
        "`import torch` in the page, or `python -m tinygpt.torch FILE`, runs PyTorch code on TinyGPT. This",
        "page lists each public name of PyTorch 2.13: *here* means the same value, dtype, gradient and error;",
        "*limited* says how it differs; a *stub* does what it honestly can on this host; a name that is *not",
        "here* raises an AttributeError with a sentence. An argument is accepted where it has PyTorch's",
        "default or cannot change a result; any other raises by name. `out=`, complex and sparse tensors are",
        "not here. Random numbers of a CPU are those of PyTorch's CPU generator for the same seed; those of a",
        "GPU are Philox's.",
        "",
        "In the page each `optimizer.step()` is a step, at which Pause, Stop and edits take hold. The chart",
        "shows the value of the tensor on which `backward()` was called last, so a training loss that is",
        "printed or read with `item()` is there already. A printed line that names a validation loss is an",
        "evaluation: one of the words val, valid, validation, test, eval, dev, perhaps *set*, perhaps",
        "*average*, perhaps *loss* (mse, nll, ce, bce), and a number with a decimal point or an exponent",
        "(`val loss 1.23`, `Test set: Average loss: 0.05`, `| valid loss  5.43 |`). A scalar of",
        "`SummaryWriter.add_scalar` or `wandb.log` is a line of its own under its tag, at the step that was",
        "made last; at most 16 tags are drawn. Autosave keeps the state_dicts of the modules whose parameters",
        "the optimizers update, and of the optimizers, by their names in the program; Runs has them as a file",
        "for `torch.load`. A program begins anew at each Run.",
        "",
        "Written by `python3 -m tools.torch_names`.",
    ]
    for namespace in NAMESPACES:
        entries = table.entries(namespace)
        out += ["", "## %s" % namespace, ""]
        here = [name for name, (status, _) in entries.items() if status == "same"]
        gone = [name for name, (status, said) in entries.items() if status == "absent" and not said]
        if here:
            out += textwrap.wrap("**Here:** " + ", ".join("`%s`" % n for n in here), 100, break_on_hyphens=False) + [""]
        for title, wanted in (("Limited", "limited"), ("Stubs", "stub"), ("Not here", "absent")):
            told = [(name, said) for name, (status, said) in entries.items() if status == wanted and said]
            if told:
                out += ["**%s:**" % title, ""]
                for name, said in told:
                    out += textwrap.wrap("- `%s`: %s" % (name, said), 100, subsequent_indent="  ")
                out.append("")
        if gone:
            out += textwrap.wrap("**Not here:** " + ", ".join("`%s`" % n for n in gone), 100, break_on_hyphens=False)
            out.append("")
    return "\n".join(out).rstrip() + "\n"


if __name__ == "__main__":
    texts = {NAMES: names_module(), PAGE: page()}
    if sys.argv[1:] == ["--check"]:  # in a process of its own: what is imported changes PyTorch's names
        sys.exit(
            " ".join("%s has changed" % path.name for path, text in texts.items() if path.read_text() != text) or 0
        )
    for path, text in texts.items():
        path.write_text(text)
