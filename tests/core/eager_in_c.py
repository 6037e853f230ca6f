"""The usual case in C (core/eager.py) gives what the plain Python function gives: the same bits,
shapes, strides, dtypes and errors, and the same account of memory.
"""

import gc
import os
import subprocess
import sys

import pytest

import tinygpt
from tinygpt.core import autograd, eager, factory
from tinygpt.core.tensor import Storage, Tensor, bool_, float16, float64, int32, int64
from tinygpt.graph import program
from tinygpt.ops import elementwise, inplace, matmul, movement, reduce

pytestmark = [pytest.mark.fast, pytest.mark.skipif(eager.library is None, reason="no module eager")]


@pytest.fixture(autouse=True)
def native():
    before = tinygpt.get_device()
    tinygpt.set_device("native")
    yield
    tinygpt.set_device(before.name)


def values(*shape, dtype=None):
    count = 1
    for n in shape:
        count *= n
    x = tinygpt.arange(count).reshape(*shape).float()
    x = (x * 37.0) % 11.0 - 4.5
    return x if dtype is None else x._cast(dtype)


def facts(x):
    return x.tobytes(), x._shape, x._strides, x._dtype, x._offset, x._requires_grad, x._storage.nbytes, x._storage.kind


def both(function, *arguments, **named):
    """What a Function gives and what its plain version gives: a result's facts or an error."""
    found = []
    for each in (function, function.__wrapped__):
        try:
            found.append(facts(each(*arguments, **named)))
        except Exception as error:
            found.append((type(error), str(error)))
    return found


def operands():
    """Pairs of Tensors: dense, broadcast, transposed, sliced, of each dtype, empty, of 7 dims."""
    a = values(4, 6)
    yield a, values(4, 6)
    yield a, values(6)
    yield values(4, 1), values(1, 6)
    yield a, values(6, 4).T
    yield a[:, ::2], values(4, 3)
    yield a, values()
    yield values(), values()
    yield values(2, 1, 3, 1, 2), values(4, 1, 2, 1)
    yield values(2, 2, 2, 2, 2, 2, 2).permute(6, 1, 4, 3, 2, 5, 0), values(2, 1, 2, 1, 2, 1, 2)
    yield a, values(5)
    yield values(0, 3), values(3)
    for dtype in (float64, int32, int64, bool_, float16):
        yield values(4, 6, dtype=dtype), values(4, 6, dtype=dtype)
    yield a, values(4, 6, dtype=int32)


@pytest.mark.parametrize("name", ["add", "sub", "mul", "maximum", "lt", "pow"])
def test_binary_and_its_broadcasting(name):
    for a, b in operands():
        for dtype in (None, bool_) if name == "lt" else (None,):
            ours, plain = both(elementwise.binary, name, a, b, dtype)
            assert ours == plain, (name, a, b)


def test_ops_with_a_number_and_of_one_tensor():
    for a, _ in operands():
        for number in (2, 0.5, True, 1 << 60, float("nan")):
            for reverse in (False, True):
                ours, plain = both(elementwise.binary_scalar, "sub", a, number, reverse)
                assert ours == plain, (a, number)
        if a._dtype.is_floating_point:
            for name in ("exp", "relu", "tanh"):
                ours, plain = both(elementwise._unary, name, a.contiguous())
                assert ours == plain
                ours, plain = both(elementwise._unary_backward, name, a.contiguous(), a.contiguous())
                assert ours == plain


def test_writes_in_place():
    for a, b in operands():
        found = []
        for write in (inplace.in_place, inplace.in_place.__wrapped__):
            x, version = a.clone(), None
            try:
                x = write("mul", x, b)
                version = x._version
            except Exception as error:
                version = str(error)
            found.append((facts(x), version))
        assert found[0] == found[1], (a, b)
    x = values(3)
    assert inplace.in_place("add", x, x) is x and x._version == 1
    leaf = values(3).requires_grad_()
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        inplace.in_place("add", leaf, values(3))
    assert inplace.in_place("add", values(3), leaf)._requires_grad


def test_reductions():
    for a, _ in operands():
        for dims in [(0,), (a.ndim - 1,), tuple(range(a.ndim)), (0, 2), ()]:
            if all(0 <= d < a.ndim for d in dims):
                ours, plain = both(reduce._launch, "sum", a, dims, a._dtype)
                assert ours == plain, (a, dims)


