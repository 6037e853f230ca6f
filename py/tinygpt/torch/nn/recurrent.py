"""RNN, LSTM, GRU and their cells. The arithmetic is ops/recurrent.py's: one launch over all steps
for each direction of a layer.
"""

# pyright: basic
from __future__ import annotations

import math
import numbers
import warnings
from typing import Any

from ...core.autograd import TWICE
from ...core.tensor import Tensor
from ...nn import Module, Parameter
from ...ops import movement, random, recurrent
from . import init, parameter
from .utils.rnn import PackedSequence, permuted

__all__ = ["GRU", "GRUCell", "LSTM", "LSTMCell", "RNN", "RNNBase", "RNNCell", "RNNCellBase"]
FUNCTIONS: list[str] = []
LIMITED = dict.fromkeys(
    ("LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"),
    "16-bit floats are computed as float32 through a layer, and rounded behind it; PyTorch rounds at each step",
)
GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
CELLS = {"LSTM": "lstm", "GRU": "gru", "RNN_TANH": "tanh", "RNN_RELU": "relu"}


def _spread(module: Module, hidden_size: int) -> None:
    """Every parameter uniform in +-1/sqrt(H), in their order."""
    bound = 1.0 / math.sqrt(hidden_size) if hidden_size > 0 else 0.0
    for weight in module.parameters():
        init.uniform_(weight, -bound, bound)


def _again(node: Any, kept: dict[str, Any], *incoming: Any) -> Any:
    """The gradients of a layer with a graph of their own: of its steps, composed of other ops."""
    from ..autograd.engine import at, gradients  # start-up does not wait for it

    given, weights, lstm = kept["given"], kept["weights"], kept["lstm"]
    places = [i for i, edge in enumerate(node.edges) if edge is not None]
    inputs = list(given)
    for i in places:  # Nodes of their own, where the inner walk ends
        inputs[i] = movement.alias(at(given[i], node.edges[i]))
    left = iter(inputs)
    x, h0, c0 = next(left), next(left), next(left) if lstm else None
    lead, x = x.shape[:-1], x.reshape(-1, x.size(-1))
    made = []
    for d, own in enumerate(weights):
        copies: Any = tuple([w if w is None else next(left) for w in own])
        c = c0 if c0 is None else c0[d]
        made.append(recurrent.stepwise(kept["cell"], x, h0[d], c, copies, None, kept["sizes"], d == 1))
    outputs = [movement.cat([y for y, _, _ in made], 1).reshape(*lead, -1)]
    outputs += [movement.stack([v[i] for v in made]) for i in ((1, 2) if lstm else (1,))]
    roots = [(out, dy) for out, dy in zip(outputs, incoming) if dy is not None]
    found = dict(zip(places, gradients(roots, [inputs[i] for i in places], True, True)))
    return [found.get(i) for i in range(len(inputs))]


TWICE.update(dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), _again))


