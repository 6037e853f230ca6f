"""Embedding: rows of a table by index; the gradient adds each output's gradient to its row."""

from __future__ import annotations

from .. import kernels
from ..core.autograd import attach, needs_grad
from ..core.factory import like
from ..core.tensor import Tensor, float32, int32, numel_of
from ..graph.program import launch
from . import elementwise


def embedding(index: Tensor, weight: Tensor) -> Tensor:
    """weight[index]: the row of `weight` for each index.

    index: int32 [...]. weight: [V, C]. Returns [..., C] in weight's dtype. RuntimeError for other
    dtypes or ranks, IndexError for an index outside the table.
    """
    if weight.ndim != 2:
        raise RuntimeError("embedding: weight must be 2-D, not %s" % list(weight._shape))
    if not isinstance(index, Tensor) or index._dtype is not int32:
        raise RuntimeError(
            "embedding: expected an int32 tensor of indices, got %s"
            % (index._dtype.name if isinstance(index, Tensor) else type(index).__name__)
        )
    elementwise.same_device(index, weight)
    if weight._dtype is int32:  # in two halves, which float32 holds: the kernel's rows are float32
        high, low = (weight // 65536).float(), (weight % 65536).float()
        return embedding(index, high)._cast(int32) * 65536 + embedding(index, low)._cast(int32)
    if weight._dtype is not float32:
        return embedding(index, elementwise.as_float(weight))._cast(weight._dtype)
    kept = index
    index, table = index.contiguous(), weight.contiguous()
    V, C = table._shape
    n = index.numel()
    out = like(table, index._shape + (C,))
    if numel_of(out._shape):
        launch(kernels.embedding, (out, table, index), (n, C, V))
    if needs_grad(weight):

        def backward(dy):
            dtable = like(table)
            launch(kernels.embedding_backward, (dtable, dy.contiguous(), index), (n, C, V))
            return (dtable,)

        attach("embedding", (out,), (weight,), backward, (kept,))
    return out
