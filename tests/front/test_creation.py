"""New tensors beside PyTorch: values, dtypes, shapes, errors."""

import numpy
import pytest
import torch

from .expressions import complaint, lines

pytestmark = pytest.mark.fast

DATA = """
T.tensor([1, 2.5]), T.tensor([True, 2]), T.tensor([[True], [False]]), T.tensor([]), T.tensor([[], []]), T.tensor(3)
T.tensor([T.tensor(1), T.tensor(2.5)]), T.tensor([[T.tensor(1.0)], [2]]), T.tensor(range(3)), T.tensor((1, (2)))
T.tensor([1.9, -1.9], dtype=T.int64), T.tensor([0.5, 0.0], dtype=T.bool), T.tensor([-1], dtype=T.uint8)
T.tensor([[1], [2, 3]])
T.tensor([[1], 2])
T.tensor([1.0, [2]])
T.tensor("a")
T.tensor(["a"])
T.tensor(None)
T.tensor(2**63)
T.tensor([300], dtype=T.uint8)
T.tensor([float("nan")], dtype=T.int64)
T.tensor([1], requires_grad=True)
T.tensor([1.0], requires_grad=True)
T.tensor([T.tensor([1, 2])])
T.as_tensor([1, 2]), T.asarray([1.5]), T.scalar_tensor(3), T.is_tensor(3)
x = f(2); T.as_tensor(x) is x, T.as_tensor(x, dtype=T.int64)
T.frombuffer(bytearray(8), dtype=T.int16, count=2, offset=2)
T.Tensor([1, 2]), T.Tensor(2, 0), T.FloatTensor([1, 2]), T.LongTensor([1.5]), T.BoolTensor([1, 0]), T.ByteTensor([1])
T.FloatTensor(3.0)
x = i(2); x.new_tensor([1, 2]), x.new_zeros(2), x.new_ones((1, 2))
x = i(2); x.new_full((2,), 3), x.new_zeros(1, dtype=T.float32)
"""
FILLED = """
T.zeros(2, 3), T.zeros((2, 3)), T.ones([2], dtype=T.int64), T.zeros(size=(1,)), T.zeros(()), T.ones(2, dtype=T.bool)
T.full((2,), 3), T.full((2,), 3.0), T.full([], True), T.full((2,), T.tensor(4)), T.full((1,), -1, dtype=T.uint8)
T.full(2, 3)
T.zeros(-1)
T.zeros(2.0)
T.zeros(2, foo=3)
T.zeros_like(i(2)), T.ones_like(f(2), dtype=T.int64), T.full_like(i(2), 2), T.empty_like(f(2)).shape
T.zeros(2, requires_grad=True, device="cpu", layout=T.strided, pin_memory=False)
T.eye(3), T.eye(2, 3, dtype=T.int64), T.eye(0)
T.eye(-1)
T.empty_strided((2, 3), (1, 2)).stride(), T.empty(2, 0).shape
"""
COUNTED = """
T.arange(5), T.arange(5.0), T.arange(1, 5), T.arange(1, 5, 2), T.arange(0, 1, 0.1), T.arange(5, 0, -2), T.arange(0)
T.arange(2.5, dtype=T.int64), T.arange(1.7, 5.2, dtype=T.int64)
T.arange(start=1, end=3), T.arange(3, dtype=T.float16)
T.arange(5, 0)
T.arange(0, 5, 0)
T.arange(3, dtype=T.bool)
T.arange("a")
T.range(1, 4), T.range(0, 1, 0.25)
T.linspace(0, 1, 5), T.linspace(-3, 3, 50)
T.linspace(0, 10, 4, dtype=T.int64), T.linspace(5, -2, 11, dtype=T.float64)
T.linspace(0, 1, 1), T.linspace(0, 1, 0), T.linspace(T.tensor(0.0), T.tensor(1.0), steps=3)
T.linspace(0, 1)
T.linspace(0, 1, -1)
T.logspace(0, 2, 3), T.logspace(-2, 1, 7), T.logspace(0, 3, 4, base=2)
T.vander(T.tensor([1, 2, 3])), T.vander(f(3), 2, increasing=True)
T.hann_window(5), T.hann_window(5, False), T.hamming_window(6)
T.blackman_window(7), T.bartlett_window(6), T.hann_window(1)
T.hann_window(4, dtype=T.int64)
"""


@pytest.mark.parametrize("text", [DATA, FILLED, COUNTED], ids=["data", "filled", "counted"])
def test_programs_give_pytorchs_results(front, text):
    assert not list(filter(None, [complaint(front, line) for line in lines(text)]))


def test_arrays_keep_their_dtype(front):
    for name in ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"):
        array = numpy.arange(-1, 3).astype(name)
        for make in ("tensor", "as_tensor", "from_numpy"):
            want, got = getattr(torch, make)(array), getattr(front, make)(array)
            assert (str(got.dtype), got.tolist()) == (str(want.dtype), want.tolist())
    mixed = [numpy.float64(1.5), 2], [numpy.float32(1.5), 2.0], [numpy.int16(1), True]
    assert [str(front.tensor(v).dtype) for v in mixed] == [str(torch.tensor(v).dtype) for v in mixed]
    for wrong in (numpy.array(["a"]), numpy.array([1j]), [1]):
        with pytest.raises((TypeError, NotImplementedError)):
            front.from_numpy(wrong)
