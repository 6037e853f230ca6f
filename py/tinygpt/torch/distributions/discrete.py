"""Discrete distributions: Bernoulli, Categorical."""

from __future__ import annotations

import math
from typing import Any

from ...core.factory import full
from ...core.state import no_grad
from ..creation import arange
from ..nn.functional import binary_cross_entropy_with_logits
from ..random import bernoulli, multinomial
from ..shape import broadcast_tensors
from ..types import Size, finfo
from . import constraints
from .distribution import Distribution, ExponentialFamily
from .utils import broadcast_all, is_number, lazy_property, logits_to_probs, probs_to_logits

__all__ = ["Bernoulli", "Categorical"]


def _check_one(probs: Any, logits: Any) -> None:
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")


def _values(count: int, like: Any, shape: Any, expand: bool) -> Any:
    values = arange(count, dtype=like.dtype, device=like.device).view((-1,) + (1,) * len(shape))
    return values.expand((-1,) + tuple(shape)) if expand else values


class Bernoulli(ExponentialFamily):
    """1 with probability probs (or sigmoid(logits)), else 0."""

    arg_constraints: Any = {"probs": constraints.unit_interval, "logits": constraints.real}
    support: Any = constraints.boolean
    has_enumerate_support = True

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        _check_one(probs, logits)
        if probs is not None:
            (self.probs,) = broadcast_all(probs)
        else:
            (self.logits,) = broadcast_all(logits)
        self._param: Any = self.probs if probs is not None else self.logits
        shape = () if is_number(probs if probs is not None else logits) else self._param.shape
        super().__init__(shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The distribution with its parameters expanded to `batch_shape`."""
        return self._expanded(Bernoulli, batch_shape, _instance, ("probs", "logits", "_param"))

    @lazy_property
    def logits(self) -> Any:
        """The log odds."""
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self) -> Any:
        """The probability of 1."""
        return logits_to_probs(self.logits, is_binary=True)

    @property
    def param_shape(self) -> Any:
        """The shape of the parameter."""
        return self._param.size()

    @property
    def mean(self) -> Any:
        """probs."""
        return self.probs

    @property
    def mode(self) -> Any:
        """1 or 0; NaN where both are as probable."""
        return (self.probs >= 0.5).type_as(self.probs).masked_fill(self.probs == 0.5, math.nan)

    @property
    def variance(self) -> Any:
        """probs * (1 - probs)."""
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Zeros and ones in the parameters' dtype."""
        with no_grad():
            return bernoulli(self.probs.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Any) -> Any:
        """The log of the probability."""
        self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        return -binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self) -> Any:
        """The entropy, in nats."""
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True) -> Any:
        """0 and 1."""
        return _values(2, self._param, self._batch_shape, expand)


class Categorical(Distribution):
    """The numbers below the size of the last dimension, by probs or logits (any scale)."""

    arg_constraints: Any = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        _check_one(probs, logits)
        given = probs if probs is not None else logits
        name = "probs" if probs is not None else "logits"
        if given.dim() < 1:
            raise ValueError("`%s` parameter must be at least one-dimensional." % name)
        if probs is not None:
            self.probs = self._param = probs / probs.sum(-1, keepdim=True)
        else:
            self.logits = self._param = logits - logits.logsumexp(dim=-1, keepdim=True)
        self._num_events = self._param.shape[-1]
        super().__init__(self._param.shape[:-1], validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The distribution with its parameters expanded to `batch_shape`."""
        names, tail = ("probs", "logits", "_param"), (self._num_events,)
        new = self._expanded(Categorical, batch_shape, _instance, names, tail)
        new._num_events = self._num_events
        return new

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Any:
        """The numbers below the count of categories."""
        return constraints.integer_interval(0, self._num_events - 1)

    @lazy_property
    def logits(self) -> Any:
        """The logs of the probabilities."""
        return probs_to_logits(self.probs)

    @lazy_property
    def probs(self) -> Any:
        """The probabilities; each row's sum is 1."""
        return logits_to_probs(self.logits)

    @property
    def param_shape(self) -> Any:
        """The shape of the parameter."""
        return self._param.size()

    @property
    def mean(self) -> Any:
        """NaN: categories have no mean."""
        return full(tuple(self._extended_shape()), math.nan, self.probs.dtype, device=self.probs.device)

    variance = mean

    @property
    def mode(self) -> Any:
        """The most probable category."""
        return self.probs.argmax(dim=-1)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Categories, int64."""
        rows = self.probs.detach().reshape(-1, self._num_events)
        drawn = multinomial(rows, Size(sample_shape).numel(), True).t()
        return drawn.reshape(self._extended_shape(sample_shape))

    def log_prob(self, value: Any) -> Any:
        """The log of the probability."""
        self._validate_sample(value)
        index, logits = broadcast_tensors(value.long().unsqueeze(-1), self.logits)
        return logits.gather(-1, index[..., :1]).squeeze(-1)

    def entropy(self) -> Any:
        """The entropy, in nats."""
        logits = self.logits.clamp(min=finfo(self.logits.dtype).min)
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Any:
        """All categories."""
        return _values(self._num_events, self.mode, self._batch_shape, expand)
