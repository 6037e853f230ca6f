"""Ints, NumPy numbers, 0-d tensors and foreign objects as indices, sizes, dimensions and operands:
each expression gives PyTorch's value, or an error where PyTorch has one.
"""

import math
import warnings

import numpy as np
import pytest
import torch

import tinygpt
from tinygpt import functional as F

pytestmark = pytest.mark.fast
# With x a 2 x 3 matrix, i = 1, j = 0, f = 1.0, b = True, 0-d tensors all; n a NumPy int; T tensor.
EXPRESSIONS = """
    x[i] | x[j] | x[-i] | x[n] | x[n,i] | x[i,i] | x[:,i] | x[...,i] | x[i,...] | x[None,i] | x[i,None] |
    'ab'*i | b'ab'*n | m.cat([]) | m.cat([m.zeros(0),x]) | m.cat([x,m.zeros(0),x],1) | m.cat([m.zeros(0),m.zeros(0)]) |
    m.cat([m.zeros(0),T([True])]) | m.cat([m.zeros(0),x],2) | m.cat([m.zeros(0,2),x]) |
    x.__setitem__(0,[1.,2.,3.]) | x.__setitem__(0,(1.,2.,3.)) | x.__setitem__(0,[]) | x.__setitem__(0,None) |
    x.__setitem__(0,'a') | x.__setitem__(0,{}) | x.__setitem__(0,1j) | x.__setitem__(0,np.ones(3)) |
    x.__setitem__(0,np.array(1.)) | x.__setitem__(0,[T(1.)]*3) | x.__setitem__(x>2,[1.,2.]) |
    x.__setitem__(slice(None),[[1.]*3]*2) | x.__setitem__(0,range(3)) | x.__setitem__(0,1e300) |
    x.clone().copy_([1.,2.,3.]) | x.clone().copy_(np.ones(3)) | x.clone().fill_([1.]) | x.clone().fill_('a') |
    x.clone().fill_(1e300) | (x>2).fill_('a') | (x>2).fill_(None) | x.masked_fill(x>2,'a') | x.masked_fill(x>2,1e300) |
    x+[1.,2.,3.] | x*(1.,2.,3.) | x**[1,2,3] | x.clone().add_([1.]) | m.where(x>2,b'1',x) | m.where(x>2,1e300,x) |
    m.full((2,),b'1') | m.full((2,),1e300) | m.full((2,),'a') | m.full((2,),None) | m.maximum(x,[1.,2.,3.]) |
    x[i:] | x[:i] | x[j:i] | x[::i] | x[i:i] | x[f] | x[np.bool_(True)] | x[1.0] | x[np.float64(1)] | x["a"] |
    x[b] | x[True] | x[False] | x[T(5)] | x[T(-3)] | x[:,T(3)] | x[x.argmax(1)[0]] | x.flatten()[x.argmax()] | x[(i,)] |
    x[[0,1]] |
    x[[n]] | x[i][i] | [10,20,30][i] | [10,20,30][f] | range(i)[0:1] | list(range(T(2))) | [1,2]*i | 'ab'[i] |
    m.zeros(i).shape | m.zeros(i,2).shape | m.zeros((i,2)).shape | m.zeros(n).shape | m.zeros(f) |
    m.zeros(b).shape | m.zeros(True) | m.zeros(2.0) | m.zeros(np.float64(2)) | m.ones(T(2)).shape |
    m.full((i,2),1.5).shape | m.full((2,),T(3.0)) | m.full((2,),f) | m.full((2,),i) | m.rand(i).shape |
    m.randn(T(2),n).shape | m.empty(i).shape | m.eye(T(2)) | m.arange(T(3)) | m.arange(j,T(3)) |
    m.arange(0,T(4),T(2)) | m.arange(n) | m.randint(T(1),(2,)) | m.randint(0,i,(2,)) | m.randint(0,n,(2,)) |
    m.randint(0,1,(i,2)).shape | x.view(T(3),T(2)).shape | x.view(T(3),-1).shape | x.view(n,-1).shape |
    x.view((T(3),2)).shape | x.reshape(T(6)).shape | x.reshape(2.0,3) | x.view(f,-1) | x.view(True,-1) |
    x.expand(T(2),T(3)).shape | x.unsqueeze(j).shape | x.unsqueeze(n).shape | x.unsqueeze(f) |
    x.squeeze(j).shape | x.flatten(j).shape | x.flatten(j,i).shape | x.transpose(j,i).shape |
    x.transpose(n,0).shape | x.permute(i,j).shape | x.permute((n,0)).shape | x.narrow(i,j,i) |
    x.narrow(1,T(1),T(2)) | x.narrow(1,n,n) | x.select(i,j) | x.select(j,n) | x.split(i) | x.split([i,i]) |
    x.split(T(2),i) | x.chunk(T(2)) | x.chunk(n,1) | m.cat([x,x],i).shape | m.cat([x,x],n).shape |
    m.stack([x,x],i).shape | x.tril(i) | x.tril(n) | x.triu(j) | x.sum(i) | x.sum(n) | x.sum(f) | x.sum(True) |
    x.sum(dim=True) | x.sum((i,j)) | x.sum([n]) | x.sum(()) | x.mean(i) | x.mean(n) | x.var(i) | x.var(n) |
    x.std(i) | x.std(n,unbiased=False) | x.var(False) | x.std(False) | x.std(True) | x.var(1,False) |
    x.var(dim=1,correction=n) | x.max(n) | x.max(i) | x.argmax(i) | x.argmax(n) | x.argmin(n) | x.softmax(i) |
    x.softmax(n) | x.log_softmax(n) | F.softmax(x,i) | F.softmax(x,n) | x.size(i) | x.size(n) | x.size(-1) |
    x.stride(i) | x.size(f) | x.size(5) | F.one_hot(T([1]),np.int64(3)) | F.one_hot(T([1]),T(3)) |
    F.one_hot(T([1,3]),3) | F.one_hot(T([-1]),3) | F.one_hot(T([1,2])) | F.one_hot(T([-1])) |
    F.one_hot(T([0]),0) | F.one_hot(T([0]),-5) | F.one_hot(T([0.]),2) | F.one_hot(T([True]),2) |
    F.one_hot(T(1),3) | F.one_hot(T([0]),2.0) | F.one_hot(T([0]),True) | F.one_hot(T([[0,1],[1,0]])) |
    F.layer_norm(x,(T(3),)) | F.layer_norm(x,n+2) | nn.Linear(n,T(2)).weight.shape |
    nn.Embedding(T(3),n).weight.shape | nn.Linear(2.0,1) | nn.LayerNorm(np.int64(3))(x) | x==None | x!=None |
    x==NotImplemented | x=='a' | x!='a' | x==[1,2] | x!=[1,2] | x==(1,) | x=={} | x==object | None==x |
    'a'!=x | x in [None] | None in [x] | x<None | x>'a' | x<=[1] | x==True | x==1.0 | x==n | x==np.float32(2) |
    x==f | x==i | x==T(2) | x+None | x+'a' | x*None | x-None | x/None | None+x | x**None | [x]==[None] | x==x |
    x.eq(None) | x==Ellipsis | x==slice(1) | int(i) | int(f) | float(i) | bool(i) | bool(x) | int(T(nan)) |
    int(T(inf)) | int(x) | float(x) | int(T([[3]])) | bool(T([])) | f'{i}' | round(f) | abs(-i) | -b | len(f) |
    list(f) | i.__index__() | f.__index__() | b.__index__() | x.__index__() | T([[2]]).__index__() |
    m.multinomial(m.ones(3),T(2)).shape | m.multinomial(m.ones(3),n).shape | m.multinomial(m.ones(3),f) |
    m.multinomial(m.ones(3),2.0) | x.clamp(T(1.0)) | x.clamp(min=T(1.0),max=T(2.0)) | x.clamp(n) |
    x.clamp(np.float32(1.5)) | x.clamp() | x.clamp('a') | x.masked_fill(x>2,T(1.0)) | x.masked_fill(x>2,n) |
    x.masked_fill(x>2,np.float32(2)) | x.masked_fill(x>2,i) | m.where(x>2,T(1.0),x) | m.where(x>2,n,x) |
    m.where(x>2,np.float32(1),x) | x.pow(i) | x.pow(n) | x**n | 2**x | n**x | n*x | x*n | n-x |
    np.float32(2)/x | x+b | x+True | x.clone().fill_(T(2.0)) | x.clone().fill_(n) | x.clone().fill_(i) |
    x.add(x,alpha=i) | x.add(x,alpha=n) | x.clone().add_(n) | x.clone().mul_(f) | m.tensor(n) |
    m.tensor([n,n]) | m.tensor([i,j]) | m.tensor([f,f]) | m.tensor([[i],[j]]) | m.tensor([True,n]) |
    m.tensor(np.float64(2.5)) | m.tensor(np.bool_(True)) | m.tensor([np.bool_(True)]) | m.tensor(None) |
    i==2**64 | i<2**64 | i>=-2**64 | i/2**64 | i==10**30 | i==2**40 | i<-2**63 | x+2**63 | x+2**64 | x==2**64 |
    x*-2**64 | 2**64-x | x<-2**63-1 | x.clone().add_(2**64) | x.clone().fill_(2**64) | x.clone().fill_(2**63) |
    m.full((2,),2**64) | m.full((2,),-2**64,dtype=m.float32) | m.where(x>2,x,2**64) | x.clamp(2**64) | x**2**64 |
    x.masked_fill(x>2,2**64) | x[-2**63] | x.sum(-2**63) |
    m.tensor('a') | m.tensor([None]) | m.tensor([np.float32(1.5),2]) | m.tensor([[1,2],[3]])
"""
REFUSED = """
    x[[i]] | x[[[0, 1], [1, 0]]] | x[[slice(0, 1)]] | m.arange(f) | x == 1j | m.tensor(1j)
"""