def test_products():
    a, b, bias = values(5, 7), values(7, 3), values(3)
    for x, y in [(a, b), (values(7, 5).T, b), (a, values(3, 7).T), (a[::2], b), (a, values(7, 6)[:, ::2]), (a, a)]:
        for named in ({}, {"bias": bias}, {"gradient": True}, {"alpha": 0.5}):
            ours, plain = both(matmul.gemm, x, y, **named)
            assert ours == plain or x is y
    out = values(5, 3)
    assert matmul.gemm(a, b, out) is out
    assert out.tobytes() == matmul.gemm.__wrapped__(a, b).tobytes()


def test_new_tensors_and_views():
    for a, _ in operands():
        assert a.is_contiguous() == Tensor.is_contiguous.__wrapped__(a)
        assert facts(a.detach()) == facts(Tensor.detach.__wrapped__(a))
        for shape in (None, (2, 3), (), (0,)):
            ours, plain = factory.like(a, shape), factory.like.__wrapped__(a, shape)
            assert facts(ours)[1:] == facts(plain)[1:]
    storage = values(4, 6)._storage
    for given in [((4, 6),), ((4, 7),), ((2, 2), int32, 20, (1, 2)), ((2, 2), int32, 21, (1, 2)), ((-1, 2),), ((2.0,),),
                  ((2, 2), int64, 0, (6, 1)), ((4, 6), int64), ((3,), int32, -1), ((0, 4), int32, 99)]:  # fmt: skip
        found = []
        for init in (Tensor.__init__, Tensor.__init__.__wrapped__):
            x = object.__new__(Tensor)
            try:
                init(x, storage, *given)
                found.append(facts(x)[1:])
            except Exception as error:
                found.append((type(error), str(error)))
        assert found[0] == found[1], given


def test_the_tape():
    a, b = values(3).requires_grad_(), values(3)
    for saved in (None, (), (a, b)):
        found = []
        for attach in (autograd.attach, autograd.attach.__wrapped__):
            out = values(3)
            attach("op", (out,), (a, b, out), abs, saved)
            node = out._node
            found.append((node.name, node.edges, node.backward, node.saved, node.outputs, node.frees, out._index))
        assert found[0] == found[1]
    view = a[1:]
    for inputs in [(a,), (b,), (None, a), (view,), ()]:
        assert autograd.needs_grad(*inputs) == autograd.needs_grad.__wrapped__(*inputs)
        with tinygpt.no_grad():
            assert not autograd.needs_grad(*inputs)
    assert view._base is a and view._made == autograd.PLAIN and view._seen == a._version
    with tinygpt.no_grad():
        assert a[1:]._made == autograd.UNRECORDED
    assert movement._viewed(view, view.detach(), "op", abs)._base is a


def test_a_saved_value_that_is_written_is_seen():
    a = values(3).requires_grad_()
    b = a * 2.0
    c = b * b
    b.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        c.sum().backward()


def test_the_kernels_error_and_a_second_device():
    table, index = values(2, 3), tinygpt.tensor([5], dtype=int32)
    with pytest.raises(IndexError, match="index out of range in embedding"):
        program.launch(tinygpt.kernels.embedding, (values(1, 3), table, index), (1, 2, 3))
    far = values(2, 3).to("reference")
    with pytest.raises(RuntimeError, match="two devices"):
        program.launch(tinygpt.kernels.unary, (far, table), (0, 6))
    with pytest.raises(Exception, match="required argument is not an integer"):
        program.launch(tinygpt.kernels.unary, (values(2, 3), table), (0.5, 6))


def test_memory_is_counted_as_before():
    gc.collect()
    device = tinygpt.get_device()
    device.alloc(4), device.alloc(1000)
    before = device.in_use()
    kept = [factory.like(values(1, 1), (n,)) for n in (1, 64, 65, 5000, 400_000)]
    assert device.in_use() - before == 256 + 256 + 260 + 20_000 + 1_600_000
    del kept
    gc.collect()
    assert device.in_use() == before
    assert Storage.__del__.__wrapped__.__name__ == "__del__"


def test_a_recorded_call_sees_every_launch():
    a = values(4, 4)
    with program.Capture(1 << 60) as capture:
        (a + a).exp() @ a
    assert [launch.kernel.name for launch in capture.launches] == ["binary", "unary", "matmul"]


def test_without_the_module_all_is_plain():
    code = "import tinygpt; from tinygpt.core import eager; print(eager.library, (tinygpt.ones(2) + 1).tolist())"
    environment = {**os.environ, "TINYGPT_EAGER": "0", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None [2.0, 2.0]"
