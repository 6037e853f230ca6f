"""Expressions at edges, and calls with odd arguments, beside PyTorch on the native device: the same
value, dtype, shape and gradient, or a refusal by both.
"""

import math
import warnings

import pytest
import torch

import tinygpt

pytestmark = [pytest.mark.fast, pytest.mark.usefixtures("native")]
POINTS = (
    [0.0, -0.0, 1.0, -1.0, 2.0, -2.5, math.inf, -math.inf, math.nan, 1e38],
    [2.0, 2.0, 2.0],
    [math.nan, 1.0],
    [1.0],
    [3.0, 4.0],
    [-math.inf, -math.inf],
    [math.inf, 1.0],
    [],
)
# Of the first of POINTS.
AT_EDGES = (
    "-1.**x",
    "0.**x",
    "1.**x",
    "2.**x",
    "inf**x",
    "nan**x",
    "x**-0.5",
    "x**-1",
    "x**-inf",
    "x**0",
    "x**0.5",
    "x**1e-3",
    "x**2",
    "x**3",
    "x**True",
    "x**inf",
    "x**nan",
)
# Of each of POINTS.
EVERYWHERE = (
    "x.abs()",
    "x.all()",
    "x.any()",
    "x.argmax()",
    "x.argmin()",
    "x.clamp(-1,1)",
    "x.clamp(nan,1)",
    "x.cos()",
    "x.exp()",
    "x.log()",
    "x.log_softmax(0)",
    "x.max()",
    "x.max(0).values",
    "x.mean()",
    "x.min()",
    "x.min(0).values",
    "x.reciprocal()",
    "x.relu()",
    "x.rsqrt()",
    "x.sigmoid()",
    "x.sin()",
    "x.softmax(0)",
    "x.sqrt()",
    "x.square()",
    "x.std()",
    "x.std(0)",
    "x.std(correction=2)",
    "x.sum()",
    "x.tanh()",
    "x.var()",
    "x.var(correction=0)",
)
# Of int32 numbers.
INTS = {
    "x+3": [[7], [-7], [2147483647], [-2147483648], [0]],
    "x+-3": [[7], [-7], [2147483647], [-2147483648], [0]],
    "x+0": [[7], [-7], [2147483647], [-2147483648], [0]],
    "x+1": [[7], [-7], [2147483647], [-2147483648], [0]],
    "x-3": [[7], [-7], [2147483647], [-2147483648], [0]],
    "x--3": [[7], [-7], [2147483647], [-2147483648], [0]],
    "x-0": [[7], [-7], [2147483647], [-2147483648], [0]],
    "x-1": [[7], [-7], [2147483647], [-2147483648], [0]],
    "x*3": [[7], [-7], [2147483647], [-2147483648], [0]],
    "x*-3": [[7], [-7], [2147483647], [-2147483648], [0]],
    "x*0": [[7], [-7], [2147483647], [-2147483648], [0]],
    "x*1": [[7], [-7], [2147483647], [-2147483648], [0]],
    "x/3": [[7], [-7], [2147483647], [-2147483648], [0]],
    "x/-3": [[7], [-7], [2147483647], [-2147483648], [0]],
    "x/0": [[7], [-7], [2147483647], [-2147483648], [0]],
    "x/2**31-1": [[7], [-7], [2147483647], [-2147483648], [0]],
    "x/1": [[7], [-7], [2147483647], [-2147483648], [0]],
    "x//3": [[7], [-7], [2147483647], [-2147483648], [0]],
    "x//-3": [[7], [-7], [2147483647], [-2147483648], [0]],
    "x//0": [[7], [-7], [2147483647], [-2147483648], [0]],
    "x//1": [[7], [-7], [2147483647], [-2147483648], [0]],
    "x%3": [[7], [-7], [2147483647], [-2147483648], [0]],
    "x%-3": [[7], [-7], [2147483647], [-2147483648], [0]],
    "x%0": [[7], [-7], [2147483647], [-2147483648], [0]],
    "x%1": [[7], [-7], [2147483647], [-2147483648], [0]],
    "x==2**40": [[1, 2147483647, -2147483648]],
    "x==1.5": [[1, 2147483647, -2147483648]],
    "x==nan": [[1, 2147483647, -2147483648]],
    "x==inf": [[1, 2147483647, -2147483648]],
    "x==True": [[1, 2147483647, -2147483648]],
    "x==2**62": [[1, 2147483647, -2147483648]],
    "x!=2**40": [[1, 2147483647, -2147483648]],
    "x!=1.5": [[1, 2147483647, -2147483648]],
    "x!=nan": [[1, 2147483647, -2147483648]],
    "x!=inf": [[1, 2147483647, -2147483648]],
    "x!=True": [[1, 2147483647, -2147483648]],
    "x!=2**62": [[1, 2147483647, -2147483648]],
    "x<1.5": [[1, 2147483647, -2147483648]],
    "x<nan": [[1, 2147483647, -2147483648]],
    "x<inf": [[1, 2147483647, -2147483648]],
    "x<True": [[1, 2147483647, -2147483648]],
    "x<=1.5": [[1, 2147483647, -2147483648]],
    "x<=nan": [[1, 2147483647, -2147483648]],
    "x<=inf": [[1, 2147483647, -2147483648]],
    "x<=True": [[1, 2147483647, -2147483648]],
    "x>1.5": [[1, 2147483647, -2147483648]],
    "x>nan": [[1, 2147483647, -2147483648]],
    "x>inf": [[1, 2147483647, -2147483648]],
    "x>True": [[1, 2147483647, -2147483648]],
    "x>=1.5": [[1, 2147483647, -2147483648]],
    "x>=nan": [[1, 2147483647, -2147483648]],
    "x>=inf": [[1, 2147483647, -2147483648]],
    "x>=True": [[1, 2147483647, -2147483648]],
    "x&5": [[7, -8, 2147483647]],
    "x&-1": [[7, -8, 2147483647]],
    "x&0": [[7, -8, 2147483647]],
    "x&True": [[7, -8, 2147483647]],
    "x|5": [[7, -8, 2147483647]],
    "x|-1": [[7, -8, 2147483647]],
    "x|0": [[7, -8, 2147483647]],
    "x|True": [[7, -8, 2147483647]],
    "x^5": [[7, -8, 2147483647]],
    "x^-1": [[7, -8, 2147483647]],
    "x^0": [[7, -8, 2147483647]],
    "x^True": [[7, -8, 2147483647]],
    "x<<1": [[1, -2, 2147483647]],
    "x>>1": [[1, -2, 2147483647]],
    "x<<31": [[1, -2, 2147483647]],
    "x>>31": [[1, -2, 2147483647]],
    "~x": [[1, -2, 2147483647]],
    "-x": [[1, -2, 2147483647]],
    "abs(x)": [[1, -2, 2147483647]],
    "x.sum()": [[1, -2, 2147483647]],
    "x.max()": [[1, -2, 2147483647]],
    "x.min()": [[1, -2, 2147483647]],
    "x.max(0).indices": [[1, -2, 2147483647]],
    "x**2": [[1, -2, 2147483647]],
    "x**0": [[1, -2, 2147483647]],
    "x**3": [[1, -2, 2147483647]],
    "2**x": [[1, -2, 2147483647]],
    "x.float()": [[1, -2, 2147483647]],
    "x.bool()": [[1, -2, 2147483647]],
    "m.cat([x,x.float()])": [[1, -2, 2147483647]],
    "m.cat([x,x>0])": [[1, -2, 2147483647]],
    "m.stack([x,x])": [[1, -2, 2147483647]],
    "m.where(x>0,x,0)": [[1, -2, 2147483647]],
    "m.where(x>0,x,1.5)": [[1, -2, 2147483647]],
    "x.clamp(-1,1)": [[1, -2, 2147483647]],
    "x+1.5": [[1, -2, 2147483647]],
    "x/2": [[1, -2, 2147483647]],
    "x*True": [[1, -2, 2147483647]],
    "x+True": [[1, -2, 2147483647]],
    "x.mean()": [[1, -2, 2147483647]],
    "x==None": [[1, -2, 2147483647]],
    "x!=None": [[1, -2, 2147483647]],
    "x=='a'": [[1, -2, 2147483647]],
    "x==[1]": [[1, -2, 2147483647]],
    "(x==object())": [[1, -2, 2147483647]],
    "x in [1]": [[1, -2, 2147483647]],
    "bool(x[0]==1)": [[1, -2, 2147483647]],
    "x.argmax()": [[1, -2, 2147483647]],
    "x[x[0:0]]": [[1, -2, 2147483647]],
    "x.view(-1)[0]": [[1, -2, 2147483647]],
    "x[m.tensor(0)]": [[1, -2, 2147483647]],
    "x.sum(m.tensor(0)) if 0 else x": [[1, -2, 2147483647]],
    "x.reshape(m.tensor(3),1)": [[1, -2, 2147483647]],
    "x.narrow(0,m.tensor(0),1)": [[1, -2, 2147483647]],
    "m.zeros(m.tensor(2))": [[1, -2, 2147483647]],
    "m.arange(m.tensor(3))": [[1, -2, 2147483647]],
    "x.unsqueeze(m.tensor(0))": [[1, -2, 2147483647]],
    "x.chunk(m.tensor(2))[0]": [[1, -2, 2147483647]],
    "x.split(m.tensor(2))[0]": [[1, -2, 2147483647]],
    "range(m.tensor(3))[1]+x": [[1, -2, 2147483647]],
    "[1,2,3][m.tensor(1)]+x": [[1, -2, 2147483647]],
    "F.one_hot(m.tensor([0,2]),3)": [[1, -2, 2147483647]],
    "F.one_hot(m.tensor([0,2]),2)": [[1, -2, 2147483647]],
    "F.one_hot(m.tensor([-1]),2)": [[1, -2, 2147483647]],
    "F.one_hot(m.tensor([0]),0)": [[1, -2, 2147483647]],
    "F.one_hot(m.tensor(1))": [[1, -2, 2147483647]],
    "F.one_hot(m.tensor([[1]]),m.tensor(3) if 0 else 3)": [[1, -2, 2147483647]],
    "F.one_hot(m.tensor([1.]),2)": [[1, -2, 2147483647]],
    "F.one_hot(m.tensor([True]),2)": [[1, -2, 2147483647]],
}
CALLS = (
    "m.multinomial(m.tensor([0.,0.]),1)",
    "m.multinomial(m.tensor([nan,1.]),1)",
    "m.multinomial(m.tensor([inf,1.]),1)",
    "m.multinomial(m.tensor([-1.,1.]),1)",
    "m.multinomial(m.tensor([0.,1.]),3,True)",
    "m.multinomial(m.tensor([0.,1.]),0)",
    "m.multinomial(m.tensor([1]),1)",
    "m.multinomial(m.tensor([[[1.]]]),1)",
    "m.multinomial(m.tensor([]),1)",
    "m.multinomial(m.tensor(1.),1)",
    "m.multinomial(m.tensor([0.,1.]),1.5)",
    "m.multinomial(m.tensor([0.,1.]),True)",
    "m.multinomial(m.tensor([0.,1.]),m.tensor(1))",
    "m.randint(0,0,(1,))",
    "m.randint(5,6,(3,))",
    "m.randint(3,(2,)).shape",
    "m.randint(2,1,(1,))",
    "m.randint(-3,-2,(2,))",
    "m.randint(1.5,2,(1,))",
    "F.nll_loss(m.zeros(2,3),m.tensor([0,3]))",
    "F.nll_loss(m.zeros(2,3),m.tensor([0,1]),reduction='x')",
    "F.nll_loss(m.zeros(2,3),m.tensor([0]))",
    "F.nll_loss(m.zeros(2,3),m.tensor([0,1]),m.ones(2))",
    "F.nll_loss(m.zeros(2,3),m.tensor([0,-1]),ignore_index=-1)",
    "F.nll_loss(m.zeros(3),m.tensor(1))",
    "F.nll_loss(m.zeros(2,3),m.tensor([0.,1.]))",
    "F.cross_entropy(m.zeros(2,3),m.tensor([0,1]),ignore_index=0,reduction='sum')",
    "F.cross_entropy(m.zeros(2,0),m.tensor([0,1]))",
    "F.cross_entropy(m.zeros(2,3),m.tensor([0,1]),m.tensor([0.,0.,0.]))",
    "F.softmax(m.tensor([-inf,-inf]),0)",
    "F.softmax(m.zeros(2,0),1)",
    "F.log_softmax(m.tensor([inf,1.]),0)",
    "F.mse_loss(m.zeros(2),m.zeros(2,2))",
    "F.dropout(m.ones(2),1.)",
    "F.dropout(m.ones(2),0.)",
    "F.dropout(m.ones(2),nan)",
    "F.embedding(m.tensor([0]),m.zeros(0,2))",
    "F.layer_norm(m.zeros(2,3),(3,),eps=0.)",
    "F.rms_norm(m.zeros(2,3),(3,),eps=0.)",
    "m.tensor([1,2]).float().std()",
    "m.tensor(2.)**m.tensor(-1)",
    "m.tensor([2])**-1",
    "m.tensor([2])**m.tensor([-1])",
    "m.tensor([True])+m.tensor([True])",
    "m.tensor([True])-m.tensor([True])",
    "-m.tensor([True])",
    "m.tensor([True])*2",
    "m.tensor([True])/2",
    "m.tensor([True])**2",
    "m.tensor([True]).sum()",
    "m.tensor([True]).max()",
    "m.tensor([True]).mean()",
    "~m.tensor([True])",
    "m.tensor([True])&1",
    "m.tensor([1.])&1",
    "m.tensor([1.])<<1",
    "m.tensor(3).item()",
    "m.tensor([[3]]).item()",
    "m.tensor([]).item()",
    "int(m.tensor(3.7))",
    "float(m.tensor(3))",
    "bool(m.tensor([]))",
    "bool(m.tensor(nan))",
    "len(m.tensor(3))",
    "len(m.tensor([1,2]))",
    "list(m.tensor([1,2]))",
    "m.tensor([1,2])[None]",
    "m.tensor([1,2])[...]",
    "m.tensor([1,2])[1:0]",
    "m.tensor([1,2])[::-1]",
    "m.tensor([1,2])[5]",
    "m.tensor([1,2])[1.0]",
    "m.tensor([1,2])['a']",
    "m.tensor([1,2])[m.tensor([0.5])]",
    "m.eye(2)[[0,1],[1,0]]",
    "m.ones(2)@m.ones(3)",
    "m.ones(0)@m.ones(0)",
    "m.ones(2,0)@m.ones(0,3)",
    "m.full((2,),nan).max()",
    "m.zeros(2,0).sum()",
    "m.zeros(2,0).sum(0)",
    "m.zeros(2,0).max(0).values",
    "m.maximum(m.tensor([nan]),m.tensor([1.]))",
    "m.minimum(m.tensor([1]),m.tensor([1.5]))",
    "m.arange(0)",
    "m.arange(3,0)",
    "m.arange(0,1,0)",
    "m.arange(0,3,nan)",
    "m.arange(1.5)",
    "m.tril(m.ones(2,2))",
    "m.cat([])",
    "m.stack([])",
    "m.cat([m.ones(2),m.ones(0)])",
    "m.cat([m.ones(1),m.tensor([1])])",
    "m.cat([m.tensor(1.)])",
)


