"""Continuous distributions: Normal, Uniform, Exponential."""

from __future__ import annotations

import math
from typing import Any

from ...core.factory import full
from ...core.state import no_grad
from ...core.tensor import Tensor
from ..random import exponential_, normal, normal_, rand
from . import constraints
from .distribution import Distribution, ExponentialFamily
from .utils import broadcast_all, is_number

__all__ = ["Exponential", "Normal", "Uniform"]


def _shape_of(value: Any, *given: Any) -> Any:
    return () if all(is_number(g) for g in given) else value.shape


def _uninitialised(shape: Any, like: Tensor) -> Any:
    return full(tuple(shape), 0.0, like.dtype, device=like.device)


class Normal(ExponentialFamily):
    """loc: the mean. scale: the standard deviation."""

    arg_constraints: Any = {"loc": constraints.real, "scale": constraints.positive}
    support: Any = constraints.real
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(_shape_of(self.loc, loc, scale), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The distribution with its parameters expanded to `batch_shape`."""
        return self._expanded(Normal, batch_shape, _instance, ("loc", "scale"))

    @property
    def mean(self) -> Any:
        """loc."""
        return self.loc

    mode = mean

    @property
    def stddev(self) -> Any:
        """scale."""
        return self.scale

    @property
    def variance(self) -> Any:
        """scale^2."""
        return self.scale.pow(2)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Samples without a gradient."""
        shape = self._extended_shape(sample_shape)
        with no_grad():
            return normal(self.loc.expand(shape), self.scale.expand(shape))

    def rsample(self, sample_shape: Any = ()) -> Any:
        """loc + scale * standard normal numbers."""
        shape = self._extended_shape(sample_shape)
        return self.loc + normal_(_uninitialised(shape, self.loc)) * self.scale

    def log_prob(self, value: Any) -> Any:
        """The log of the density."""
        self._validate_sample(value)
        variance = self.scale**2
        return -((value - self.loc) ** 2) / (2 * variance) - self.scale.log() - math.log(math.sqrt(2 * math.pi))

    def cdf(self, value: Any) -> Any:
        """The probability of a sample up to `value`."""
        self._validate_sample(value)
        return 0.5 * (1 + ((value - self.loc) * self.scale.reciprocal() / math.sqrt(2)).erf())

    def icdf(self, value: Any) -> Any:
        """The sample at which cdf is `value`."""
        return self.loc + self.scale * (2 * value - 1).erfinv() * math.sqrt(2)

    def entropy(self) -> Any:
        """The entropy, in nats."""
        return 0.5 + 0.5 * math.log(2 * math.pi) + self.scale.log()


class Uniform(Distribution):
    """Between low (inclusive) and high (exclusive)."""

    has_rsample = True

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None) -> None:
        self.low, self.high = broadcast_all(low, high)
        super().__init__(_shape_of(self.low, low, high), validate_args=validate_args)

    @property
    def arg_constraints(self) -> dict[str, Any]:
        """low below high."""
        return {"low": constraints.less_than(self.high), "high": constraints.greater_than(self.low)}

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        """[low, high]."""
        return constraints.interval(self.low, self.high)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The distribution with its parameters expanded to `batch_shape`."""
        return self._expanded(Uniform, batch_shape, _instance, ("low", "high"))

    @property
    def mean(self) -> Any:
        """The middle."""
        return (self.high + self.low) / 2

    @property
    def mode(self) -> Any:
        """NaN: every value is as probable."""
        return math.nan * self.high

    @property
    def stddev(self) -> Any:
        """The width / sqrt(12)."""
        return (self.high - self.low) / 12**0.5

    @property
    def variance(self) -> Any:
        """The width^2 / 12."""
        return (self.high - self.low).pow(2) / 12

    def rsample(self, sample_shape: Any = ()) -> Any:
        """low + width * uniform numbers."""
        shape = self._extended_shape(sample_shape)
        drawn = rand(tuple(shape), dtype=self.low.dtype, device=self.low.device)
        return self.low + drawn * (self.high - self.low)

    def log_prob(self, value: Any) -> Any:
        """The log of the density: -inf outside."""
        self._validate_sample(value)
        inside = self.low.le(value).type_as(self.low).mul(self.high.gt(value).type_as(self.low))
        return inside.log() - (self.high - self.low).log()

    def cdf(self, value: Any) -> Any:
        """The probability of a sample up to `value`."""
        self._validate_sample(value)
        return ((value - self.low) / (self.high - self.low)).clamp(min=0, max=1)

    def icdf(self, value: Any) -> Any:
        """The sample at which cdf is `value`."""
        return value * (self.high - self.low) + self.low

    def entropy(self) -> Any:
        """The entropy, in nats."""
        return (self.high - self.low).log()


class Exponential(ExponentialFamily):
    """rate: 1 / the mean."""

    arg_constraints: Any = {"rate": constraints.positive}
    support: Any = constraints.nonnegative
    has_rsample = True

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast_all(rate)
        super().__init__(_shape_of(self.rate, rate), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The distribution with its parameters expanded to `batch_shape`."""
        return self._expanded(Exponential, batch_shape, _instance, ("rate",))

    @property
    def mean(self) -> Any:
        """1 / rate."""
        return self.rate.reciprocal()

    stddev = mean

    @property
    def mode(self) -> Any:
        """0."""
        return self.rate * 0

    @property
    def variance(self) -> Any:
        """1 / rate^2."""
        return self.rate.pow(-2)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Exponential numbers of rate 1, / rate."""
        shape = self._extended_shape(sample_shape)
        return exponential_(_uninitialised(shape, self.rate)) / self.rate

    def log_prob(self, value: Any) -> Any:
        """The log of the density."""
        self._validate_sample(value)
        return self.rate.log() - self.rate * value

    def cdf(self, value: Any) -> Any:
        """The probability of a sample up to `value`."""
        self._validate_sample(value)
        return 1 - (-self.rate * value).exp()

    def icdf(self, value: Any) -> Any:
        """The sample at which cdf is `value`."""
        return -(-value).log1p() / self.rate

    def entropy(self) -> Any:
        """The entropy, in nats."""
        return 1.0 - self.rate.log()
