"""What torch says of its host: queries answer truthfully, what needs another host raises, and
torch.compile changes no number.
"""

import copy
import importlib
import importlib.util
import subprocess
import sys
import warnings

import pytest
import torch

import tinygpt
import tinygpt.torch as tt
import tinygpt.torch.nn as tnn
from tinygpt import nn, tensor

pytestmark = pytest.mark.fast
# Equal to PyTorch's CPU build: value, or class of the error.
SAME = """
cuda.is_available() cuda.device_count() cuda.is_initialized() cuda.current_device() cuda.get_device_name()
cuda.synchronize() cuda.empty_cache() cuda.memory_allocated() cuda.max_memory_allocated() cuda.memory_reserved()
cuda.max_memory_reserved() cuda.manual_seed(1) cuda.manual_seed_all(1) cuda.get_device_properties(0)
cuda.get_device_capability() cuda.mem_get_info() cuda.is_bf16_supported() cuda.get_arch_list() cuda.Event()
cuda.Stream() cuda.get_rng_state() cuda.get_rng_state_all() cuda.memory_stats() cuda.FloatTensor([1])
mps.is_available() mps.empty_cache() mps.manual_seed(1) mps.synchronize() mps.device_count()
backends.mps.is_available() backends.mps.is_built() backends.cudnn.is_available() backends.cudnn.version()
backends.cudnn.enabled backends.cudnn.benchmark backends.cudnn.deterministic backends.cudnn.allow_tf32
backends.cuda.matmul.allow_tf32 backends.cuda.is_built() backends.cuda.flash_sdp_enabled()
xpu.is_available() accelerator.is_available() accelerator.current_accelerator() cpu.is_available()
cpu.current_device() cpu.synchronize() distributed.is_initialized() distributed.get_rank()
distributed.get_world_size() distributed.barrier() distributed.is_nccl_available() distributed.all_reduce(m.ones(1))
get_float32_matmul_precision() are_deterministic_algorithms_enabled() set_num_threads(0) set_num_threads(1.5)
set_deterministic_debug_mode(7) is_autocast_enabled() is_autocast_enabled("cpu") get_autocast_dtype("cpu")
get_autocast_dtype("cuda") is_autocast_cpu_enabled() compiler.is_compiling() jit.is_scripting() jit.is_tracing()
version.cuda version.hip amp.GradScaler().state_dict() amp.GradScaler().is_enabled() amp.GradScaler().get_scale()
amp.GradScaler("cpu").state_dict() amp.autocast("cuda")._enabled amp.autocast("foo") amp.autocast(3)
cuda.amp.GradScaler().get_scale() compile(3) compile(len,mode="fast") is_warn_always_enabled()
typename(3) typename(m.ones(1)) typename(m.ones(1).long()) typename([])
has_lapack
""".split()


def outcome(module, source):
    try:
        return repr(eval("m." + source, {"m": module}))
    except Exception as error:
        return [kind.__name__ for kind in type(error).__mro__]


@pytest.mark.parametrize("source", SAME)
@pytest.mark.filterwarnings("ignore")
def test_answers(source):
    want, got = outcome(torch, source), outcome(tt, source)
    assert want[0] in got if isinstance(want, list) else got == want


@pytest.mark.parametrize(
    "source",
    [
        "cuda.synchronize()",
        "cuda.get_device_name(0)",
        "cuda.Event()",
        "mps.empty_cache()",
        'device("cuda").__enter__()',
    ],
)
def test_what_needs_another_gpu_names_webgpu(source):
    with pytest.raises(Exception, match='"webgpu"'):
        eval("tt." + source)


@pytest.mark.parametrize(
    "source, said",
    [
        ("hub", "load them with torch.load"),
        ("onnx", "state_dict"),
        ('distributed.init_process_group("gloo")', "one process"),
        ("multiprocessing.spawn(len)", "one process"),
        ("jit.trace(len, 1)", "call the function"),
        ("utils.data.IterDataPipe", "IterableDataset"),
        ("compile(len, backend=lambda g, i: g)", "leave backend out"),
    ],
)
def test_what_is_not_here_says_what_to_do(source, said):
    with pytest.raises(Exception, match=said):
        eval("tt." + source)


@pytest.mark.parametrize(
    "name",
    """backends.cudnn backends.cuda backends.mps cuda.amp amp _dynamo _inductor.config distributed multiprocessing jit
    profiler utils.tensorboard utils.data.distributed utils.data._utils.collate optim.lr_scheduler optim.swa_utils
    version testing utils.hooks""".split(),
)
def test_modules_that_programs_import(name):
    module = tt
    for part in name.split("."):
        module = (
            getattr(module, part) if hasattr(module, part) else importlib.import_module(module.__name__ + "." + part)
        )


