"""A program of plain PyTorch code in the page's session, natively: what autosave keeps of it, and
which step() is a step.
"""

import importlib
import io
import json
import pkgutil
import sys
import textwrap
import types
from pathlib import Path

import pytest
import torch

import __main__
import tinygpt.torch
import tinygpt.torch.utils.tensorboard
from tinygpt.torch.front import enter, leave

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.fast
leave()  # the import has switched PyTorch's meaning on, and tests of other folders may come first
TRAINING = 3


class Session:
    """The session's module torch_program, and the messages that it has sent."""

    def __init__(self, module, sent):
        self.module, self.sent = module, sent

    def run(self, source, status="finished"):
        """Runs a program as the editor does; returns its globals."""
        source = textwrap.dedent(source)
        before, __main__.__dict__["torch"] = dict(__main__.__dict__), tinygpt.torch
        self.module.begin(source, "train.py")
        try:
            exec(compile(source, "train.py", "exec"), __main__.__dict__)
            return dict(__main__.__dict__)
        finally:
            self.module.end({"status": status})
            __main__.__dict__.clear()
            __main__.__dict__.update(before)

    def messages(self, kind):
        return [message for message in self.sent if message["type"] == kind]

    def saved(self):
        """What autosave keeps, as PyTorch reads it."""
        return torch.load(io.BytesIO(self.module.kept.saved()), weights_only=True)