class RNNBase(Module):
    """What RNN, LSTM and GRU share: parameters weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0
    (and weight_hr_l0 of a projection), with the suffix _reverse for the other direction, for each
    layer.
    """

    weight_ih_l0: Parameter

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.mode, self.input_size, self.hidden_size, self.num_layers = mode, input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        if not isinstance(dropout, numbers.Number) or not 0 <= dropout <= 1 or isinstance(dropout, bool):
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
            )
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
                "num_layers greater than 1, but got dropout=%s and num_layers=%s" % (dropout, num_layers),
                stacklevel=2,
            )
        for name, value, kind in (
            ("bias", bias, bool),
            ("batch_first", batch_first, bool),
            ("input_size", input_size, int),
            ("hidden_size", hidden_size, int),
        ):
            if not isinstance(value, kind):
                raise TypeError("%s should be of type %s, got: %s" % (name, kind.__name__, type(value).__name__))
        for name, value in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            if value <= 0:
                raise ValueError("%s must be greater than zero" % name)
        if proj_size < 0:
            raise ValueError("proj_size should be a positive integer or zero to disable projections")
        if proj_size >= hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")
        if mode not in GATES:
            raise ValueError("Unrecognized RNN mode: %s" % mode)
        rows, state_size = GATES[mode] * hidden_size, proj_size or hidden_size
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            for suffix in ("", "_reverse")[: 2 if bidirectional else 1]:
                below = input_size if layer == 0 else state_size * (2 if bidirectional else 1)
                shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, below), "weight_hh": (rows, state_size)}
                if bias:
                    shapes.update(bias_ih=(rows,), bias_hh=(rows,))
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                names = ["%s_l%d%s" % (name, layer, suffix) for name in shapes]
                for name, shape in zip(names, shapes.values()):
                    setattr(self, name, parameter.new(*shape, device=device, dtype=dtype))
                self._all_weights.append(names)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Every parameter uniform in +-1/sqrt(hidden_size)."""
        _spread(self, self.hidden_size)

    def flatten_parameters(self) -> None:
        """Does nothing: the parameters of a CPU's kernel need not be one piece of memory."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each direction of each layer."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self) -> list[Parameter]:
        return [getattr(self, name) for name in self._flat_weights_names]

    def check_input(self, input: Tensor, batch_sizes: Any) -> None:
        """ValueError or RuntimeError for an input of another dtype, rank or width."""
        dtype = self.weight_ih_l0.dtype
        if input.dtype is not dtype:
            raise ValueError(
                "RNN input dtype (%r) does not match weight dtype (%r). Convert input: input.to(%r), or convert "
                "model: model.to(%r)" % (input.dtype, dtype, dtype, input.dtype)
            )
        rank = 3 if batch_sizes is None else 2
        if input.dim() != rank:
            raise RuntimeError("input must have %d dimensions, got %d" % (rank, input.dim()))
        if self.input_size != input.size(-1):
            raise RuntimeError(
                "input.size(-1) must be equal to input_size. Expected %d, got %d" % (self.input_size, input.size(-1))
            )

    def forward(self, input: Any, hx: Any = None) -> Any:
        """(output [T, B, D * H], hx behind the last step).

        input: [T, B, C]. hx: [D * layers, B, H], zeros where it is None.

        [B, T, C] with batch_first, [T, C] without a batch; a PackedSequence too. Of an LSTM hx is
        (h, c).
        """
        lstm, packed = self.mode == "LSTM", isinstance(input, PackedSequence)
        label = "RNN" if self.mode.startswith("RNN") else self.mode
        batch_sizes = sorted_indices = unsorted_indices = None
        batched = True
        states = None if hx is None else list(hx) if lstm else [hx]
        if packed:
            x, batch_sizes, sorted_indices, unsorted_indices = input
        else:
            if input.dim() not in (2, 3):
                raise ValueError(
                    "%s: Expected input to be 2D or 3D, got %dD%s instead"
                    % (label, input.dim(), " tensor" if label == "RNN" else "")
                )
            batched = input.dim() == 3
            if states is not None:
                self._check_ranks(states, batched)
            x = input if batched else input.unsqueeze(0 if self.batch_first else 1)
            if not batched and states is not None:
                states = [v.unsqueeze(1) for v in states]
        self.check_input(x, batch_sizes)
        if batch_sizes is not None:
            sizes = batch_sizes.tolist()
        else:
            x = x.transpose(0, 1) if self.batch_first else x
            sizes = [x.size(1)] * x.size(0)
        count = self.num_layers * (2 if self.bidirectional else 1)
        B = sizes[0] if sizes else x.size(1)
        widths = (self.proj_size or self.hidden_size, self.hidden_size)[: 2 if lstm else 1]
        if states is None:
            states = [recurrent.zeros(x, count, B, width) for width in widths]
        else:
            states = [permuted(v, sorted_indices) for v in states]
            for i, (v, width) in enumerate(zip(states, widths)):
                if tuple(v.shape) != (count, B, width):
                    where = "hidden[%d]" % i if lstm else "hidden"
                    raise RuntimeError("Expected %s size %s, got %s" % (where, (count, B, width), list(v.shape)))
        if not sizes:
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
        y, states = self._layers(x, states, sizes)
        states = [permuted(v, unsorted_indices) for v in states]
        if packed:
            return PackedSequence(y, batch_sizes, sorted_indices, unsorted_indices), tuple(states) if lstm else states[
                0
            ]
        y = y.transpose(0, 1) if self.batch_first else y
        if not batched:
            y, states = y.squeeze(0 if self.batch_first else 1), [v.squeeze(1) for v in states]
        return y, tuple(states) if lstm else states[0]

    def _check_ranks(self, states: list[Tensor], batched: bool) -> None:
        rank = 3 if batched else 2
        if any(v.dim() != rank for v in states):
            kind = "batched 3-D" if batched else "unbatched 2-D"
            if len(states) == 2:
                found = "(%d-D, %d-D) tensors" % (states[0].dim(), states[1].dim())
                raise RuntimeError("For %s input, hx and cx should also be %d-D but got %s" % (kind, rank, found))
            raise RuntimeError(
                "For %s input, hx should also be %d-D but got %d-D tensor" % (kind, rank, states[0].dim())
            )

    def _layers(self, x: Tensor, states: list[Tensor], sizes: list[int]) -> tuple[Tensor, list[Tensor]]:
        """All layers over [T, B, C] or packed rows: (what the last one gives, the states behind
        the last steps).
        """
        if not x.numel():  # no sequence
            width = (self.proj_size or self.hidden_size) * (2 if self.bidirectional else 1)
            return recurrent.zeros(x, *x.shape[:-1], width), [v.clone() for v in states]
        D, cell = 2 if self.bidirectional else 1, CELLS[self.mode]
        ends: list[list[Tensor]] = [[] for _ in states]
        for layer in range(self.num_layers):
            weights = []
            for names in self._all_weights[layer * D : (layer + 1) * D]:
                own = [getattr(self, name) for name in names]
                weights.append((*own[:2], *(own[2:4] if self.bias else (None, None)), *own[4 if self.bias else 2 :]))
            first = [v[layer * D : (layer + 1) * D] for v in states]
            if self.proj_size:
                lead, x = x.shape[:-1], x.reshape(-1, x.size(-1))
                made: list[tuple[Tensor, Tensor, Any]] = [  # an LSTM's: each has a cell state
                    recurrent.stepwise(cell, x, first[0][d], first[1][d], own[:4], own[4], sizes, d == 1)
                    for d, own in enumerate(weights)
                ]
                x = movement.cat([y for y, _, _ in made], 1).reshape(*lead, -1)
                last = [movement.stack([v[i] for v in made]) for i in (1, 2)]
            else:
                x, *last = recurrent.layer(cell, x, first[0], first[1] if len(first) == 2 else None, weights, sizes)
            for end, v in zip(ends, last):
                assert v is not None  # ends has no place for a cell state that is not there
                end.append(v)
            if self.dropout and self.training and layer < self.num_layers - 1:
                x = random.dropout(x, self.dropout)
        return x, [end[0] if len(end) == 1 else movement.cat(end) for end in ends]

    def extra_repr(self) -> str:
        text = "%s, %s" % (self.input_size, self.hidden_size)
        for name, default in (
            ("proj_size", 0),
            ("num_layers", 1),
            ("bias", True),
            ("batch_first", False),
            ("dropout", 0),
            ("bidirectional", False),
        ):
            if getattr(self, name) != default:
                text += ", %s=%s" % (name, getattr(self, name))
        return text


