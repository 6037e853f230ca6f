"""torch.distributions: Normal, Uniform, Exponential, Bernoulli, Categorical, Independent."""

from __future__ import annotations

from .. import table
from . import constraints
from .continuous import Exponential, Normal, Uniform
from .discrete import Bernoulli, Categorical
from .distribution import Distribution, ExponentialFamily
from .independent import Independent
from .kl import kl_divergence, register_kl

__all__ = [
    "Bernoulli", "Categorical", "Distribution", "Exponential", "ExponentialFamily", "Independent", "Normal", "Uniform",
    "constraints", "kl_divergence", "register_kl",
]  # fmt: skip
ABSENT = {
    "Beta": "its samples need gamma numbers; draw them in NumPy and write log_prob with torch.lgamma",
    "Dirichlet": "its samples need gamma numbers; draw them in NumPy and write log_prob with torch.lgamma",
    "Gamma": "draw its numbers in NumPy and write log_prob with torch.lgamma",
    "MultivariateNormal": "use Independent(Normal(loc, scale), 1), or multiply normal numbers by a Cholesky factor",
    "LogNormal": "take exp of the samples of Normal",
    "OneHotCategorical": "use Categorical and torch.nn.functional.one_hot",
    "Multinomial": "count the samples of Categorical",
    "TransformedDistribution": "transform the samples, and add the log of the derivative to log_prob",
}


def __getattr__(name: str):
    """The sentence on a name that is not here."""
    return table.missing(__name__, name)