@pytest.fixture
def session(monkeypatch, tmp_path):
    """The module in a package without the parts of the page that need Pyodide."""
    sent = []

    def write(kind, text):
        if kind == TRAINING:
            sent.append(json.loads(text))

    names = {"isolated": True, "write": write, "hasRequests": lambda: False, "flush": lambda: None}
    host = types.SimpleNamespace(**names)
    ffi = types.SimpleNamespace(can_run_sync=lambda: False, run_sync=None)
    package = types.ModuleType("session_without_page")
    # As installed code, which a recording takes as constant.
    (tmp_path / "site-packages").symlink_to(ROOT / "py" / "tinygpt_session")
    package.__path__ = [str(tmp_path / "site-packages")]
    modules = {
        "tinygpt_host": host,
        "pyodide": types.SimpleNamespace(ffi=ffi),
        "pyodide.ffi": ffi,
        "js": types.SimpleNamespace(XMLHttpRequest=None, Object=None),
        "pyodide_js": types.SimpleNamespace(checkInterrupt=lambda: None),
        "session_without_page": package,
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    before = set(sys.modules)
    from session_without_page import torch_program

    backward = tinygpt.torch.Tensor.backward
    lists = tinygpt.torch.optim.on_step, tinygpt.torch.utils.tensorboard.on_scalar
    heard = [list(functions) for functions in lists]
    enter()
    torch_program.attach()
    yield Session(torch_program, sent)
    for functions, before_it in zip(lists, heard):
        functions[:] = before_it
    tinygpt.torch.Tensor.backward = backward
    leave()
    for name in set(sys.modules) - before:
        if name.startswith("session_without_page."):
            del sys.modules[name]


def test_every_feature_is_imported_with_the_first_request(session):
    from session_without_page import features

    for module in pkgutil.iter_modules(features.__path__):
        importlib.import_module("session_without_page.features." + module.name)
    from session_without_page import dispatch

    assert {"export", "import", "place program", "plan"} <= set(dispatch.HANDLERS)


MODEL = "torch.nn.Linear(3, 2)"
LOOP = """
    for i in range(4):
        net(torch.ones(1, 3)).sum().backward()
        adam.step()
"""
# program -> names of what is kept of it
NAMED = {
    "globals": ("net = %s\nadam = torch.optim.Adam(net.parameters())" % MODEL + textwrap.dedent(LOOP), {"net", "adam"}),
    "a function's variables": (
        """
def train(model, optimizer):
    for i in range(4):
        model(torch.ones(1, 3)).sum().backward()
        optimizer.step()

def main():
    net = %s
    train(net, torch.optim.SGD(net.parameters(), lr=0.1))

main()
"""
        % MODEL,
        {"net", "optimizer"},
    ),
    "attributes": (
        """
class Trainer:
    def __init__(self):
        self.model = torch.nn.Sequential(%s)
        self.head = self.model[0]
        self.opt = torch.optim.SGD(self.model.parameters(), lr=0.1)

    def fit(self):
        for i in range(4):
            self.model(torch.ones(1, 3)).sum().backward()
            self.opt.step()

Trainer().fit()
"""
        % MODEL,
        {"model", "opt"},
    ),
    "tensors": (
        """
w, b = torch.ones(3, requires_grad=True), torch.zeros(1, requires_grad=True)
opt = torch.optim.SGD([w, b] + [torch.ones(1, requires_grad=True)], lr=0.1)
for i in range(4):
    (w.sum() * b).sum().backward()
    opt.step()
""",
        {"w", "b", "opt", "parameters"},
    ),
    "a list": (
        """
nets = [%s, %s]
opts = [torch.optim.SGD(net.parameters(), lr=0.1) for net in nets]
for i in range(4):
    for net, opt in zip(nets, opts):
        net(torch.ones(1, 3)).sum().backward()
        opt.step()
"""
        % (MODEL, MODEL),
        {"nets.0", "net", "opts.0", "opt"},
    ),
}


@pytest.mark.parametrize("name", NAMED)
def test_the_state_dicts_are_kept_under_the_programs_names(session, name):
    source, names = NAMED[name]
    session.run(source)
    saved = session.saved()
    assert saved.pop("step") == 4 and saved.pop("source").strip() == source.strip()
    assert set(saved) == names
    assert [m["step"] for m in session.messages("step")] == [0, 1, 2, 3]
    assert session.messages("finish")[0]["step"] == 4


def test_pytorch_continues_from_what_was_kept(session):
    made = session.run("net = %s\nadam = torch.optim.Adam(net.parameters())" % MODEL + textwrap.dedent(LOOP))
    saved = session.saved()
    net = torch.nn.Linear(3, 2)
    adam = torch.optim.Adam(net.parameters())
    net.load_state_dict(saved["net"])
    adam.load_state_dict(saved["adam"])
    assert net.weight.tolist() == made["net"].weight.tolist()
    net.zero_grad(set_to_none=False)
    net(torch.full((1, 3), 5.0)).sum().backward()
    adam.step()
    assert adam.state[net.weight]["step"] == 5


def test_scalars_have_a_line_of_their_own_and_printed_validation_losses_are_evaluations(session):
    session.run(
        """
        from tinygpt.torch.utils.tensorboard import SummaryWriter
        writer = SummaryWriter()
        net = torch.nn.Linear(3, 2)
        opt = torch.optim.SGD(net.parameters())
        for i in range(3):
            net(torch.ones(1, 3)).sum().backward()
            opt.step()
            writer.add_scalar("acc", 0.5 + i, i)
            writer.add_scalar("loss", float("nan"), i)
        for i in range(20):
            writer.add_scalar("tag %d" % i, 1.0)
        writer.close()
        """
    )
    sent = [(m["step"], *m["metrics"].items()) for m in session.messages("metrics")]
    assert sent[:4] == [
        (0, ("acc", 0.5)),
        (0, ("loss (logged)", None)),
        (1, ("acc", 1.5)),
        (1, ("loss (logged)", None)),
    ]
    assert len({m for _, (m, _) in sent}) == 16
    assert session.messages("note")[1]["text"].startswith("The chart has 16 scalars at most: tag 14")
    memory = session.messages("memory")[0]
    assert memory["parts"] == {"parameters": 32, "moments": 0} and memory["needs"] >= 32


def test_what_cannot_be_saved_is_left_out_with_the_reason(session):
    session.run(
        "net = %s\nadam = torch.optim.Adam(net.parameters())\nadam.param_groups[0]['rule'] = len\n" % MODEL
        + textwrap.dedent(LOOP)
    )
    saved = session.saved()
    assert set(saved) == {"step", "source", "net", "left_out"}
    assert "builtin_function_or_method cannot be saved" in saved["left_out"]["adam"]


def test_the_steps_are_those_of_one_optimizer_until_another_takes_its_place(session):
    session.run(
        """
        first, second = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
        a, b = torch.optim.SGD(first.parameters()), torch.optim.SGD(second.parameters())
        for i in range(3):
            a.step()
            b.step()
        """
    )
    assert session.module.kept.step == 3 and set(session.module.kept.things) == {"first", "second", "a", "b"}
    session.run(
        """
        for fold in range(3):
            net = torch.nn.Linear(3, 2)
            opt = torch.optim.SGD(net.parameters())
            for i in range(10):
                opt.step()
        """
    )
    assert session.module.kept.step == 28, "the first step of another optimizer may be one beside it"
    assert set(session.module.kept.things) == {"net", "opt"}


def test_a_reset_and_the_next_run_forget_what_was_kept(session):
    session.run("net = %s\nadam = torch.optim.Adam(net.parameters())" % MODEL + textwrap.dedent(LOOP))
    assert session.module.kept is not None
    session.run("x = 1")
    assert session.module.kept is None


STEP = """
    torch.manual_seed(1)
    net = torch.nn.Linear(3, 1)
    adam = torch.optim.Adam(net.parameters(), lr=0.1)
    x = torch.randn(8, 3)
    calls = []

    %s
    def step():
        calls.append(1)
        loss = net(x).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        return loss %s

    losses = [step() for i in range(12)]
"""


@pytest.mark.parametrize("result", ["", "* 0 + 5"])
def test_a_compiled_step_is_a_step_each_time_it_is_replayed(session, result):
    session.run(STEP % ("", result))
    steps, plain = session.messages("step"), session.saved()
    assert [message["step"] for message in steps] == list(range(12))
    assert steps[-1]["loss"] < steps[0]["loss"]
    session.sent.clear()
    made = session.run(STEP % ("@torch.compile", result))
    again = session.messages("step")
    assert [m["step"] for m in again] == list(range(12))
    assert [m["loss"] for m in again] == pytest.approx([m["loss"] for m in steps])
    assert torch.allclose(session.saved()["net"]["weight"], plain["net"]["weight"])
    assert len(made["calls"]) < 4, "it is replayed"