def test_settings_can_be_set():
    before = tt.backends.cudnn.benchmark
    with tt.backends.cudnn.flags(benchmark=True):
        assert tt.backends.cudnn.benchmark
    assert tt.backends.cudnn.benchmark is before
    tt.backends.cuda.matmul.allow_tf32 = True
    tt._dynamo.config.suppress_errors = True
    tt.use_deterministic_algorithms(True, warn_only=True)
    assert tt.get_deterministic_debug_mode() == 1 and tt.is_deterministic_algorithms_warn_only_enabled()
    tt.use_deterministic_algorithms(False)
    tt.set_float32_matmul_precision("high")
    assert tt.get_float32_matmul_precision() == "high"
    tt.set_float32_matmul_precision("highest")


def warned(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [(w.category, str(w.message)) for w in caught]


@pytest.mark.parametrize(
    "source", ['amp.autocast("cuda")', "cuda.amp.autocast()", "amp.GradScaler()", "cuda.amp.GradScaler()"]
)
def test_warnings(source):
    found = [warned(lambda module=module: eval("m." + source, {"m": module})) for module in (torch, tt)]
    assert found[1] == found[0] and found[0]


def test_autocast_is_float32_and_says_so_once():
    tt.amp.autocast_mode._said = False

    @tt.autocast("cpu", dtype=tt.bfloat16)
    def product(x):
        return x @ x

    said = warned(lambda: [product(tensor([[1.001]])) for _ in range(2)])
    assert [text for _, text in said] == ["autocast: TinyGPT computes in float32, not in torch.bfloat16"]
    assert product(tensor([[1.001]])).dtype is tt.float32
    assert warned(lambda: tt.autocast("cuda", enabled=False).__enter__()) == []


def scaled(module, make, parameter):
    p = parameter(make([1.0, 2.0]))
    optimizer = module.optim.SGD([p], lr=0.1)
    scaler = module.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
    out = []
    for factor in (1.0, float("inf"), 1.0, 1.0, 1.0):
        optimizer.zero_grad()
        loss = scaler.scale((p * factor).sum())
        loss.backward()
        scaler.unscale_(optimizer)
        out += [loss.item(), p.grad.tolist()]
        scaler.step(optimizer)
        scaler.update()
        out += [p.tolist(), scaler.get_scale(), scaler.state_dict()]
    return out


def test_a_scaler_on_the_cpu_scales():
    want = scaled(torch, torch.tensor, torch.nn.Parameter)
    assert repr(scaled(tt, tensor, nn.Parameter)) == repr(want)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last, self.calls = nn.Linear(4, 8), nn.Linear(8, 2), 0

    def forward(self, x):
        return self.last(self.first(x).relu())

    def extra(self):
        return "mine"


def test_a_compiled_module_is_trained_as_the_module():
    found = []
    for compiled in (False, True):
        tinygpt.manual_seed(1)
        model = Net()
        model = tt.compile(model, mode="reduce-overhead") if compiled else model
        optimizer = tt.optim.AdamW(model.parameters(), lr=0.1)
        x, losses = tinygpt.randn(5, 4), []
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for _ in range(4):
                optimizer.zero_grad()
                loss = model(x).square().mean()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
            model.eval()
            with tinygpt.no_grad():
                losses += [model(x).sum().item() for _ in range(3)]
        found.append(losses)
    assert found[1] == found[0]
    assert model.extra() == "mine" and model._orig_mod.training is False and isinstance(model, nn.Module)
    want = torch.compile(torch.nn.Sequential(torch.nn.Linear(2, 2)))
    got = tt.compile(nn.Sequential(nn.Linear(2, 2)))
    assert list(got.state_dict()) == list(want.state_dict()) and repr(got) == repr(want)


class Wide(tnn.Module):
    """Dropout, batch norm, several results."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.last = tnn.Linear(4, 8), tnn.BatchNorm1d(8), tnn.Linear(8, 3)
        self.drop = tnn.Dropout(0.3)

    def forward(self, x, target=None):
        hidden = self.drop(self.norm(self.first(x)).relu())
        out = self.last(hidden)
        return {"out": out, "loss": None if target is None else ((out - target) ** 2).mean(), "sizes": x.shape[0]}


def plain_steps(model, x, y):
    return [model(x, y)["loss"] for _ in range(2)]


def accumulated(model, x, y):
    """Two calls before the backward of the first."""
    first, second = model(x, y)["loss"], model(x * 2, y)["loss"]
    return [first + second]


def read_without_a_gradient(model, x, y):
    model.eval()
    seen = model(x)["out"].sum() * 0
    model.train()
    with tt.no_grad():
        seen = seen + model(x)["out"].sum() * 0
    return [model(x, y)["loss"] + seen.detach()]


def of_other_shapes(model, x, y):
    return [model(x[:n], y[:n])["loss"] for n in (5, 3, 5)]


def both_results(model, x, y):
    found = model(x, y)
    return [found["loss"] + found["out"].square().mean(), found["loss"] * 1]


def frozen_in_between(model, x, y):
    model.first.weight.requires_grad_(not model.first.weight.requires_grad)
    return [model(x, y)["loss"]]


@pytest.mark.parametrize(
    "losses_of",
    [plain_steps, accumulated, read_without_a_gradient, of_other_shapes, both_results, frozen_in_between],
)
def test_training_through_a_compiled_module(losses_of):
    """Losses, gradients, buffers and random numbers are those of the module itself."""
    found = []
    for compiled in (False, True):
        tt.manual_seed(4)
        module = Wide()
        model = tt.compile(module) if compiled else module
        optimizer, seen = tt.optim.SGD(module.parameters(), lr=0.1, momentum=0.9), []
        for _ in range(4):
            x, y = tt.randn(5, 4), tt.randn(5, 3)
            losses = losses_of(model, x, y)
            optimizer.zero_grad()
            for i, loss in enumerate(losses):
                loss.backward(retain_graph=i + 1 < len(losses))
            seen += [[loss.item() for loss in losses], [None if p.grad is None else p.grad.tolist() for p in
                     module.parameters()]]  # fmt: skip
            optimizer.step()
        seen += [value.tolist() for value in module.state_dict().values()] + [tt.rand(1).item()]
        found.append(seen)
    assert found[1] == found[0]


def test_a_compiled_call_is_recorded_once_for_its_backward_too():
    module = Wide()
    model = tt.compile(module)
    for _ in range(5):
        model(tt.randn(5, 4), tt.randn(5, 3))["loss"].backward()
    calls = model._calls
    assert calls.with_gradients.captures == 1 and calls.with_gradients.refused is None
    ((_, graph),) = calls.graphs.values()
    assert [walk.captures for walk in graph.backwards.values()] == [1]


def test_a_copy_of_a_compiled_module_is_another_module():
    model = tt.compile(Wide())
    x, y = tt.randn(5, 4), tt.randn(5, 3)
    for _ in range(2):
        model(x, y)["loss"].backward()
    other = copy.deepcopy(model)
    model.eval()
    other.eval()
    assert other(x)["out"].tolist() == model(x)["out"].tolist()
    with tt.no_grad():
        other.last.weight.zero_()
    assert other(x)["out"].tolist() != model(x)["out"].tolist()


def test_an_update_between_a_compiled_call_and_its_backward():
    """An error where the backward reads what was updated, as in PyTorch, and none elsewhere."""
    module = tnn.Sequential(tnn.Linear(2, 2), tnn.Linear(2, 1))
    model, x = tt.compile(module), tt.ones(3, 2)
    for updated, fails in ((module[1].weight, True), (module[0].weight, False)) * 2:
        loss = model(x).sum()
        with tt.no_grad():
            updated.mul_(2)
        if fails:
            with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                loss.backward()
        else:
            loss.backward()
        del loss


def test_gradients_of_gradients_through_a_compiled_call_are_refused():
    module = tnn.Linear(2, 1)
    model = tt.compile(module)
    with pytest.raises(RuntimeError):
        tt.autograd.grad(model(tt.ones(3, 2)).square().sum(), module.weight, create_graph=True)[0].sum().backward()


def test_a_compiled_step_is_recorded_once_and_replayed():
    tinygpt.manual_seed(1)
    model, x = Net(), tinygpt.randn(5, 4)
    optimizer, runs = tt.optim.Adam(model.parameters(), lr=0.1), []

    @tt.compile(fullgraph=True)
    def step(x):
        runs.append(1)
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    losses = [step(x).item() for _ in range(8)]
    assert len(runs) <= 3 and losses[-1] < losses[0] and step.__name__ == "step"


def test_a_compiled_function_can_be_differentiated():
    @tt.compile
    def f(x):
        return (x * x).sum()

    for value in (2.0, 3.0):
        x = tensor([value], requires_grad=True)
        f(x).backward()
        assert x.grad.item() == 2 * value


def test_assert_close():
    tt.testing.assert_close(tensor([1.0, 2.0]), tensor([1.0, 2.0 + 1e-6]))
    tt.testing.assert_close({"a": [1, 2.0]}, {"a": [1, 2.0]})
    for a, b in (([1.0], [1.1]), ([1.0], [1.0, 2.0]), ([1], [1.0]), ([float("nan")], [float("nan")])):
        with pytest.raises(AssertionError) as want:
            torch.testing.assert_close(torch.tensor(a), torch.tensor(b))
        with pytest.raises(AssertionError) as got:
            tt.testing.assert_close(tensor(a), tensor(b))
        assert str(got.value).partition("\n")[0] == str(want.value).partition("\n")[0]
    tt.testing.assert_close(tensor([float("nan")]), tensor([float("nan")]), equal_nan=True)


def test_a_summary_writer_keeps_scalars(capsys):
    from tinygpt.torch.utils import tensorboard

    heard = []
    tensorboard.on_scalar.append(lambda *row: heard.append(row))
    with tensorboard.SummaryWriter("runs/a") as writer:
        writer.add_scalar("loss", tensor(2.0), 3)
        assert [text for _, text in warned(lambda: [writer.add_histogram("w", 1) for _ in range(2)])] == [
            "SummaryWriter.add_histogram: TinyGPT keeps scalars alone; this is left out"
        ]
    tensorboard.on_scalar.clear()
    assert writer.scalars == {"loss": [(3, 2.0)]} and heard == [("loss", 2.0, 3)]
    assert capsys.readouterr().err == "", "somebody has heard them"
    with tensorboard.SummaryWriter() as writer:
        writer.add_scalars("loss", {"train": 2.0, "val": 3.0}, 0)
        writer.add_scalar("loss/train", 0.25, 1)
    assert capsys.readouterr().err == "runs: loss/train 0.25 (2 values), loss/val 3 (1 value)\n"


def test_a_program_with_the_usual_head_runs(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import torch, torch.nn as nn, torch.optim as optim\n"
        "import torch.backends.cudnn as cudnn\n"
        "from torch.utils.data import DataLoader, TensorDataset\n"
        "from torch.optim.lr_scheduler import StepLR\n"
        "from torch.cuda.amp import autocast\n"
        "import torch._dynamo\n"
        "torch.manual_seed(0); torch.cuda.manual_seed_all(0); cudnn.benchmark = True\n"
        "device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')\n"
        "data = DataLoader(TensorDataset(torch.randn(8, 2), torch.randn(8, 1)), batch_size=4, shuffle=True)\n"
        "model = nn.Linear(2, 1)\n"
        "optimizer = optim.SGD(model.parameters(), lr=0.1)\n"
        "scheduler = StepLR(optimizer, 1)\n"
        "for x, y in data:\n"
        "    optimizer.zero_grad(); loss = ((model(x) - y) ** 2).mean(); loss.backward(); optimizer.step()\n"
        "    print('%.4f' % loss.item())\n"
        "scheduler.step(); torch.save(model.state_dict(), '" + str(tmp_path / "model.pt") + "')\n"
    )
    runs = [
        subprocess.run([sys.executable, *how, str(program)], capture_output=True, text=True, env={"PYTHONPATH": "py"})
        for how in ([], ["-m", "tinygpt.torch"])
    ]
    assert runs[1].stdout == runs[0].stdout and runs[0].stdout.count("\n") == 2, runs[1].stderr
    assert set(torch.load(tmp_path / "model.pt")) == {"weight", "bias"}


def test_packages_beside_torch_have_stubs(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import torch, wandb, tiktoken\n"
        "run = wandb.init(project='p', config=dict(lr=0.1))\n"
        "wandb.log({'loss': torch.tensor(2.5), 'note': 'a'}); wandb.log({'loss': 1.0})\n"
        "print(wandb.config.lr, run.summary, run.step, run.history)\n"
        "run.log({'val': {'loss': 2}, 'picture': wandb.Image(1), 'plot': wandb.plot.line(1, 2)})\n"
        "wandb.watch(None); wandb.watch(None); run.log_code('.').wait(); wandb.sweep({}, project='p')\n"
        "wandb.finish()\n"
        "try: tiktoken.get_encoding('gpt2')\n"
        "except RuntimeError as error: print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "tinygpt.torch", str(program)], capture_output=True, text=True, env={"PYTHONPATH": "py"}
    )
    if importlib.util.find_spec("wandb") is None and importlib.util.find_spec("tiktoken") is None:
        lines = run.stdout.splitlines()
        assert lines[0].startswith("0.1 {'loss': 1.0, 'note': 'a'} 2"), run.stderr
        assert "tiktoken's vocabulary 'gpt2' is a file on the network" in lines[1]
        assert "wandb: nothing is sent" in run.stderr
        for name in ("Image", "plot", "watch", "Run.log_code", "sweep"):
            assert run.stderr.count("wandb.%s: TinyGPT keeps the numbers" % name) == 1, name
        assert run.stderr.endswith("wandb: loss 1 (2 values), val.loss 2 (1 value)\n")
