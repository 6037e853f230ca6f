"""Cases of functions whose defaults, cells or attributes change after a recording."""

import functools
import operator
import types

from tests.core.reads.cases import Config, Sub, case

x = None  # calls() of test_reads.py makes it


@case
def of_default_arg():
    def g(y, k=2.0):
        return y * k

    def change():
        g.__defaults__ = (5.0,)

    return (lambda: g(x)), change


@case
def of_kwdefault():
    def g(y, *, k=2.0):
        return y * k

    def change():
        g.__kwdefaults__["k"] = 5.0

    return (lambda: g(x)), change


@case
def of_own_default():
    def g(k=2.0):
        return x * k

    def change():
        g.__defaults__ = (5.0,)

    return g, change


@case
def of_partial_kw():
    p = functools.partial(lambda y, k: y * k, k=2.0)
    return (lambda: p(x)), lambda: p.keywords.__setitem__("k", 5.0)


@case
def of_partial_state():
    p = functools.partial(lambda y, k: y * k, k=2.0)
    return (lambda: p(x)), lambda: p.__setstate__((p.func, (), {"k": 5.0}, {}))


@case
def of_partial_compiled():
    d = {"k": 2.0}
    return functools.partial(lambda y, d: y * d["k"], x, d), lambda: d.__setitem__("k", 5.0)


@case
def of_method_instance():
    m = Sub()

    def change():
        m.forward = types.MethodType(lambda s, x: x * s.scale * 7.0, m)

    return (lambda: m(x)), change


@case
def of_closure():
    k = 2.0

    def f():
        return x * k

    def change():
        nonlocal k
        k = 3.0

    return f, change


@case
def of_nested_fn():
    d = {"k": 1.0}

    def outer():
        def inner():
            return d["k"]

        return x * inner()

    return outer, lambda: d.update(k=5.0)


@case
def of_sorted_key():
    l = [3.0, 2.0]
    h = {"s": 1}
    return (lambda: x * sorted(l, key=lambda v: v * h["s"])[0]), lambda: h.update(s=-1)


@case
def of_gen_fn():
    l = [1.0, 2.0]

    def g():
        yield from l

    return (lambda: x * sum(g())), lambda: l.append(4.0)


@case
def of_exception_ctl():
    d = {"k": 1.0}

    def f():
        try:
            return x * d["zz"]
        except KeyError:
            return x * 2.0

    return f, lambda: d.update(zz=5.0)


@case
def of_bound_method():
    class A:
        k = 2.0

        def g(self, y):
            return y * self.k

    a = A()
    b = a.g
    return (lambda: b(x)), lambda: setattr(a, "k", 4.0)


@case
def of_compiled_method():
    class A:
        k = 2.0

        def g(self):
            return x * self.k

    a = A()
    return a.g, lambda: setattr(a, "k", 4.0)


@case
def of_operator_itemgetter():
    d = {"k": 2.0}
    g = operator.itemgetter("k")
    return (lambda: x * g(d)), lambda: d.update(k=3.0)


@case
def of_operator_attrgetter():
    d = Config()
    g = operator.attrgetter("p")
    return (lambda: x * g(d)), lambda: setattr(d, "p", 3.0)


@case
def of_function_attr_self():
    def f():
        return x * f.k

    f.k = 2.0
    return f, lambda: setattr(f, "k", 3.0)


@case
def of_function_dict():
    def g():
        return 2.0

    g.k = 2.0
    return (lambda: x * g.__dict__["k"]), lambda: setattr(g, "k", 3.0)
