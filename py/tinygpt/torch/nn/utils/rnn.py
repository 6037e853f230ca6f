"""torch.nn.utils.rnn: sequences of many lengths, padded to one tensor or packed step by step."""

# pyright: basic
from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ....core.factory import full, tensor
from ....core.tensor import Tensor, float16, float32, float64, int8, int16, int32, int64, uint8
from ....core.tensor import dtype as DType
from ....ops import embedding, movement

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Packed):
    """The elements of sequences step by step: data [sum of lengths, ...], and how many each step
    has.

    batch_sizes: int64 [T], which decrease. sorted_indices: the order of the sequences by length,
    None where they came sorted; unsorted_indices: the way back.
    """

    def __new__(
        cls, data: Any, batch_sizes: Any = None, sorted_indices: Any = None, unsorted_indices: Any = None
    ) -> PackedSequence:
        if batch_sizes is None:
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """data as another dtype or on another device."""
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else type(self)(data, *self[1:])

    def cpu(self) -> PackedSequence:
        """The sequences on the CPU."""
        return self.to("cpu")

    def pin_memory(self) -> PackedSequence:
        """Itself: no memory is pinned here."""
        return self

    @property
    def is_cuda(self) -> bool:
        """False."""
        return False

    def is_pinned(self) -> bool:
        """False."""
        return False


def _as(dtype: DType) -> Any:
    def method(self: PackedSequence) -> PackedSequence:
        return self.to(dtype)

    method.__doc__ = "data as %s." % dtype.name
    return method


for _name, _dtype in {
    "double": float64, "float": float32, "half": float16, "long": int64, "int": int32, "short": int16, "char": int8,
    "byte": uint8,
}.items():  # fmt: skip
    setattr(PackedSequence, _name, _as(_dtype))


def permuted(x: Tensor, order: Tensor | None) -> Tensor:
    """x [layers, B, H] with its sequences in another order."""
    return x if order is None else x[:, order]


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes this one."""
    if permutation is None:
        return None
    order = permutation.tolist()
    back = [0] * len(order)
    for at, i in enumerate(order):
        back[i] = at
    return tensor(back, int64, permutation.device)


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Sequences padded to one tensor, packed. input: [T, B, ...], or [B, T, ...] with batch_first.

    lengths: a list or a tensor of B ints, decreasing unless enforce_sorted is False.
    """
    counts = [int(n) for n in (lengths.tolist() if isinstance(lengths, Tensor) else lengths)]
    x, order = input, None
    if not enforce_sorted:
        order = sorted(range(len(counts)), key=lambda b: -counts[b])  # stable, as PyTorch's on a CPU
        counts = [counts[b] for b in order]
    if not x.numel():
        raise RuntimeError("Cannot pack empty tensors.")
    x = x.transpose(0, 1) if batch_first else x
    T, B = x.shape[:2]
    if len(counts) != B:
        raise RuntimeError(
            "Expected `len(lengths)` to be equal to batch_size, but got %d (batch_size=%d)" % (len(counts), B)
        )
    if min(counts) <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if any(a < b for a, b in zip(counts, counts[1:])):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement"
        )
    if counts[0] > T:
        raise RuntimeError("a length is %d, more than the %d steps of the input" % (counts[0], T))
    sizes = [sum(n > t for n in counts) for t in range(counts[0])]
    places = [t * B + (b if order is None else order[b]) for t, n in enumerate(sizes) for b in range(n)]
    data = _rows(x.reshape(T * B, *x.shape[2:]), places)
    indices = None if order is None else tensor(order, int64, x.device)
    return PackedSequence(data, tensor(sizes, int64), indices)


def _rows(x: Tensor, places: list[int]) -> Tensor:
    """x[places] along the first dimension."""
    found = embedding.rows(tensor(places, int32, x.device), x.reshape(x.size(0), -1))
    return found.reshape(len(places), *x.shape[1:])


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """Packed sequences, padded: ([T, B, ...] or [B, T, ...], lengths int64 [B])."""
    data, batch_sizes, _, unsorted_indices = sequence
    sizes = batch_sizes.tolist()
    T, B = len(sizes), sizes[0]
    if total_length is not None:
        if total_length < T:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, but got "
                "total_length=%d and max sequence length being %d" % (total_length, T)
            )
        T = total_length
    pad = full((1, *data.shape[1:]), padding_value, data.dtype, data.device)
    places, first = [], 0
    for n in [*sizes, *[0] * (T - len(sizes))]:
        places += [*range(first, first + n), *[data.size(0)] * (B - n)]
        first += n
    padded = _rows(movement.cat([data, pad]), places).reshape(T, B, *data.shape[1:])
    lengths = tensor([sum(n > b for n in sizes) for b in range(B)], int64)
    padded = padded.transpose(0, 1) if batch_first else padded
    if unsorted_indices is None:
        return padded, lengths
    return (padded[unsorted_indices] if batch_first else padded[:, unsorted_indices]), lengths[unsorted_indices]


def pad_sequence(
    sequences: Any, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Sequences [T_i, ...] as one tensor [T, B, ...] ([B, T, ...] with batch_first), padded at one
    side.
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            "pad_sequence: Expected iterable for input sequences, but got arg of type: %s" % type(sequences)
        )
    if padding_side not in ("left", "right"):
        raise RuntimeError("Expected padding_side to be one of left or right, but got %s." % padding_side)
    given = list(sequences)
    if not given:
        raise RuntimeError("received an empty list of sequences")
    longest = max(x.size(0) for x in given)
    padded = []
    for x in given:
        if x.size(0) < longest:
            pad = full((longest - x.size(0), *x.shape[1:]), padding_value, x.dtype, x.device)
            x = movement.cat([x, pad] if padding_side == "right" else [pad, x])
        padded.append(x)
    return movement.stack(padded, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """The sequences of a padded tensor: [length, ...] each."""
    x = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[:n].clone() for row, n in zip(x, lengths.tolist(), strict=True)]


def pack_sequence(sequences: list[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Sequences [T_i, ...], packed; of decreasing length unless enforce_sorted is False."""
    return pack_padded_sequence(pad_sequence(sequences), [x.size(0) for x in sequences], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences of a PackedSequence, in the order in which they came."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
