"""Reading and writing by index beside PyTorch: values, dtypes, shapes, gradients, errors."""

import pytest

from .expressions import complaint, lines

pytestmark = pytest.mark.fast

READS = """
g(3, 4).gather(1, T.tensor([[0, 3], [1, 1], [2, 0]]))
g(3, 4).gather(0, T.tensor([[0, 2], [1, 1]]))
g(2, 3, 4).gather(-2, T.tensor([[[0, 2, 1]], [[1, 1, 0]]]))
T.gather(g(), 0, T.tensor([0, 0]))
f(3, 4).gather(1, T.tensor([[4]]))
f(3, 4).gather(1, T.tensor([[-1]]))
f(3, 4).gather(1, T.tensor([0]))
f(3, 4).gather(1, T.tensor([[0.0]]))
f(3, 4).gather(0, T.zeros(1, 9, dtype=T.int64))
i(3, 4).t().gather(1, T.tensor([[0], [2]], dtype=T.int32))
T.gather(input=g(3, 4), dim=1, index=T.tensor([[1]]), sparse_grad=False)
g(3, 4).index_select(1, T.tensor([3, 0, 0]))
g(2, 3, 4).index_select(-2, T.tensor([2, 2]))
T.index_select(g(), 0, T.tensor([0]))
f(3).index_select(0, T.tensor([[0]]))
f(3).index_select(0, T.tensor([0.0]))
g(3, 4).take(T.tensor([[0, -1], [5, 5]]))
f(3, 4).take(T.tensor([12]))
g(3, 4).take_along_dim(T.tensor([[3], [0], [1]]), 1)
g(3, 4).take_along_dim(T.tensor([11, 0]))
g(3, 4).take_along_dim(T.tensor([[2, 1, 0, 0]]), 0)
g(3, 4).masked_select(b(3, 4))
g(3, 4).masked_select(b(4))
f(3).masked_select(T.tensor([1, 0, 1]))
T.nonzero(i(3, 4))
T.nonzero(i(3, 4), as_tuple=True)
T.nonzero(T.tensor(3)), T.argwhere(f(2, 2) > 0), T.tensor(0).nonzero(as_tuple=True)
T.nonzero(f(40, 30) > 0.5)
T.unravel_index(T.tensor([7, 11]), (3, 4))
x = g(4, 5); x[x > 0]
x = g(4, 5); x[T.tensor([0, -1])[:, None], T.tensor([1, 2, 2])]
x = g(4, 5); x[..., [1, 2]], x[[True, False, True, True]], x[None, 1]
"""
WRITES = """
f(3, 4).scatter(1, T.tensor([[0, 3], [1, 1], [2, 0]]), 1.5)
g(3, 4).scatter(1, T.tensor([[0, 3], [1, 2], [2, 0]]), g(3, 2))
x = g(3, 4) * 2; x.scatter_(0, T.tensor([[2, 0, 1, 1]]), g(1, 4)); x
f(3, 4).scatter(1, T.tensor([[1, 1]]), 2.0, reduce="multiply")
f(3, 4).scatter(1, T.tensor([[1, 1]]), f(1, 2), reduce="add")
f(3, 4).scatter(1, T.tensor([[1, 1]]), f(1, 2), reduce="sum")
f(3, 4).scatter(1, T.tensor([[1, 1]]), f(1, 1))
f(3, 4).scatter(1, T.tensor([[9]]), 1.0)
f(3, 4).scatter(1, T.tensor([[1]]), i(1, 1))
i(3, 4).scatter(1, T.tensor([[1]]), value=7)
g(3, 4).scatter_add(0, T.tensor([[0, 0, 1, 2], [0, 2, 1, 1]]), g(2, 4))
x = T.zeros(5); x.scatter_add_(0, T.tensor([0, 1, 1, 4]), T.ones(4)); x
g(5).scatter_reduce(0, T.tensor([0, 1, 1, 0]), g(4), "sum")
g(5).scatter_reduce(0, T.tensor([0, 1, 1, 0]), g(4), "mean", include_self=False)
g(5).scatter_reduce(0, T.tensor([0, 1, 1, 0]), g(4), "amax")
g(5).scatter_reduce(0, T.tensor([0, 1, 1, 0]), g(4), "amin", include_self=False)
g(5).scatter_reduce(0, T.tensor([0, 1, 1, 0]), g(4), "prod")
i(5).scatter_reduce(0, T.tensor([0, 1, 1, 0]), i(4), "mean")
f(5).scatter_reduce(0, T.tensor([0]), f(1), "median")
g(3, 4).index_add(0, T.tensor([0, 0, 2]), g(3, 4), alpha=2)
x = T.zeros(3, 2); x.index_add_(1, T.tensor([1, 1]), T.ones(3, 2)); x
f(3, 4).index_add(0, T.tensor([3]), f(1, 4))
f(3, 4).index_add(0, T.tensor([0]), f(2, 4))
f(3, 4).index_add(0, T.tensor([0]), i(1, 4))
g(3, 4).index_copy(1, T.tensor([3, 0]), g(3, 2))
f(3, 4).index_copy(0, T.tensor([3]), f(1, 4))
g(3, 4).index_fill(1, T.tensor([0, -1]), 2.5)
g(3, 4).index_fill(0, T.tensor([1, 1]), g())
f(3, 4).index_fill(0, T.tensor([3]), 1.0)
g(3, 4).index_reduce(0, T.tensor([0, 2, 0]), g(3, 4), "amax")
g(3, 4).index_reduce(1, T.tensor([1, 1]), g(3, 2), "mean", include_self=False)
g(3, 4).index_put((T.tensor([0, 0]), T.tensor([1, 1])), g(2), accumulate=True)
x = g(3, 4) * 1; x.index_put_((b(3, 4),), g()); x
f(3, 4).index_put((T.tensor([0]),), i(1))
g(3, 4).put(T.tensor([0, -1]), g(2))
x = f(3, 4); x.put_(T.tensor([1, 1]), T.ones(2), accumulate=True); x
f(3).put(T.tensor([3]), f(1))
g(3, 4).masked_fill(b(3, 4), 0.5)
g(3, 4).masked_fill(b(4), g())
x = g(3, 4) * 1; x.masked_fill_(b(3, 1), -1.0); x
f(3).masked_fill(i(3), 1.0)
g(3, 4).masked_scatter(b(3, 4), g(12))
f(3).masked_scatter(T.ones(3, dtype=T.bool), f(2))
g(3, 4).select_scatter(g(3), 1, -1)
g(5, 2).slice_scatter(g(2, 2), 0, 1, None, 2)
g(3, 4).diagonal_scatter(g(3), 1)
f(3, 4).select_scatter(f(4), 1, 0)
x = g(4); x.scatter_(0, T.tensor([0]), 1.0)
x = g(4) * 1; y = x.exp(); x.index_fill_(0, T.tensor([0]), 1.0); y
x = g(4) * 1; y = x * x; x.index_fill_(0, T.tensor([0]), 1.0); y.sum().backward()
x = T.zeros(1).expand(3); x.scatter_(0, T.tensor([0]), 1.0)
x = f(4); v = x._version; x.scatter_(0, T.tensor([0]), 1.0); x._version - v
"""
ORDER = """
g(3, 5).sort(1)
g(3, 5).sort(0, descending=True)
T.sort(i(7), stable=True)
T.tensor([3.0, float("nan"), 1.0, -float("inf")]).sort(descending=True)
T.sort(g(), -1)
g(3, 5).topk(2)
T.topk(g(3, 5), 2, 0, largest=False)
g(3, 5).kthvalue(2)
g(3, 5).kthvalue(2, 0, keepdim=True)
f(3).topk(4)
f(3).kthvalue(0)
f(2, 3).argsort(), T.msort(g(3, 2))
f(3).sort(2)
T.searchsorted(T.tensor([1.0, 2.0, 2.0, 5.0]), T.tensor([[0.0, 2.0], [5.0, 6.0]]))
T.searchsorted(T.tensor([[1, 3], [2, 9]]), T.tensor([[3], [10]]), right=True, out_int32=True)
T.searchsorted(T.tensor([1, 3]), 2.5)
T.searchsorted(T.tensor([1, 3]), T.tensor([2.5]))
T.bucketize(T.tensor([1.0, 2.0, 3.0]), T.tensor([1.0, 3.0]), right=True)
repr(T.tensor([2, 1]).sort()), repr(T.tensor([2.0, 1.0]).topk(1))
"""


@pytest.mark.parametrize("text", [READS, WRITES, ORDER], ids=["reads", "writes", "order"])
def test_programs_give_pytorchs_results(front, text):
    assert not list(filter(None, [complaint(front, line) for line in lines(text)]))


def test_arguments_have_numpys_names_and_out_is_refused(front):
    assert front.sort(front.tensor([[2, 1]]), axis=1).values.tolist() == [[1, 2]]
    with pytest.raises(NotImplementedError, match="out"):
        front.gather(front.ones(1), 0, front.tensor([0]), out=front.ones(1))
    with pytest.raises(TypeError, match="Tensor"):
        front.gather([1.0], 0, front.tensor([0]))
