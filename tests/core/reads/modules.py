"""Cases of modules, parameters, tensors and optimizers that change after a recording."""

import types

import tinygpt
from tests.core.reads.cases import Sub, case
from tinygpt import nn, optim

x = None  # calls() of test_reads.py makes it


@case
def of_object_setattr_tensor():
    m = Sub()
    return (lambda: m(x)), lambda: object.__setattr__(m, "weight", nn.Parameter(tinygpt.ones(3) * 5.0))


@case
def of_object_setattr_plain_tensor():
    m = Sub()
    return (lambda: x * m.buf), lambda: object.__setattr__(m, "buf", tinygpt.ones(3) * 5.0)


@case
def of_object_setattr_module():
    m = nn.Sequential(Sub())
    n = Sub()
    n.scale = 7.0
    m.k = Sub()
    return (lambda: m.k(x)), lambda: object.__setattr__(m, "k", n)


@case
def of_object_setattr_forward():
    m = Sub()
    return (lambda: m(x)), lambda: object.__setattr__(m, "forward", lambda x: x * 9.0)


@case
def of_object_delattr_plain():
    m = Sub()
    m.level = 3.0
    return (lambda: x * m.level), lambda: object.__delattr__(m, "level")


@case
def of_object_setattr_float():
    m = Sub()
    return (lambda: m(x)), lambda: object.__setattr__(m, "scale", 4.0)


@case
def of_super_setattr():
    m = Sub()
    return (lambda: m(x)), lambda: super(nn.Module, m).__setattr__("scale", 4.0)


@case
def of_dict_setitem_table():
    m = nn.Sequential(Sub())
    n = Sub()
    n.scale = 7.0
    return (lambda: m(x)), lambda: dict.__setitem__(m._modules, "0", n)


@case
def of_dict_update_table():
    m = nn.Sequential(Sub())
    n = Sub()
    n.scale = 7.0
    return (lambda: m(x)), lambda: dict.update(m._modules, {"0": n})


@case
def of_none_to_tensor():
    m = Sub()
    return (lambda: x * 2.0 if m.opt is None else x * m.opt), lambda: setattr(m, "opt", tinygpt.ones(3) * 3)


@case
def of_training():
    m = nn.Dropout(1.0)
    return (lambda: m(x)), lambda: setattr(m, "training", False)


@case
def of_requires():
    w = tinygpt.ones(3, requires_grad=True)

    def f():
        y = x * w
        return y * 2.0 if y.requires_grad else y * 3.0

    return (lambda: f().detach()), lambda: setattr(w, "requires_grad", False)


@case
def of_group_lr_read():
    m = Sub()
    o = optim.SGD(m.parameters(), lr=0.1)
    return (lambda: x * o.param_groups[0]["lr"]), lambda: o.param_groups[0].update(lr=0.5)


@case
def of_group_item():
    m = Sub()
    o = optim.SGD(m.parameters(), lr=0.1)
    g = o.param_groups[0]
    return (lambda: x * g["lr"]), lambda: g.__setitem__("lr", 0.5)


@case
def of_group_extra():
    m = Sub()
    o = optim.SGD(m.parameters(), lr=0.1)
    o.param_groups[0]["mine"] = 1.0
    return (lambda: x * o.param_groups[0]["mine"]), lambda: o.param_groups[0].update(mine=0.5)


@case
def of_groups_replaced():
    m = Sub()
    o = optim.SGD(m.parameters(), lr=0.1)

    def f():
        o.zero_grad()
        (m(x)).sum().backward()
        o.step()
        return m.weight.detach().clone()

    return f, lambda: setattr(o, "param_groups", [type(o.param_groups[0])({**o.param_groups[0], "lr": 0.7})])


@case
def of_opt_subclass():
    class My(optim.SGD):
        factor = 2.0

        def gain(self):
            return self.factor

    m = Sub()
    o = My(m.parameters(), lr=0.1)
    return (lambda: x * o.gain()), lambda: setattr(o, "factor", 3.0)


@case
def of_opt_step_patched():
    m = Sub()
    o = optim.SGD(m.parameters(), lr=0.1)

    def f():
        o.zero_grad()
        (m(x)).sum().backward()
        o.step()
        return m.weight.detach().clone()

    return f, lambda: setattr(o, "step", lambda: m.weight.data.mul_(3.0))


@case
def of_one_elem_param_swapped():
    a = nn.Parameter(tinygpt.ones(1))
    b = nn.Parameter(tinygpt.ones(1))
    o = optim.SGD([a, b], lr=0.1)

    def f():
        o.zero_grad()
        (a * x.sum() + b * 3.0).sum().backward()
        o.step()
        return a.detach().clone() + b.detach() * 100.0

    def change():
        ps = o.param_groups[0]["params"]
        ps.pop(0)

    return f, change


@case
def of_params_assigned():
    a = nn.Parameter(tinygpt.ones(1))
    b = nn.Parameter(tinygpt.ones(1))
    o = optim.SGD([a, b], lr=0.1)

    def f():
        o.zero_grad()
        (a * x.sum() + b * 3.0).sum().backward()
        o.step()
        return a.detach().clone() + b.detach() * 100.0

    return f, lambda: o.param_groups[0].update(params=[b])


@case
def of_module_attr():
    m = types.ModuleType("mymod")
    m.k = 2.0
    return (lambda: x * m.k), lambda: setattr(m, "k", 5.0)


@case
def of_module_fn_patched():
    m = types.ModuleType("mymod")
    exec("def g(y): return y*2.0", m.__dict__)
    return (lambda: m.g(x)), lambda: exec("def g(y): return y*3.0", m.__dict__)


@case
def of_ln_eps():
    l = nn.LayerNorm(3)
    return (lambda: l(x)), lambda: setattr(l, "eps", 0.5)


@case
def of_tensor_attr():
    t = tinygpt.ones(3)
    t.k = 2.0
    return (lambda: x * t.k), lambda: setattr(t, "k", 3.0)


@case
def of_param_attr():
    m = Sub()
    m.weight.k = 2.0
    return (lambda: x * m.weight.k), lambda: setattr(m.weight, "k", 3.0)


@case
def of_data_assign():
    m = Sub()
    return (lambda: m(x).detach()), lambda: setattr(m.weight, "data", tinygpt.ones(3) * 4.0)


@case
def of_module_class():
    m = Sub()

    class S2(Sub):
        def forward(self, x):
            return x * 13.0

    def change():
        m.__class__ = S2

    return (lambda: m(x)), change


@case
def of_module_len():
    m = nn.ModuleList([Sub()])
    return (lambda: x * float(len(m))), lambda: m.append(Sub())


@case
def of_own_setattr():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.k = 1.0

        def __setattr__(self, n, v):
            object.__setattr__(self, n, v)

    m = Own()
    return (lambda: x * m.k), lambda: setattr(m, "k", 4.0)


@case
def of_dict_bypass_exec():
    m = Sub()
    return (lambda: m(x)), lambda: exec("object.__setattr__(m,'scale',4.0)", {"m": m})
