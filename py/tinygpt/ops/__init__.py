"""Ops, one family per file, forward and backward side by side. Importing this package gives Tensor its methods.

elementwise   arithmetic, comparison, functions, where, casts, in-place updates
movement      views, transposes, slices, indexing, cat, stack, split, tril
inplace       updates in place, slice assignment
reduce        sum, mean, max, argmax, var
matmul        matmul, linear
norm          layer norm, RMS norm
softmax_xent  softmax, log-softmax, cross-entropy
attention     scaled dot-product attention, rotary positions, decoding over a key/value cache
embedding     rows of a table
random        Philox generators, dropout, random windows, sampling
"""

from ..tensor import Tensor, float32, int32
from . import attention, elementwise, embedding, inplace, matmul, movement, norm, random, reduce, softmax_xent  # noqa: F401

UNARY_METHODS = "reciprocal exp log sqrt rsqrt tanh sigmoid relu sin cos".split()


def _unary_method(name):
    def method(self):
        return elementwise.unary(name, self)

    method.__name__ = name
    method.__doc__ = "Elementwise %s; float32." % name
    return method


for _name in UNARY_METHODS:
    setattr(Tensor, _name, _unary_method(_name))

_METHODS = dict(
    _cast=elementwise.cast,
    float=lambda self: elementwise.cast(self, float32),
    int=lambda self: elementwise.cast(self, int32),
    bool=elementwise.as_bool,
    type_as=lambda self, other: elementwise.cast(self, other.dtype),
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
    masked_fill=elementwise.masked_fill,
    where=lambda self, condition, other: elementwise.where(condition, self, other),
    add_=lambda a, b: inplace.in_place("add", a, b),
    sub_=lambda a, b: inplace.in_place("sub", a, b),
    mul_=lambda a, b: inplace.in_place("mul", a, b),
    div_=lambda a, b: inplace.in_place("div", a, b),
    copy_=inplace.copy_,
    fill_=inplace.fill_,
    zero_=lambda x: inplace.fill_(x, 0),
    masked_fill_=lambda x, mask, value: inplace.copy_(x, inplace.masked(x, mask, value)),
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
    __mul__=elementwise.mul,
    __rmul__=elementwise.mul,
    __truediv__=elementwise.div,
    __rsub__=lambda a, b: elementwise.rsub(a, b) if isinstance(b, (int, float)) else elementwise.sub(elementwise.operand(b, a), a),
    __rtruediv__=lambda a, b: elementwise.rdiv(a, b) if isinstance(b, (int, float)) else elementwise.div(elementwise.operand(b, a), a),
    __pow__=elementwise.pow_,
    __rpow__=elementwise.rpow,
    __floordiv__=elementwise.floor_divide,
    __mod__=elementwise.remainder,
    __eq__=lambda a, b: elementwise.compare("eq", a, b),
    __ne__=lambda a, b: elementwise.compare("ne", a, b),
    __lt__=lambda a, b: elementwise.compare("lt", a, b),
    __le__=lambda a, b: elementwise.compare("le", a, b),
    __gt__=lambda a, b: elementwise.compare("gt", a, b),
    __ge__=lambda a, b: elementwise.compare("ge", a, b),
    __invert__=elementwise.logical_not,
    __and__=elementwise.logical_and,
    __or__=elementwise.logical_or,
    __matmul__=matmul.matmul,
    __getitem__=movement.index,
    __setitem__=inplace.set_index,
    __iadd__=lambda a, b: inplace.in_place("add", a, b),
    __isub__=lambda a, b: inplace.in_place("sub", a, b),
    __imul__=lambda a, b: inplace.in_place("mul", a, b),
    __itruediv__=lambda a, b: inplace.in_place("div", a, b),
    T=property(movement.t),
    mT=property(lambda self: movement.transpose(self, -2, -1)),
)

for _name, _method in _METHODS.items():
    setattr(Tensor, _name, _method)
