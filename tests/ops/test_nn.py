"""Each module of `nn` equals PyTorch's: names and shapes of its state, output, gradients of input
and parameters, on each device.
"""

import json

import pytest

from tests.ops.execute import PyTorch, count
from tests.ops.test_ops import check
from tests.targets import on

MODULES = {  # source: shape of the input (None: int32 indices below 10)
    "nn.Linear(17, 65)": [3, 5, 17],
    "nn.Linear(17, 3, bias=False)": [17],
    "nn.LayerNorm(65)": [3, 17, 65],
    "nn.LayerNorm(17, bias=False)": [3, 17],
    "nn.LayerNorm(17, elementwise_affine=False)": [3, 17],
    "nn.RMSNorm(65, eps=1e-5)": [3, 17, 65],
    "nn.Embedding(10, 17)": None,
    "nn.GELU()": [65],
    "nn.GELU(approximate='tanh')": [65],
    "nn.ReLU()": [65],
    "nn.SiLU()": [65],
    "nn.Tanh()": [65],
    "nn.Dropout(0.5).eval()": [65],
    "nn.Sequential(nn.Linear(17, 68), nn.GELU(), nn.Linear(68, 17), nn.LayerNorm(17))": [3, 17],
    "nn.Sequential(nn.Embedding(10, 16), nn.Linear(16, 3))": None,
    "nn.ModuleList([nn.Linear(17, 3), nn.Linear(17, 4)])[1]": [3, 17],
}

SHARED = """
from tests.kernels.execute import contents
from tests.ops.execute import Tinygpt, PyTorch, count

def run_module(source, shape, library):
    nn = library.m.nn
    module = eval(source, {"nn": nn})
    state = {}
    for name, p in module.state_dict().items():
        values = contents(["signed"], count(tuple(p.shape)), "float32", source + name)
        state[name] = library.tensor(values, tuple(p.shape), True)
    if isinstance(library, PyTorch):
        module = module.double()
    module.load_state_dict(state)
    if shape is None:
        x = library.tensor(contents(["ints", 0, 10], 6, "int32", source), (2, 3), False)
    else:
        x = library.tensor(contents(["signed"], count(shape), "float32", source), shape, True).requires_grad_()
    y = module(x)
    weight = library.tensor(contents(["signed"], count(tuple(y.shape)), "float32", source + "w"), tuple(y.shape), True)
    (y * weight).sum().backward()
    gradients = {name: [list(p.shape), library.data(p.grad)] for name, p in module.named_parameters()}
    return [list(state), [list(y.shape), library.data(y.detach())], gradients, library.data(x.grad) if shape else None]
"""

SOURCE = (
    SHARED
    + """
import json
modules = json.loads((files / "modules.json").read_text())
{source: run_module(source, shape, Tinygpt()) for source, shape in modules.items()}
"""
)


@pytest.fixture(scope="module")
def answers(value):
    kept = {}

    def get(target):
        if target.name not in kept:
            kept[target.name] = value(target, SOURCE, files={"modules.json": json.dumps(MODULES).encode()})
        return kept[target.name]

    return get


@pytest.mark.parametrize("source", MODULES)
@on("oracle", "native", "node", "chromium", "gpu-lavapipe", "gpu-chromium")
def test_module_equals_pytorch(answers, target, source):
    space = {}
    exec(SHARED, space)
    names, (shape, output), gradients, dx = space["run_module"](source, MODULES[source], PyTorch())
    got_names, (got_shape, got_output), got_gradients, got_dx = answers(target)[source]
    assert got_names == names and got_shape == shape
    check("output", got_output, output, True, 1e-5)
    check("gradient of the input", got_dx, dx, True, 1e-5)
    assert list(got_gradients) == list(gradients)
    for name, (size, data) in gradients.items():
        assert got_gradients[name][0] == size and len(got_gradients[name][1]) == 4 * count(size)
        check("gradient of " + name, got_gradients[name][1], data, True, 1e-5)
