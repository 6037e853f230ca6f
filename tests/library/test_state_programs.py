"""One-line programs about modules, parameters, gradients, state dicts, copies, pickles, optimizers
and generators: `r` at the end, or the kind of error, is PyTorch's.
"""

import copy
import pickle
import warnings

import pytest
import torch

import tinygpt

pytestmark = pytest.mark.fast
# A line that begins with a semicolon continues the one above.
PROGRAMS = """
    g=m.Generator(); g.manual_seed(5); a=m.rand(3,generator=g) ; h=pickle.loads(pickle.dumps(g))
      ; r=(m.rand(3,generator=h)==m.rand(3,generator=g)).all().item()
    g=m.Generator(); g.manual_seed(5); m.rand(3,generator=g); h=copy.deepcopy(g)
      ; r=(m.rand(3,generator=h)==m.rand(3,generator=g)).all().item()
    g=m.Generator(); g.manual_seed(5); h=copy.copy(g); x=m.rand(3,generator=h)
      ; y=m.rand(3,generator=g); r=(x==y).all().item()
    g=m.Generator(); g.manual_seed(2**64-1); r=g.initial_seed()
    g=m.Generator(); g.manual_seed(-1); r=g.initial_seed()
    g=m.Generator(); g.manual_seed(2**64); r=1
    g=m.Generator(); g.manual_seed(1.5); r=1
    g=m.Generator(); g.manual_seed(True); r=g.initial_seed()
    g=m.Generator(); g.manual_seed("a"); r=1
    g=m.Generator(); r=g.manual_seed(3) is g
    g=m.Generator(); s=g.manual_seed(3).get_state(); x=m.rand(3,generator=g); g.set_state(s)
      ; r=(x==m.rand(3,generator=g)).all().item()
    l=nn.Linear(2,2); l.weight.foo=5; k=copy.deepcopy(l); r=getattr(k.weight,"foo",None)
    l=nn.Linear(2,2); l.x=m.ones(2); r=list(l.state_dict())
    l=nn.Linear(2,2); l.x=m.ones(2); k=copy.deepcopy(l); k.x.fill_(3); r=l.x.tolist()
    l=nn.Linear(2,2); l.fn=lambda: 1; r=copy.deepcopy(l).fn()
    l=nn.Linear(2,2); l.fn=lambda: 1; r=pickle.loads(pickle.dumps(l))
    l=nn.Linear(2,2); del l.weight; r=hasattr(l,"weight")
    l=nn.Linear(2,2); del l.nothing
    l=nn.Linear(2,2); l.weight=None; l(m.ones(1,2))
    l=nn.Linear(2,2); l.bias=None; r=l(m.ones(1,2)).shape
    l=nn.Linear(2,2); l.weight=5
    l=nn.Linear(2,2); l.weight=m.ones(2,2)
    l=nn.Linear(2,2); l.weight=nn.Linear(1,1)
    l=nn.Linear(2,2); l.training=False; r=l.training
    l=nn.Linear(2,2); l.forward=lambda x: x*2; r=l(m.ones(2)).tolist()
    l=nn.Linear(2,2); l.train("a")
    l=nn.Linear(2,2); l.train(0)
    l=nn.Linear(2,2); r=l.eval().training
    l=nn.Linear(2,2); l.requires_grad_("a")
    l=nn.Sequential(nn.Linear(2,2)); r=l[1]
    l=nn.Sequential(nn.Linear(2,2)); r=l[-1].in_features
    l=nn.Sequential(nn.Linear(2,2),nn.ReLU(),nn.Linear(2,1)); r=len(l[1:])
    l=nn.Sequential(nn.Linear(2,2),nn.ReLU()); l.add_module("1",nn.Tanh())
      ; r=[type(x).__name__ for x in l]
    l=nn.ModuleList([nn.Linear(2,2)]); l.append(nn.ReLU()); r=list(l.state_dict())
    l=nn.ModuleList([nn.Linear(2,2)]); l.append(5)
    l=nn.ModuleList([nn.Linear(2,2)]); l(m.ones(2))
    l=nn.ModuleList([nn.Linear(2,2)]); r=l[5]
    l=nn.Module(); l.register_buffer("a.b",m.ones(1))
    l=nn.Module(); l.register_buffer("",m.ones(1))
    l=nn.Module(); l.register_buffer("a",5)
    l=nn.Module(); l.register_buffer("a",m.ones(1)); l.a=5
    l=nn.Module(); l.register_buffer("a",m.ones(1)); l.a=m.zeros(2); r=l.state_dict()["a"].tolist()
    l=nn.Module(); l.register_buffer("a",m.ones(1)); l.a=nn.Parameter(m.zeros(2))
      ; r=[n for n,_ in l.named_parameters()],list(l.state_dict())
    l=nn.Module(); l.register_buffer("a",None); r=list(l.state_dict())
    l=nn.Module(); l.a=1; l.register_parameter("a",nn.Parameter(m.ones(1)))
    l=nn.Module(); l.register_parameter("a",m.ones(1))
    l=nn.Module(); l.register_parameter("a",None); l.a=nn.Parameter(m.ones(1))
      ; r=list(l.state_dict())
    l=nn.Module(); l(1)
    l=nn.Module(); r=str(l)
    l=nn.Linear(2,2); p=l.weight; l.load_state_dict(nn.Linear(2,2).state_dict()); r=l.weight is p
    l=nn.Linear(2,2); l.load_state_dict({})
    l=nn.Linear(2,2); r=tuple(map(list,l.load_state_dict({},strict=False)))
    l=nn.Linear(2,2); l.load_state_dict({"weight":m.ones(2,2),"bias":m.ones(3)})
    l=nn.Linear(2,2); l.load_state_dict({"weight":m.ones(2,2),"bias":m.ones(2),"x":m.ones(1)})
    l=nn.Linear(2,2); l.load_state_dict({"weight":m.ones(2,2),"bias":[1,2]})
    l=nn.Linear(2,2); l.load_state_dict({"weight":m.ones(2,2),"bias":m.tensor([1,2])})
      ; r=l.bias.tolist(),str(l.bias.dtype)[-7:]
    l=nn.Linear(2,2); l.load_state_dict(None)
    l=nn.Linear(2,2); l.load_state_dict([("weight",1)])
    l=nn.Linear(2,2); s=l.state_dict(); s["weight"].fill_(1.0); r=l.weight.tolist()
    l=nn.Linear(2,2); s=l.state_dict(); r=s["weight"].requires_grad
    l=nn.Linear(2,2); s=l.state_dict(); s["weight"]=m.zeros(2,2); r=(l.weight==0).all().item()
    l=nn.Linear(2,2); s=l.state_dict(); l.weight=nn.Parameter(m.ones(2,2))
      ; r=(s["weight"]==1).all().item()
    l=nn.Linear(2,2); l2=copy.deepcopy(l)
      ; r=all((a==b).all().item() for a,b in zip(l.parameters(),l2.parameters())), l2.weight is l.weight
    l=nn.Linear(2,2); l.weight.requires_grad=False
      ; r=[p.requires_grad for p in copy.deepcopy(l).parameters()]
    l=nn.Linear(2,2); l(m.ones(1,2)).sum().backward(); r=copy.deepcopy(l).weight.grad is None
    l=nn.Linear(2,2); l(m.ones(1,2)).sum().backward()
      ; r=pickle.loads(pickle.dumps(l)).weight.grad is None
    x=m.ones(3).requires_grad_(); (x*2).sum().backward(); r=copy.deepcopy(x).grad.tolist()
    x=m.ones(3).requires_grad_(); y=x*2; copy.deepcopy(y)
    x=m.ones(3).requires_grad_(); y=x*2; r=pickle.loads(pickle.dumps(y)).requires_grad
    x=m.ones(3); a=[x,x]; b=copy.deepcopy(a); r=b[0] is b[1]
    x=m.arange(4.0); a=[x,x[1:]]; b=copy.deepcopy(a); b[1].fill_(9.0); r=b[0].tolist()
    x=m.arange(4.0); a=[x,x[1:]]; b=pickle.loads(pickle.dumps(a)); b[1].fill_(9.0); r=b[0].tolist()
    l=nn.Linear(2,2); o=optim.SGD(l.parameters(),lr=0.1); o2=copy.deepcopy(o)
      ; r=o2.param_groups[0]["params"][0] is l.weight
    l=nn.Linear(2,2); o=optim.SGD(l.parameters(),lr=0.1); l2,o2=copy.deepcopy((l,o))
      ; r=o2.param_groups[0]["params"][0] is l2.weight
    l=nn.Linear(2,2); o=optim.SGD(l.parameters(),lr=-1.0)
    l=nn.Linear(2,2); o=optim.AdamW(l.parameters(),betas=(1.0,0.9))
    l=nn.Linear(2,2); o=optim.AdamW(l.parameters(),eps=-1.0)
    l=nn.Linear(2,2); o=optim.AdamW([],lr=1.0)
    l=nn.Linear(2,2); o=optim.AdamW(l.weight,lr=1.0)
    l=nn.Linear(2,2); o=optim.AdamW(l,lr=1.0)
    l=nn.Linear(2,2); o=optim.AdamW([l.weight,5],lr=1.0)
    l=nn.Linear(2,2); o=optim.SGD(l.parameters(),lr=0.1,nesterov=True)
    l=nn.Linear(2,2); o=optim.SGD(l.parameters(),lr=0.1); o.param_groups[0]["lr"]="a"
      ; l(m.ones(1,2)).sum().backward(); o.step()
    l=nn.Linear(2,2); o=optim.SGD([{"params":l.parameters()},{"params":[l.weight]}],lr=0.1)
    l=nn.Linear(2,2); l.weight.grad=m.ones(2,3)
    l=nn.Linear(2,2); l.weight.grad=5
    l=nn.Linear(2,2); l.weight.grad=m.tensor([[1,2],[3,4]])
    l=nn.Linear(2,2); del l.weight.grad; r=l.weight.grad
    l=nn.Linear(2,2); l.weight.data=5
    l=nn.Linear(2,2); l.weight.data=m.tensor([[1,2],[3,4]])
    p=nn.Parameter(m.ones(2)); p+=1
    p=nn.Parameter(m.ones(2)); p.data+=1; r=p.tolist()
    p=nn.Parameter(m.ones(2)); p=p+1; r=type(p).__name__
    p=nn.Parameter(m.ones(2))
      ; r=[type(x).__name__ for x in (p.detach(),p.data,p.clone(),p[0],p.view(1,2))]
    p=nn.Parameter(m.ones(2)); r=p.is_leaf,p.detach().requires_grad,p.data.requires_grad
    p=nn.Parameter(m.ones(2)); p.is_leaf=False
    x=m.ones(2); x.foo=3; r=x.foo
    x=m.ones(2); r=hash(x)==hash(x),x in {x}
    x=m.ones(2); r=bool(x==x)
    x=m.ones(2); y=x.detach(); y.add_(1); r=x.tolist(),x._version
    x=m.ones(2).requires_grad_(); y=(x*x).sum(); y.backward(); y.backward()
    x=m.ones(2).requires_grad_(); y=(x*2).sum(); y.backward(); y.backward(); r=x.grad.tolist()
    x=m.ones(2).requires_grad_(); y=(x*x).sum(); y.backward(retain_graph=True); y.backward()
      ; r=x.grad.tolist()
    x=m.ones(2).requires_grad_(); y=x*x; y.backward()
    x=m.ones(2).requires_grad_(); y=x*x; y.backward(m.ones(2)); r=x.grad.tolist()
    x=m.ones(2).requires_grad_(); y=x*x; y.backward(m.ones(3))
    x=m.ones(2).requires_grad_(); y=x*x; y.backward(5)
    x=m.ones(2).requires_grad_(); y=x*x; y.requires_grad=False
    x=m.ones(2); x.requires_grad=5
    x=m.tensor([1]); x.requires_grad_()
    x=m.ones(2).requires_grad_(); x.numpy()
    x=m.ones(2).requires_grad_(); x.fill_(1.0)
    x=m.ones(2).requires_grad_(); x[0]=1.0
    x=m.ones(2).requires_grad_(); x.data[0]=5.0; r=x.tolist()
    x=m.ones(2).requires_grad_(); x.grad=x
    x=m.ones(2).requires_grad_(); x.grad=x.detach(); (x*2).sum().backward(); r=x.tolist()
    x=m.ones(2).requires_grad_(); x.grad=m.ones(2); g=x.grad; (x*2).sum().backward()
      ; r=g.tolist(),g is x.grad
    x=m.ones(2).requires_grad_(); (x*2).sum().backward(); g=x.grad; x.grad=None
      ; (x*3).sum().backward(); r=g.tolist(),x.grad.tolist()
    x=m.ones(2).requires_grad_(); y=x[0]; (y*2).backward(); r=x.grad.tolist(), y.grad
"""


def outcome(m, source):
    """("value", r) or ("error", its class)."""
    functional = m.nn.functional if m is torch else m.functional
    names = {"m": m, "nn": m.nn, "optim": m.optim, "F": functional, "copy": copy, "pickle": pickle, "r": None}
    try:
        exec(source, names)
    except Exception as error:
        return "error", type(error)
    return "value", repr(tuple(names["r"]) if isinstance(names["r"], torch.Size) else names["r"])


@pytest.mark.parametrize("source", [line.strip() for line in PROGRAMS.replace("\n      ; ", "; ").strip().splitlines()])
def test_a_program_ends_as_in_pytorch(native, source):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = outcome(torch, source)
    got = outcome(tinygpt, source)
    if want[0] == got[0] == "error":
        assert issubclass(got[1], want[1]) or issubclass(want[1], got[1])
    else:
        assert got == want
