"""Ops, one family per file, forward and backward side by side. Importing this package gives Tensor
its methods.

elementwise   arithmetic, comparison, functions, where, casts
movement      views, transposes, slices, indexing, cat, stack, split, tril
inplace       updates in place, slice assignment
reduce        sum, mean, max, argmax, var
matmul        matmul, linear
norm          layer norm, RMS norm
softmax_xent  softmax, log-softmax, cross-entropy
attention     scaled dot-product attention, rotary positions, decoding over a key/value cache
embedding     rows of a table
random        random numbers, dropout, random windows, sampling
quantized     weights that came as int8
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core import refused_names
from ..core.tensor import Tensor, float32, int32
from . import attention, elementwise, embedding, inplace, matmul, movement, norm, random, reduce, softmax_xent  # noqa: F401

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

UNARY_METHODS = "reciprocal exp log sqrt rsqrt tanh sigmoid relu sin cos".split()


def _unary_method(name: str) -> Callable[[Tensor], Tensor]:
    def method(self):
        return elementwise.unary(name, self)

    method.__name__ = name
    method.__doc__ = "Elementwise %s; float32." % name
    return method


for _name in UNARY_METHODS:
    setattr(Tensor, _name, _unary_method(_name))


def _comparison(name: str) -> Callable[[Tensor, Any], Any]:
    def method(a, b):
        # Python then asks the other operand, and finds None, strings and lists unequal.
        if not isinstance(b, (Tensor, int, float, complex)) and not hasattr(b, "__array__"):
            return NotImplemented
        return elementwise.compare(name, a, b)

    return method


def _product(a: Tensor, b: Any) -> Any:
    """a * b. Where a is one int, Python repeats a list or a text: `[0] * x.argmax()`."""
    if isinstance(b, (list, tuple, str, bytes)) and not a._dtype.is_floating_point and a.numel() == 1:
        return NotImplemented
    return elementwise.mul(a, b)


_METHODS: dict[str, Any] = dict(
    _cast=elementwise.cast,
    float=lambda self: elementwise.cast(self, float32),
    int=lambda self: elementwise.cast(self, int32),
    bool=elementwise.as_bool,
    type_as=lambda self, other: elementwise.cast(self, other._dtype),
    neg=elementwise.neg,
    abs=elementwise.abs_,
    square=elementwise.square,
    add=elementwise.add,
    sub=elementwise.sub,
    mul=elementwise.mul,
    div=elementwise.div,
    pow=elementwise.pow_,
    true_divide=elementwise.div,
    floor_divide=elementwise.floor_divide,
    remainder=elementwise.remainder,
    maximum=elementwise.maximum,
    minimum=elementwise.minimum,
    clamp=elementwise.clamp,
    eq=lambda a, b: elementwise.compare("eq", a, b),
    ne=lambda a, b: elementwise.compare("ne", a, b),
    lt=lambda a, b: elementwise.compare("lt", a, b),
    le=lambda a, b: elementwise.compare("le", a, b),
    gt=lambda a, b: elementwise.compare("gt", a, b),
    ge=lambda a, b: elementwise.compare("ge", a, b),
    logical_not=elementwise.logical_not,
    logical_and=elementwise.logical_and,
    logical_or=elementwise.logical_or,
    bitwise_and=elementwise.bitwise_and,
    bitwise_or=elementwise.bitwise_or,
    bitwise_xor=elementwise.bitwise_xor,
    bitwise_not=elementwise.bitwise_not,
    bitwise_left_shift=elementwise.left_shift,
    bitwise_right_shift=elementwise.right_shift,
    masked_fill=elementwise.masked_fill,
    where=lambda self, condition, other: elementwise.where(condition, self, other),
    add_=lambda a, b: inplace.in_place("add", a, b),
    sub_=lambda a, b: inplace.in_place("sub", a, b),
    mul_=lambda a, b: inplace.in_place("mul", a, b),
    div_=lambda a, b: inplace.in_place("div", a, b),
    copy_=inplace.copy_,
    fill_=inplace.fill_,
    zero_=lambda x: inplace.fill_(x, 0),
    masked_fill_=inplace.masked_fill_,
    contiguous=movement.contiguous,
    clone=movement.clone,
    view=movement.view,
    reshape=movement.reshape,
    permute=movement.permute,
    transpose=movement.transpose,
    t=movement.t,
    unsqueeze=movement.unsqueeze,
    squeeze=movement.squeeze,
    flatten=movement.flatten,
    expand=movement.expand,
    narrow=movement.narrow,
    select=movement.select,
    split=movement.split,
    chunk=movement.chunk,
    tril=movement.tril,
    triu=movement.triu,
    sum=reduce.sum_,
    mean=reduce.mean,
    var=reduce.var,
    std=reduce.std,
    max=reduce.max_,
    min=reduce.min_,
    argmax=reduce.argmax,
    argmin=reduce.argmin,
    any=reduce.any_,
    all=reduce.all_,
    matmul=matmul.matmul,
    softmax=softmax_xent.softmax,
    log_softmax=softmax_xent.log_softmax,
    uniform_=random.uniform_,
    normal_=random.normal_,
    multinomial=random.multinomial,
    __neg__=elementwise.neg,
    __abs__=elementwise.abs_,
    __add__=elementwise.add,
    __radd__=elementwise.add,
    __sub__=elementwise.sub,
    __mul__=_product,
    __rmul__=_product,
    __truediv__=elementwise.div,
    __rsub__=lambda a, b: (
        elementwise.rsub(a, b) if isinstance(b, (int, float)) else elementwise.sub(elementwise.operand(b, a), a)
    ),
    __rtruediv__=lambda a, b: (
        elementwise.rdiv(a, b) if isinstance(b, (int, float)) else elementwise.div(elementwise.operand(b, a), a)
    ),
    __pow__=elementwise.pow_,
    __rpow__=elementwise.rpow,
    __floordiv__=elementwise.floor_divide,
    __rfloordiv__=elementwise.rfloor_divide,
    __mod__=elementwise.remainder,
    __rmod__=elementwise.rremainder,
    __eq__=_comparison("eq"),
    __ne__=_comparison("ne"),
    __lt__=_comparison("lt"),
    __le__=_comparison("le"),
    __gt__=_comparison("gt"),
    __ge__=_comparison("ge"),
    __invert__=elementwise.bitwise_not,
    __and__=elementwise.bitwise_and,
    __rand__=elementwise.bitwise_and,
    __or__=elementwise.bitwise_or,
    __ror__=elementwise.bitwise_or,
    __xor__=elementwise.bitwise_xor,
    __rxor__=elementwise.bitwise_xor,
    __lshift__=elementwise.left_shift,
    __rlshift__=elementwise.rleft_shift,
    __rshift__=elementwise.right_shift,
    __rrshift__=lambda a, b: elementwise.right_shift(elementwise.full((), b, device=a.device), a),
    __matmul__=matmul.matmul,
    __getitem__=movement.index,
    __setitem__=inplace.set_index,
    __iadd__=lambda a, b: inplace.in_place("add", a, b),
    __isub__=lambda a, b: inplace.in_place("sub", a, b),
    __imul__=lambda a, b: inplace.in_place("mul", a, b),
    __itruediv__=lambda a, b: inplace.in_place("div", a, b),
    __ifloordiv__=lambda a, b: inplace.assigned(elementwise.floor_divide, a, b),
    __imod__=lambda a, b: inplace.assigned(elementwise.remainder, a, b),
    __ipow__=lambda a, b: inplace.assigned(elementwise.pow_, a, b),
    __iand__=lambda a, b: inplace.assigned(elementwise.bitwise_and, a, b),
    __ior__=lambda a, b: inplace.assigned(elementwise.bitwise_or, a, b),
    __ixor__=lambda a, b: inplace.assigned(elementwise.bitwise_xor, a, b),
    __ilshift__=lambda a, b: inplace.assigned(elementwise.left_shift, a, b),
    __irshift__=lambda a, b: inplace.assigned(elementwise.right_shift, a, b),
    T=property(movement.t),
    mT=property(lambda self: movement.transpose(self, -2, -1)),
)

for _name, _method in _METHODS.items():
    setattr(Tensor, _name, _method)

for _name, _text in dict(
    float="x as float32.",
    int="x as int32; float32 is truncated towards 0.",
    type_as="x in the dtype of `other`.",
    eq="bool: a == b with broadcasting.",
    ne="bool: a != b with broadcasting.",
    lt="bool: a < b with broadcasting.",
    le="bool: a <= b with broadcasting.",
    gt="bool: a > b with broadcasting.",
    ge="bool: a >= b with broadcasting.",
    where="self where `condition` (bool) is true, else `other`, with broadcasting.",
    add_="a += b in place. RuntimeError where b does not broadcast to a's shape, or a is recorded.",
    sub_="a -= b in place. RuntimeError where b does not broadcast to a's shape, or a is recorded.",
    mul_="a *= b in place. RuntimeError where b does not broadcast to a's shape, or a is recorded.",
    div_="a /= b in place. RuntimeError where b does not broadcast to a's shape, or a is recorded.",
    zero_="Fills x with zeros in place. Returns x.",
).items():
    _METHODS[_name].__doc__ = _text

refused_names.refuse(Tensor, refused_names.TENSOR)