def listed(text):
    return [part.strip() for part in text.replace("\n", "|").split("|") if part.strip()]


def plain(value):
    if isinstance(value, (list, tuple)) and not hasattr(value, "tolist"):
        return [plain(v) for v in value]
    if hasattr(value, "tolist") and not isinstance(value, np.generic):
        return tuple(value.shape), value.tolist()
    return value


def evaluated(m, functional, source):
    """The value as plain Python, or "an error"."""
    names = {
        "m": m, "F": functional, "nn": m.nn, "T": m.tensor, "np": np, "math": math, "nan": math.nan, "inf": math.inf,
        "x": m.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]), "i": m.tensor(1), "j": m.tensor(0), "f": m.tensor(1.0),
        "b": m.tensor(True), "n": np.int64(1),
    }  # fmt: skip
    try:
        return plain(eval(source, names))
    except Exception:
        return "an error"


def same(a, b):
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return a == pytest.approx(b, rel=1e-6, abs=1e-7, nan_ok=True)
    return type(a) is type(b) and bool(a == b)


@pytest.mark.parametrize("source", listed(EXPRESSIONS))
def test_an_expression(native, source):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = evaluated(torch, torch.nn.functional, source)
    if "rand" in source and want != "an error":
        assert evaluated(tinygpt, F, source) != "an error"
        return
    got = evaluated(tinygpt, F, source)
    assert same(got, want), "%s is %r, in PyTorch %r" % (source, got, want)


@pytest.mark.parametrize("source", listed(REFUSED))
def test_what_is_not_supported_is_refused(native, source):
    assert evaluated(tinygpt, F, source) == "an error"


def test_a_0d_tensor_formats_as_its_number(device):
    loss = tinygpt.tensor(1.25)
    assert "%s" % f"{loss:.3f}" == "1.250" and f"{tinygpt.tensor(3)}" == "3"
