"""Weights that came as int8: spread out to float32, which is trained and looked at, and read as int8 where one token is decoded.

Decoding reads every weight once for each token: on a CPU the memory is what it waits for, and a quarter of the bytes is most of
the time. A Storage holds the int8 form as long as nobody writes to it (`program.forget_int8`): then both forms are the same numbers.
"""

from .. import kernels
from ..autograd import wanted
from ..creation import empty
from ..program import launch
from ..tensor import int8


def fill(x, data, scales):
    """x [N, ...] = int8 numbers times their row's scale. data, scales: the bytes of int8 [N, ...] and float32 [N]."""
    rows, columns = x.shape[0], x.numel() // x.shape[0]
    q = empty((rows, columns), dtype=int8, device=x.device).copy_bytes_(data)
    s = empty((rows,), device=x.device).copy_bytes_(scales)
    launch(kernels.dequantize_int8, (x, q, s), (rows, columns))
    storage = x._storage
    if x._offset == 0 and storage.nbytes == 4 * x.numel() and not storage.pins and not x.device.volatile:
        storage.int8 = q, s  # no Program that was recorded before writes here


def applies(x, weight, bias):
    """Whether `x @ weight.T + bias` may read the weight's int8 form."""
    storage = weight._storage
    return storage.int8 is not None and storage.int8[0].shape == weight.shape and not wanted(x, weight, bias)


def linear(x, weight, bias, out):
    """out = x @ weight.T + bias from the int8 form; x [1, K]."""
    q, scale = weight._storage.int8
    launch(kernels.int8_matmul, (out, x, q, scale, bias), (x.shape[0], *q.shape))
