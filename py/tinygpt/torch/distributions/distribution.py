"""The base of the distributions: shapes, checks of parameters and samples, printed form."""

from __future__ import annotations

import warnings
from typing import Any

from ...core.state import no_grad
from ...core.tensor import Tensor
from ..types import Size
from . import constraints
from .utils import lazy_property

__all__ = ["Distribution"]


class Distribution:
    """Base class. batch_shape: of the parameters. event_shape: of one sample of one of them."""

    arg_constraints: Any  # {parameter: constraint}
    support: Any  # the constraint of a sample
    has_rsample = False
    has_enumerate_support = False
    _validate_args = __debug__

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether parameters and samples are checked where validate_args is not given."""
        if value not in (True, False):
            raise ValueError
        Distribution._validate_args = value

    def __init__(self, batch_shape: Any = (), event_shape: Any = (), validate_args: bool | None = None) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if not self._validate_args:
            return
        wanted: Any = getattr(self, "arg_constraints", None)
        if wanted is None:
            wanted = {}
            warnings.warn(
                "%s does not define `arg_constraints`. Please set `arg_constraints = {}` or initialize the "
                "distribution with `validate_args=False` to turn off validation." % type(self),
                stacklevel=2,
            )
        for name, constraint in wanted.items():
            lazy = name not in self.__dict__ and isinstance(getattr(type(self), name, None), lazy_property)
            if constraints.is_dependent(constraint) or lazy:
                continue
            value = getattr(self, name)
            if not constraint.check(value).all():
                raise ValueError(
                    "Expected parameter %s (%s of shape %s) of distribution %r to satisfy the constraint %r, but "
                    "found invalid values:\n%s"
                    % (name, type(value).__name__, tuple(value.shape), self, constraint, format(value))
                )

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The distribution with its parameters expanded to `batch_shape`."""
        raise NotImplementedError

    def _expanded(self, kind: Any, batch_shape: Any, instance: Any, names: Any, tail: Any = ()) -> Any:
        """A copy whose parameters (attributes of these names) have the shape batch_shape + tail."""
        if instance is None and type(self).__init__ is not kind.__init__:
            raise NotImplementedError(
                "Subclass %s of %s that defines a custom __init__ method must also define a custom .expand() method."
                % (type(self).__name__, kind.__name__)
            )
        new = type(self).__new__(type(self)) if instance is None else instance
        for name in names:
            if name in self.__dict__:
                setattr(new, name, self.__dict__[name].expand(tuple(batch_shape) + tuple(tail)))
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    @property
    def batch_shape(self) -> Any:
        """The shape of the parameters."""
        return self._batch_shape

    @property
    def event_shape(self) -> Any:
        """The shape of one sample."""
        return self._event_shape

    @property
    def mean(self) -> Any:
        """The mean."""
        raise NotImplementedError

    @property
    def mode(self) -> Any:
        """The most probable value."""
        raise NotImplementedError("%s does not implement mode" % type(self))

    @property
    def variance(self) -> Any:
        """The variance."""
        raise NotImplementedError

    @property
    def stddev(self) -> Any:
        """The root of the variance."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Any = ()) -> Any:
        """Samples of shape sample_shape + batch_shape + event_shape, without a gradient."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """As sample, with a gradient to the parameters."""
        raise NotImplementedError

    def sample_n(self, n: int) -> Any:
        """n samples."""
        warnings.warn("`sample_n(n)` will be deprecated. Use `sample((n,))` instead.", FutureWarning, stacklevel=2)
        return self.sample((n,))

    def log_prob(self, value: Any) -> Any:
        """The log of the density, or of the probability, at `value`."""
        raise NotImplementedError

    def cdf(self, value: Any) -> Any:
        """The probability of a sample up to `value`."""
        raise NotImplementedError

    def icdf(self, value: Any) -> Any:
        """The sample at which cdf is `value`."""
        raise NotImplementedError

    def enumerate_support(self, expand: bool = True) -> Any:
        """All values of a discrete distribution, along dimension 0."""
        raise NotImplementedError

    def entropy(self) -> Any:
        """The entropy, in nats."""
        raise NotImplementedError

    def perplexity(self) -> Any:
        """exp of the entropy."""
        return self.entropy().exp()

    def _extended_shape(self, sample_shape: Any = ()) -> Any:
        return Size(sample_shape) + self._batch_shape + self._event_shape

    def _validate_sample(self, value: Any) -> None:
        if not self._validate_args:
            return
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        start = value.dim() - len(self._event_shape)
        if value.shape[start:] != self._event_shape:
            raise ValueError(
                "The right-most size of value must match event_shape: %s vs %s." % (value.shape, self._event_shape)
            )
        expected = self._batch_shape + self._event_shape
        if any(i != 1 and j != 1 and i != j for i, j in zip(reversed(value.shape), reversed(expected))):
            raise ValueError(
                "Value is not broadcastable with batch_shape+event_shape: %s vs %s." % (value.shape, expected)
            )
        support: Any = getattr(self, "support", None)
        if support is None:
            warnings.warn(
                "%s does not define `support` to enable sample validation. Please initialize the distribution with "
                "`validate_args=False` to turn off validation." % type(self),
                stacklevel=3,
            )
            return
        if not support.check(value).all():
            raise ValueError(
                "Expected value argument (%s of shape %s) to be within the support (%r) of the distribution %r, but "
                "found invalid values:\n%s" % (type(value).__name__, tuple(value.shape), support, self, format(value))
            )

    def __repr__(self) -> str:
        parts = []
        for name in self.arg_constraints:
            if name in self.__dict__:
                value = self.__dict__[name]
                parts.append("%s: %s" % (name, format(value) if value.numel() == 1 else value.size()))
        return "%s(%s)" % (type(self).__name__, ", ".join(parts))


class ExponentialFamily(Distribution):
    """Base of the distributions whose density is exp of a product with its statistics."""