def plain(value):
    """A result as (dtype, shape, numbers): PyTorch's int64 is int32 here."""
    if isinstance(value, (torch.Tensor, tinygpt.Tensor)):
        name = str(value.dtype).split(".")[-1].replace("int64", "int32").replace("bool_", "bool")
        return name, tuple(value.shape), value.detach().tolist()
    return [plain(one) for one in value] if isinstance(value, (tuple, list)) else value


def result(m, source, numbers=None, dtype=None):
    """What an expression gives, and the gradient; "refused" where it raises."""
    names = {"m": m, "F": tinygpt.functional if m is tinygpt else torch.nn.functional, "nan": math.nan, "inf": math.inf}
    x = None
    if numbers is not None:
        x = names["x"] = m.tensor(numbers, dtype=m.int32) if dtype else m.tensor([float(n) for n in numbers] or [0.0])
        x = names["x"] = x if numbers else x[:0].detach()
        if not dtype:
            x.requires_grad_()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = eval(source, names)
            if getattr(value, "requires_grad", False):
                value.sum().backward()
    except Exception as error:
        assert not isinstance(error, (AttributeError, NameError, SyntaxError)), error
        return "refused"
    return plain(value), None if x is None or x.grad is None else plain(x.grad)


def same(a, b):
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return a != a and b != b or a == b or abs(a - b) <= 1e-5 * max(1.0, abs(a))
    return type(a) is type(b) and a == b


def compare(cases):
    differ = [c for c in cases if not same(result(torch, *c), result(tinygpt, *c))]
    assert differ == []
    assert len(cases) > 50


def test_floats():
    compare([(s, POINTS[0]) for s in AT_EDGES] + [(s, points) for s in EVERYWHERE for points in POINTS])


def test_ints():
    compare([(s, numbers, "int32") for s, several in INTS.items() for numbers in several])


def test_calls():
    compare([(s,) for s in CALLS])
