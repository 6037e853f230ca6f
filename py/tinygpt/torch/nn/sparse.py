"""Rows of a table by index: functions and modules."""

from __future__ import annotations

from typing import Any

from ...core.autograd import TWICE, attach, needs_grad, written
from ...core.factory import full
from ...core.state import no_grad
from ...core.tensor import Tensor, int32, int64
from ...nn import Embedding, Module, Parameter
from ...ops import elementwise, movement
from ...ops import embedding as tables
from ..front import extends
from . import init, parameter
from .ranking import norm_of

__all__ = ["Embedding", "EmbeddingBag"]
FUNCTIONS = ["embedding", "embedding_bag", "one_hot"]

LIMITED = dict.fromkeys(
    ("Embedding", "EmbeddingBag", "embedding", "embedding_bag"),
    "sparse=True is refused: the gradient is dense, with the same numbers",
)
_SPARSE = "sparse=True makes a sparse gradient, which is not here; leave it out: the dense one has the same numbers"


def _padding(index: int | None, rows: int) -> int | None:
    """padding_idx from 0 on. AssertionError outside the table."""
    if index is None:
        return None
    if not -rows <= index < rows:
        raise AssertionError("Padding_idx must be within num_embeddings")
    return index % rows


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """weight[input]: integers [...], weight [V, C] -> [..., C].

    padding_idx: a row that gets no gradient. max_norm: rows that are read are scaled to this norm
    in place where theirs is larger. scale_grad_by_freq: divides a row's gradient by how often it is
    read. RuntimeError for other dtypes or ranks, IndexError for an index outside the table.
    """
    if sparse:
        raise RuntimeError(_SPARSE)
    if input._dtype not in (int32, int64):
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
            "%s instead (while checking arguments for embedding)" % input._dtype.name
        )
    padding = _padding(padding_idx, weight._shape[0])
    if max_norm is not None:
        _renorm(weight, input, max_norm, norm_type)
    out = tables.embedding(input, weight)
    if (padding is None and not scale_grad_by_freq) or not needs_grad(out):
        return out
    factor = _row_factor(input, weight, padding, scale_grad_by_freq)
    shown = out.detach()
    attach("Embedding", (shown,), (out,), lambda dy: (dy * factor,), ())  # a name of its own in TWICE
    return shown


TWICE["Embedding"] = None


def _row_factor(index: Tensor, weight: Tensor, padding: int | None, by_frequency: bool) -> Tensor:
    """By what each row's gradient is multiplied, [..., 1]."""
    rows, flat = weight._shape[0], tables.as_index(index).reshape(-1)
    factor = full((rows, 1), 1.0, weight._dtype, weight.device)
    if by_frequency:
        ones = full((flat.numel(), 1), 1.0, weight._dtype, weight.device)
        counts = tables.put(factor.mul(0.0), flat, ones, accumulate=True)
        factor = elementwise.rdiv(counts, 1)
    if padding is not None:
        factor = elementwise.where(movement.arange(rows, device=weight.device).unsqueeze(-1) == padding, 0.0, factor)
    return tables.rows(flat, factor).reshape(*index._shape, 1)


