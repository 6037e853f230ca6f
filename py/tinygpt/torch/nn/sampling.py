"""Images sampled at the places of a grid (spatial transformers, Jaderberg et al. 2015): affine_grid
and grid_sample, composed of ops with gradients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...core.factory import tensor
from ...core.tensor import Tensor, int32
from ...ops import elementwise, matmul
from ...ops import pooling as ops
from ..keywords import Unsupported

if TYPE_CHECKING:
    from collections.abc import Sequence

MODES, PADDINGS = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The places [N, H, W, 2] (or [N, D, H, W, 3]) that theta [N, 2, 3] (or [N, 3, 4]) gives those
    of an image of `size` (N, C, H, W), from -1 to 1.
    """
    if not theta._dtype.is_floating_point:
        raise ValueError("Expected theta to have floating point type, but got %s" % theta._dtype.name)
    n = len(size) - 2
    if n not in (2, 3):
        raise NotImplementedError("affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms")
    if theta.ndim != 3 or theta._shape[1:] != (n, n + 1):
        raise ValueError(
            "Expected a batch of %dD affine matrices of shape Nx%dx%d for size %s. Got %s."
            % (n, n, n + 1, list(size), list(theta._shape))
        )
    if min(size) <= 0:
        raise ValueError("Expected non-zero, positive output size. Got %s" % list(size))
    axes: list[list[float]] = []
    for count in size[2:]:
        if align_corners:
            axes.append([2 * i / (count - 1) - 1 if count > 1 else 0.0 for i in range(count)])
        else:
            axes.append([(2 * i + 1) / count - 1 for i in range(count)])
    places: list[list[float]] = [[]]
    for axis in axes:
        places = [[value, *place] for place in places for value in axis]
    base = tensor([[*place, 1.0] for place in places], dtype=theta._dtype, device=theta.device)
    return matmul.matmul(base, theta.transpose(1, 2)).reshape(size[0], *size[2:], n)


def _places(at: Any, size: int, align: bool, padding: str) -> Any:
    """Coordinates from -1 to 1 as places of `size` elements (grid_sampler_compute_source_index)."""
    at = (at + 1) * ((size - 1) / 2) if align else ((at + 1) * size - 1) * 0.5
    if padding == "reflection":
        low, span = (0.0, float(size - 1)) if align else (-0.5, float(size))
        if not span:
            return at * 0.0
        at = (at - low).abs()
        turns = (at / span).floor()
        rest = at - turns * span
        even = elementwise.compare("eq", elementwise.remainder(turns, 2.0), 0.0)
        at = elementwise.where(even, rest, span - rest) + low
    return at if padding == "zeros" else elementwise.clamp(at, 0.0, float(size - 1))


def _read(x: Tensor, row: Any, column: Any, zeros: bool) -> Tensor:
    """x [N, C, H, W] at whole places [N, P], 0 outside where `zeros`: [N, C, P]."""
    N, C, H, W = x._shape
    inside = [elementwise.clamp(v.detach(), 0.0, n - 1.0) for v, n in ((row, H), (column, W))]
    flat = (inside[0] * W + inside[1])._cast(int32)
    P = flat._shape[-1]
    found = ops.gather(x, flat.reshape(N, 1, P).expand(N, C, P).contiguous(), N * C)
    if not zeros:
        return found
    known = [elementwise.compare("eq", v.detach(), w) for v, w in zip((row, column), inside)]
    return elementwise.where(elementwise.logical_and(*known).reshape(N, 1, P), found, 0.0)


def grid_sample(
    input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None
) -> Tensor:
    """input [N, C, H, W] at the places of grid [N, H', W', 2], (x, y) from -1 to 1: [N, C, H', W'].

    mode: bilinear or nearest. padding_mode: what is outside: zeros, border or reflection.
    """
    if mode not in MODES:
        raise ValueError("nn.functional.grid_sample(): expected mode to be one of %s, but got: %r" % (MODES, mode))
    if padding_mode not in PADDINGS:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be one of %s, but got: %r" % (PADDINGS, padding_mode)
        )
    if mode == "bicubic" or input.ndim == 5:
        raise Unsupported("grid_sample is bilinear or nearest over [N, C, H, W] in TinyGPT's subset")
    elementwise.same_device(input, grid)
    if input._dtype is not grid._dtype:
        raise RuntimeError(
            "grid_sampler(): expected input and grid to have same dtype, but input has %s and grid has %s"
            % (input._dtype.name, grid._dtype.name)
        )
    if input.ndim != 4 or grid.ndim != 4 or grid._shape[0] != input._shape[0] or grid._shape[-1] != 2:
        raise RuntimeError(
            "grid_sampler(): expected input [N, C, H, W] and grid [N, H', W', 2], but got %s and %s"
            % (list(input._shape), list(grid._shape))
        )
    N, C, H, W = input._shape
    if 0 in (H, W):
        raise RuntimeError("grid_sampler(): expected input to have non-empty spatial dimensions, not %s" % [H, W])
    places, zeros = grid.reshape(N, -1, 2), padding_mode == "zeros"
    column = _places(places.select(2, 0), W, bool(align_corners), padding_mode)
    row = _places(places.select(2, 1), H, bool(align_corners), padding_mode)
    if mode == "nearest":
        out = _read(input, row.detach().round(), column.detach().round(), zeros)
    else:
        top, left = row.detach().floor(), column.detach().floor()
        down, right = (row - top).unsqueeze(1), (column - left).unsqueeze(1)
        above = _read(input, top, left, zeros) * (1 - right) + _read(input, top, left + 1, zeros) * right
        below = _read(input, top + 1, left, zeros) * (1 - right) + _read(input, top + 1, left + 1, zeros) * right
        out = above * (1 - down) + below * down
    return out.reshape(N, C, *grid._shape[1:3])
