"""Functions of the namespace `torch` that are a Tensor's methods in place (`torch.relu_`), or names
of torch.nn.functional in another place (`torch.dropout`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.tensor import Tensor
from . import conversion

if TYPE_CHECKING:
    from collections.abc import Callable

IN_PLACE = """
    abs_ acos_ acosh_ addmv_ arccos_ arccosh_ arcsin_ arcsinh_ arctan_ arctanh_ as_strided_ asin_ asinh_ atan_ atanh_
    ceil_ clamp_ clamp_max_ clamp_min_ clip_ conj_physical_ cos_ cosh_ deg2rad_ detach_ erf_ erfc_ exp2_ exp_ expm1_
    fill_ fix_ floor_ frac_ gcd_ i0_ lcm_ ldexp_ log10_ log1p_ log2_ log_ logit_ nan_to_num_ neg_ negative_ rad2deg_
    reciprocal_ relu_ resize_as_ round_ rsqrt_ sigmoid_ sin_ sinc_ sinh_ sqrt_ square_ tan_ tanh_ trunc_ xlogy_ zero_
""".split()
METHOD = ("detach", "is_conj", "is_neg")
# Of torch.nn.functional, with the same arguments in the same order.
FUNCTIONAL = """
    celu celu_ dropout hardshrink layer_norm prelu rms_norm rrelu rrelu_ selu selu_ threshold threshold_
""".split()


def _method(name: str) -> Callable[..., Any]:
    def function(input: Tensor, *args: Any, **kwargs: Any) -> Any:
        return getattr(input, name)(*args, **kwargs)

    function.__name__, function.__doc__ = name, "Tensor.%s as a function." % name
    return function


def _functional(name: str) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        from .nn import functional  # start-up does not wait for it

        if "train" in kwargs:
            kwargs["training"] = kwargs.pop("train")
        return getattr(functional, name)(*args, **kwargs)

    function.__name__, function.__doc__ = name, "torch.nn.functional.%s." % name
    return function


def alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """torch.nn.functional.alpha_dropout."""
    from .nn import functional  # start-up does not wait for it

    return functional.alpha_dropout(input, p, train)


def embedding(weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False) -> Tensor:
    """Rows of weight, which comes first, unlike in torch.nn.functional.embedding."""
    from .nn import functional  # start-up does not wait for it

    padding = None if padding_idx == -1 else padding_idx
    return functional.embedding(indices, weight, padding, scale_grad_by_freq=scale_grad_by_freq)


def fill(input: Tensor, value: Any) -> Tensor:
    """A copy of input's shape filled with value."""
    return input.clone().fill_(value)


def typename(obj: Any) -> str:
    """The name of a tensor's or an object's type, such as "torch.FloatTensor"."""
    if isinstance(obj, Tensor):
        return conversion.type_(obj)
    owner = obj if isinstance(obj, type) or callable(obj) else type(obj)
    module = getattr(owner, "__module__", "") or ""
    name = getattr(owner, "__qualname__", type(obj).__qualname__)
    return name if module in ("", "builtins") else "%s.%s" % (module, name)


globals().update({name: _method(name) for name in (*IN_PLACE, *METHOD)})
globals().update({name: _functional(name) for name in FUNCTIONAL})
__all__ = [*IN_PLACE, *METHOD, *FUNCTIONAL, "alpha_dropout", "embedding", "fill", "typename"]  # pyright: ignore[reportUnsupportedDunderAll]
METHODS = {name: globals()[name] for name in ("hardshrink", "prelu")}
