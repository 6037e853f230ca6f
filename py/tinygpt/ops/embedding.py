"""Rows of a table by index, and rows written by index; the gradient of a read adds each output's
gradient to its row.
"""

from __future__ import annotations

from .. import kernels
from ..core.autograd import attach, needs_grad
from ..core.factory import full, like
from ..core.tensor import Tensor, float32, int8, int16, int32, int64, numel_of, uint8
from ..graph.program import launch
from . import elementwise

INDEX = (int32, int64, int16, uint8, int8)  # dtypes of what counts


def as_index(index: Tensor) -> Tensor:
    """Integers as int32, which the kernels read. What int32 does not hold becomes its least or its
    largest number: no table has such a row.
    """
    if index._dtype is int32:
        return index
    if index._dtype is int64:
        index = index.detach().contiguous()
        out = like(index, dtype=int32)
        if out.numel():
            launch(kernels.to_index, (out, index), (int64.code, index.numel()))
        return out
    return index._cast(int32)


def embedding(index: Tensor, weight: Tensor) -> Tensor:
    """weight[index]: the row of `weight` for each index.

    index: integers [...]. weight: [V, C]. Returns [..., C] in weight's dtype. RuntimeError for
    other dtypes or ranks, IndexError for an index outside the table.
    """
    if weight.ndim != 2:
        raise RuntimeError("embedding: weight must be 2-D, not %s" % list(weight._shape))
    if not isinstance(index, Tensor) or index._dtype not in INDEX:
        raise RuntimeError(
            "embedding: expected an integer tensor of indices, got %s"
            % (index._dtype.name if isinstance(index, Tensor) else type(index).__name__)
        )
    elementwise.same_device(index, weight)
    return rows(as_index(index), weight)


def rows(index: Tensor, table: Tensor) -> Tensor:
    """embedding of an int32 index and a table of any dtype."""
    kept, weight = index, table
    index, table = index.contiguous(), table.contiguous()
    V, C = table._shape
    n = index.numel()
    out = like(table, index._shape + (C,))
    if numel_of(out._shape):
        if table._dtype is float32:
            launch(kernels.embedding, (out, table, index), (n, C, V))
        else:
            launch(kernels.take, (out, table, index), (table._dtype.code, n, C, V))
    if needs_grad(weight):

        def backward(dy):
            if table._dtype is float32:
                dtable = like(table)
                launch(kernels.embedding_backward, (dtable, dy.contiguous(), index), (n, C, V))
                return (dtable,)
            return (put(full((V, C), 0, table._dtype, table.device), index, dy, accumulate=True),)

        attach("embedding", (out,), (weight,), backward, (kept,))
    return out


def put(table: Tensor, index: Tensor, values: Tensor, accumulate: bool = False) -> Tensor:
    """Writes `values` [..., C] into the rows of `table` [V, C] (dense) that index (int32) names, or
    adds them. Returns table; no gradient here.

    Of equal indices the last one is written. A sum of 16-bit floats is made in float32.
    """
    dtype = table._dtype
    if accumulate and dtype.is_floating_point and dtype.computed is not dtype:
        wide = put(table._cast(float32), index, values._cast(float32), accumulate)
        elementwise.copy_into(table, wide)
        return table
    V, C = table._shape
    index, values = index.contiguous(), values.detach().contiguous()
    n = index.numel()
    if n and C:
        launch(kernels.put, (table, values, index), (dtype.code, int(accumulate), n, C, V))
    return table
