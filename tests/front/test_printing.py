"""Tensors print as PyTorch prints them, to the character."""

import pytest
import torch

from tinygpt.torch import front as switch

pytestmark = pytest.mark.fast
VALUES = [
    "1.0", "[]", "[1.0, 2.0]", "[0.5, -1.25, 1e-3]", "[1e-5, 1.0]", "[1e9, 1.0]", "[float('nan'), 1.0, float('inf')]",
    "[float('nan')]", "[-float('inf'), 2.5]", "[1, 2, -300]", "[True, False]", "[[1, 2], [3, 4]]", "[[], []]",
    "[[[0.1, 0.2]], [[3, 4e4]]]", "[0.0, -0.0]", "[123456.0]", "[1e8 + 1]", "[999.0, 0.5]", "[1001.0, 1.0]",
    "list(range(1001))", "[float(i) for i in range(30)]", "[i / 7 for i in range(40)]",
    "[[i * j / 3 for i in range(40)] for j in range(40)]",
    "[[[i + j + k for i in range(12)] for j in range(12)] for k in range(12)]", "3", "True", "1e-7", "12345678.9",
]  # fmt: skip
MORE = [
    "t.zeros(0, 3)", "t.zeros(2, 0, dtype=t.int64)", "t.zeros(0, dtype=t.int64)", "t.ones(2, dtype=t.float64)",
    "t.ones(3, dtype=t.int32)", "t.tensor([1.5, 2.25], dtype=t.float16)", "t.tensor([1.1], dtype=t.bfloat16)",
    "t.ones(2, requires_grad=True)", "t.zeros(2, 3, 4)", "t.arange(10000).reshape(100, 100) / 7",
    "t.arange(2000.0)", "t.ones(60, requires_grad=True)", "t.arange(24, dtype=t.uint8).reshape(2, 3, 4)",
]  # fmt: skip


@pytest.mark.parametrize("source", ["t.tensor(%s)" % value for value in VALUES] + MORE)
def test_a_tensor_prints_as_in_pytorch(front, source):
    theirs, ours = (eval(source, {"t": module}) for module in (torch, front))
    assert repr(ours) == repr(theirs)
    assert str(ours) == str(theirs)


@pytest.mark.parametrize(
    "given",
    ["precision=2", "threshold=5", "edgeitems=1, threshold=10", "linewidth=40", "profile='full'", "profile='short'",
     "sci_mode=True", "sci_mode=False"],
)  # fmt: skip
def test_print_options(front, given):
    source = "t.tensor([[i * 1.5e-3 * j for i in range(40)] for j in range(30)])"
    texts = []
    for module in (torch, front):
        try:
            eval("t.set_printoptions(%s)" % given, {"t": module})
            texts.append([repr(eval(source, {"t": module})), repr(eval("t.arange(50.0)", {"t": module}))])
        finally:
            module.set_printoptions(profile="default")
    assert texts[0] == texts[1]


@pytest.mark.parametrize("source", ["'{:.3f}'.format(x)", "f'{x:6.2e}'", "f'{x}'", "'%.2f' % x", "str(x)"])
def test_a_number_in_a_text(front, source):
    texts = [eval(source, {"x": module.tensor(2.71828)}) for module in (torch, front)]
    assert texts[0] == texts[1]


def test_a_new_program_finds_torch_as_a_new_process_has_it(front):
    first = torch.Generator().initial_seed()  # PyTorch's default: each process begins with it
    x = front.tensor([1.0, 2.0])
    front.set_printoptions(precision=1, sci_mode=True)
    front.manual_seed(3)
    front.set_grad_enabled(False)
    front.autograd.set_detect_anomaly(True)
    switch.fresh()
    assert str(x) == "tensor([1., 2.])" and front.get_printoptions()["sci_mode"] is None
    assert front.is_grad_enabled() and not front.is_anomaly_enabled()
    theirs = torch.rand(3, generator=torch.Generator().manual_seed(first))
    assert front.initial_seed() == first and front.rand(3).tolist() == theirs.tolist()
