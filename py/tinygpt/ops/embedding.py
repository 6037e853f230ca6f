"""Embedding: rows of a table by index; the gradient adds each output's gradient to its row."""

from .. import kernels
from ..autograd import attach, wanted
from ..creation import like
from ..program import launch
from ..tensor import Tensor, float32, int32, numel_of
from . import elementwise


def embedding(index, weight):
    """weight[index]: index int32 [...], weight [V, C] -> [..., C]. IndexError when an index lies outside the table."""
    if weight.ndim != 2:
        raise RuntimeError("embedding: weight must be 2-D, not %s" % list(weight.shape))
    if not isinstance(index, Tensor) or index.dtype is not int32:
        raise RuntimeError(
            "embedding: expected an int32 tensor of indices, got %s"
            % (index.dtype.name if isinstance(index, Tensor) else type(index).__name__)
        )
    elementwise.same_device(index, weight)
    if weight.dtype is not float32:
        return embedding(index, elementwise.as_float(weight))._cast(weight.dtype)
    index, table = index.contiguous(), weight.contiguous()
    v, c = table.shape
    n = index.numel()
    out = like(table, index.shape + (c,))
    if numel_of(out.shape):
        launch(kernels.embedding, (out, table, index), (n, c, v))
    if wanted(weight):

        def backward(dy):
            dtable = like(table)
            launch(kernels.embedding_backward, (dtable, dy.contiguous(), index), (n, c, v))
            return (dtable,)

        attach("embedding", (out,), (weight,), backward)
    return out
