"""Weights that came as int8: spread out to float32, which is trained and looked at, and read as
int8 where one token is decoded.

Decoding reads every weight once for each token: on a CPU the memory is what it waits for, and a
quarter of the bytes is most of the time. A Storage holds the int8 form as long as nobody writes to
it (`program.forget_int8`): then both forms are the same numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import kernels
from ..core.autograd import needs_grad, written
from ..core.factory import empty
from ..core.tensor import int8
from ..graph.program import launch

if TYPE_CHECKING:
    from typing import Any

    from ..core.tensor import Tensor


def fill(x: Tensor, data: Any, scales: Any) -> None:
    """x = int8 numbers times their row's scale.

    x: float32 [N, ...]. data, scales: the bytes of int8 [N, ...] and float32 [N]. The storage keeps
    the int8 form where x fills it, no Program has its place built in, and the device is not
    volatile.
    """
    N, K = x._shape[0], x.numel() // x._shape[0]
    q = empty((N, K), dtype=int8, device=x.device).copy_bytes_(data)
    s = empty((N,), device=x.device).copy_bytes_(scales)
    launch(kernels.dequantize_int8, (x, q, s), (N, K))
    storage = written(x)._storage.counted()
    whole = x._offset == 0 and storage.owner is None and storage.nbytes == 4 * x.numel()
    if whole and not storage.pins and not x.device.volatile:
        storage.int8 = q, s  # no Program that was recorded before writes here


def applies(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Whether `x @ weight.T + bias` may read the weight's int8 form."""
    storage = weight._storage
    return storage.int8 is not None and storage.int8[0]._shape == weight._shape and not needs_grad(x, weight, bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor) -> None:
    """out = x @ weight.T + bias from the weight's int8 form, which `applies` has found.

    x: float32 [1, K]. weight: [N, K]. bias: float32 [N] or None. out: float32 of N elements.
    """
    w, scale = weight._storage.int8  # pyright: ignore[reportGeneralTypeIssues]: `applies` has found it
    M, (N, K) = x._shape[0], w._shape
    launch(kernels.int8_matmul, (out, x, w, scale, bias), (M, N, K))