class RNN(RNNBase):
    """h = tanh(W_ih x + b_ih + W_hh h + b_hh), or its relu (Elman 1990)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if len(args) > 3:
            nonlinearity, args = args[3], args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError("Unknown nonlinearity '%s'. Select from 'tanh' or 'relu'." % nonlinearity)
        super().__init__("RNN_" + nonlinearity.upper(), *args, **kwargs)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory (Hochreiter and Schmidhuber 1997); proj_size: of a projected state."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)


class GRU(RNNBase):
    """The gated recurrent unit (Cho et al. 2014), with the reset gate behind the product."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("GRU", *args, **kwargs)


class RNNCellBase(Module):
    """What the cells share: weight_ih, weight_hh, bias_ih and bias_hh."""

    bias_ih: Parameter | None
    bias_hh: Parameter | None
    nonlinearity: str  # of RNNCell alone
    _name = "RNNCell"

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = num_chunks * hidden_size
        self.weight_ih = parameter.new(rows, input_size, device=device, dtype=dtype)
        self.weight_hh = parameter.new(rows, hidden_size, device=device, dtype=dtype)
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, parameter.new(rows, device=device, dtype=dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Every parameter uniform in +-1/sqrt(hidden_size)."""
        _spread(self, self.hidden_size)

    def _step(self, cell: str, x: Tensor, states: list[Tensor]) -> list[Tensor]:
        """The states behind one step; x [B, C] or [C]."""
        batched = x.dim() == 2
        if not batched:
            x, states = x.unsqueeze(0), [v.unsqueeze(0) for v in states]
        if not states:
            states = [recurrent.zeros(x, x.size(0), self.hidden_size)] * (2 if cell == "lstm" else 1)
        if x.size(1) != self.input_size:
            raise RuntimeError("input has inconsistent input_size: got %d expected %d" % (x.size(1), self.input_size))
        for i, v in enumerate(states):
            if x.size(0) != v.size(0):
                raise RuntimeError(
                    "Input batch size %d doesn't match hidden%d batch size %d" % (x.size(0), i, v.size(0))
                )
            if v.size(1) != self.hidden_size:
                raise RuntimeError(
                    "hidden%d has inconsistent hidden_size: got %d, expected %d" % (i, v.size(1), self.hidden_size)
                )
        for v in (x, *states):
            if v.dtype is not self.weight_ih.dtype:
                raise RuntimeError(
                    "mat1 and mat2 must have the same dtype, but got %s and %s"
                    % (v.dtype.name, self.weight_ih.dtype.name)
                )
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        made = recurrent.cell(cell, x, states[0], states[1] if len(states) == 2 else None, weights)
        return [v if batched else v.squeeze(0) for v in made if v is not None]

    def _check_ranks(self, x: Tensor, states: list[Tensor]) -> None:
        if x.dim() not in (1, 2):
            raise ValueError("%s: Expected input to be 1D or 2D, got %dD instead" % (self._name, x.dim()))
        for i, v in enumerate(states):
            if v.dim() not in (1, 2):
                where = "hx[%d]" % i if len(states) == 2 else "hidden"
                raise ValueError("%s: Expected %s to be 1D or 2D, got %dD instead" % (self._name, where, v.dim()))

    def extra_repr(self) -> str:
        text = "%s, %s" % (self.input_size, self.hidden_size)
        if self.bias is not True:
            text += ", bias=%s" % self.bias
        return text + (
            ", nonlinearity=%s" % self.nonlinearity if getattr(self, "nonlinearity", "tanh") != "tanh" else ""
        )


class RNNCell(RNNCellBase):
    """One step of RNN."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """input [B, C] or [C], hx [B, H] or [H] -> h of hx's shape."""
        states = [] if hx is None else [hx]
        self._check_ranks(input, states)
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError("Unknown nonlinearity: %s" % self.nonlinearity)
        return self._step(self.nonlinearity, input, states)[0]


class LSTMCell(RNNCellBase):
    """One step of LSTM."""

    _name = "LSTMCell"

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """input [B, C] or [C], hx (h, c), each [B, H] or [H] -> (h, c)."""
        states = [] if hx is None else list(hx)
        self._check_ranks(input, states)
        h, c = self._step("lstm", input, states)
        return h, c


class GRUCell(RNNCellBase):
    """One step of GRU."""

    _name = "GRUCell"

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """input [B, C] or [C], hx [B, H] or [H] -> h of hx's shape."""
        states = [] if hx is None else [hx]
        self._check_ranks(input, states)
        return self._step("gru", input, states)[0]