def _renorm(weight: Tensor, index: Tensor, max_norm: float, norm_type: float) -> None:
    """Scales the rows that index names to at most max_norm, in place."""
    with no_grad():
        flat = tables.as_index(index).reshape(-1)
        rows = tables.rows(flat, weight.detach())
        norm = norm_of(rows, norm_type)
        scale = elementwise.where(norm > max_norm, max_norm / (norm + 1e-7), 1.0)
        tables.put(weight.detach(), flat, rows * scale)
        written(weight)


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Sums, means or maxima of rows of `weight` [V, C], bag by bag: [B, C].

    input: integers [B, N], a bag each row, or [N] with `offsets` [B], where each bag begins.
    per_sample_weights: a factor for each index, with mode "sum". padding_idx: no part of a bag.
    ValueError for other shapes or another mode.
    """
    if per_sample_weights is not None and input._shape != per_sample_weights._shape:
        raise ValueError(
            "embedding_bag: per_sample_weights of shape %s must have the shape of the input, %s"
            % (list(per_sample_weights._shape), list(input._shape))
        )
    if weight.ndim != 2:
        raise ValueError("weight has to be a 2D Tensor, but got Tensor of dimension %d" % weight.ndim)
    if input.ndim == 2 and offsets is not None:
        raise ValueError("if input is 2D, then offsets has to be None, as a row of input is a bag")
    if input.ndim == 1 and (offsets is None or offsets.ndim != 1):
        raise ValueError("offsets has to be a 1D Tensor")
    if input.ndim not in (1, 2):
        raise ValueError("input has to be 1D or 2D Tensor, but got Tensor of dimension %d" % input.ndim)
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError("embedding_bag: per_sample_weights needs mode='sum', not mode=%r" % mode)
    rows = embedding(input.reshape(-1), weight, None, max_norm, norm_type, scale_grad_by_freq, sparse)
    belongs = _bags(input, offsets, include_last_offset)
    if padding_idx is not None:
        kept = input.reshape(-1) != _padding(padding_idx, weight._shape[0])
        belongs = elementwise.logical_and(belongs, kept)
    if mode == "max":
        filled = elementwise.where(belongs.unsqueeze(-1), rows.unsqueeze(0), -float("inf"))
        some = belongs.int().max(1, keepdim=True)[0] > 0
        return elementwise.where(some, filled.max(1)[0], 0.0)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.reshape(-1, 1)
    share = belongs._cast(rows._dtype)
    out = share @ rows
    return out if mode == "sum" else out / share.sum(1, keepdim=True).clamp(min=1)


def _bags(input: Tensor, offsets: Tensor | None, include_last: bool) -> Tensor:
    """bool [bags, indices]: which index is in which bag."""
    place = movement.arange(input.numel(), device=input.device)
    if offsets is None:
        B, N = input._shape
        first = movement.arange(B, device=input.device).unsqueeze(-1) * N
        last = first + N
    else:
        if offsets.numel() and offsets[0].item() != 0:
            raise RuntimeError("offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start at 0")
        first = offsets.unsqueeze(-1)
        end = full((1, 1), input.numel(), first._dtype, first.device)
        last = first[1:] if include_last else movement.cat([first[1:], end])
        first = first[:-1] if include_last else first
    return elementwise.logical_and(place >= first, place < last)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """int64 [...] -> int64 [..., num_classes]: 1 at the index, 0 elsewhere.

    num_classes -1: one more than the largest index, which is read. RuntimeError for an index
    outside and for another dtype.
    """
    if tensor._dtype is not int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor, not %s" % tensor._dtype.name)
    if not tensor.numel():
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        return full((*tensor._shape, num_classes), 0, int64, tensor.device)
    if tensor.min().item() < 0:
        raise RuntimeError("Class values must be non-negative.")
    largest = int(tensor.max().item())
    if num_classes == -1:
        num_classes = largest + 1
    elif num_classes < 1:
        raise RuntimeError("num_classes should be positive")
    elif largest >= num_classes:
        raise RuntimeError("Class values must be smaller than num_classes.")
    return (tensor.unsqueeze(-1) == movement.arange(num_classes, device=tensor.device))._cast(int64)


def _table(module: Any, weight: Tensor | None, frozen: bool, device: Any, dtype: Any) -> None:
    """Gives the module its weight: new, or the one that was given."""
    shape = module.num_embeddings, module.embedding_dim
    if weight is None:
        module.weight = parameter.new(*shape, device=device, dtype=dtype)
        module.weight.requires_grad_(not frozen)
        module.reset_parameters()
    elif weight._shape != shape:
        raise AssertionError("Shape of weight does not match num_embeddings and embedding_dim")
    else:
        module.weight = Parameter(weight, requires_grad=not frozen)


def _reset(module: Any) -> None:
    init.normal_(module.weight)
    if module.padding_idx is not None:
        with no_grad():
            module.weight[module.padding_idx].fill_(0)


def _pretrained_size(embeddings: Tensor) -> tuple[int, int]:
    if embeddings.ndim != 2:
        raise AssertionError("Embeddings parameter is expected to be 2-dimensional")
    rows, columns = embeddings._shape
    return rows, columns


@extends(Embedding)
class _Embedding:
    __constants__ = ["num_embeddings", "embedding_dim", "padding_idx", "max_norm", "norm_type", "scale_grad_by_freq"]

    def __init__(
        self: Any,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        Module.__init__(self)
        if sparse:
            raise RuntimeError(_SPARSE)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = _padding(padding_idx, num_embeddings)
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        _table(self, _weight, _freeze, device, dtype)

    def reset_parameters(self: Any) -> None:
        """Standard normal numbers, zeros in the row padding_idx."""
        _reset(self)

    def forward(self: Any, input: Tensor) -> Tensor:
        """input integers [...] -> [..., embedding_dim]. IndexError outside num_embeddings."""
        if self.padding_idx is None and self.max_norm is None and not self.scale_grad_by_freq:
            return tables.embedding(input, self.weight)
        return embedding(
            input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse
        )

    def extra_repr(self: Any) -> str:
        text = "%s, %s" % (self.num_embeddings, self.embedding_dim)
        for name, default in (
            ("padding_idx", None),
            ("max_norm", None),
            ("norm_type", 2),
            ("scale_grad_by_freq", False),
        ):
            value = getattr(self, name)
            text += "" if value == default else ", %s=%s" % (name, value)
        return text

    @classmethod
    def from_pretrained(
        cls: Any,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Any:
        """An Embedding of a table [V, C]. freeze: without a gradient."""
        settings = padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse
        return cls(*_pretrained_size(embeddings), *settings, _weight=embeddings, _freeze=freeze)


class EmbeddingBag(Module):
    """Sums, means or maxima of rows of weight [num_embeddings, embedding_dim], bag by bag."""

    weight: Any

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if sparse:
            raise RuntimeError(_SPARSE)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.max_norm, self.norm_type, self.scale_grad_by_freq = max_norm, norm_type, scale_grad_by_freq
        self.padding_idx = _padding(padding_idx, num_embeddings)
        _table(self, _weight, False, device, dtype)
        self.mode, self.sparse, self.include_last_offset = mode, sparse, include_last_offset

    def reset_parameters(self) -> None:
        """Standard normal numbers, zeros in the row padding_idx."""
        _reset(self)

    def forward(self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None) -> Tensor:
        """As functional.embedding_bag."""
        return embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self) -> str:
        text = "%s, %s" % (self.num_embeddings, self.embedding_dim)
        for name, default in (
            ("max_norm", None),
            ("norm_type", 2),
            ("scale_grad_by_freq", False),
            ("mode", None),
            ("padding_idx", None),
        ):
            value = getattr(self, name)
            text += "" if value == default else ", %s=%r" % (name, value)
        return text

    @classmethod
    def from_pretrained(
        cls: Any,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> Any:
        """An EmbeddingBag of a table [V, C]. freeze: without a gradient."""
        settings = max_norm, norm_type, scale_grad_by_freq, mode, sparse, embeddings, include_last_offset, padding_idx
        made = cls(*_pretrained_size(embeddings), *settings)
        made.weight.requires_grad = not freeze
        return made
