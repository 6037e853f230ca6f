"""Cases of objects and classes whose attributes and special methods change after a recording."""

import dataclasses
import enum
import functools
import weakref

from tests.core.reads.cases import Config, Sub, case

x = None  # calls() of test_reads.py makes it


@dataclasses.dataclass(frozen=True)
class Frozen:
    p: float = 1.0


@dataclasses.dataclass(slots=True)
class Slotted:
    p: float = 1.0


class Kind(enum.Enum):
    A = 1.0
    B = 2.0


def inherited():
    """(an object whose v is its base class's, that class, the object's own)."""

    class B:
        v = 1.0

    class C(B):
        pass

    return C(), B, C


@case
def of_prop():
    m = Sub()
    return (lambda: x * m.prop), lambda: setattr(m, "scale", 5.0)


@case
def of_base_class_attr():
    c, base, _ = inherited()
    return (lambda: x * c.v), lambda: setattr(base, "v", 2.0)


@case
def of_class_shadow():
    c, _, own = inherited()
    return (lambda: x * c.v), lambda: setattr(own, "v", 2.0)


@case
def of_class_replaced():
    class B:
        v = 1.0

    class C:
        v = 3.0

    c = B()

    def change():
        c.__class__ = C

    return (lambda: x * c.v), change


@case
def of_bases():
    class A:
        v = 1.0

    class B:
        v = 2.0

    class C(A):
        pass

    c = C()

    def change():
        C.__bases__ = (B,)

    return (lambda: x * c.v), change


@case
def of_dataclass():
    d = Config()
    return (lambda: x * d.p * d.q[0]), lambda: setattr(d, "p", 5.0)


@case
def of_dataclass_list():
    d = Config()
    return (lambda: x * d.p * d.q[0]), lambda: d.q.insert(0, 5.0)


@case
def of_frozen():
    d = Frozen()
    return (lambda: x * d.p), lambda: object.__setattr__(d, "p", 5.0)


@case
def of_slots():
    d = Slotted()
    return (lambda: x * d.p), lambda: setattr(d, "p", 5.0)


@case
def of_enum_value():
    h = [Kind.A]
    return (lambda: x * h[0].value), lambda: h.__setitem__(0, Kind.B)


@case
def of_cached_property():
    class A:
        k = 2.0

        @functools.cached_property
        def h(self):
            return self.k * 2

    a = A()
    assert a.h == 4

    def change():
        a.__dict__["h"] = 9.0

    return (lambda: x * a.h), change


@case
def of_call_class():
    class A:
        def __call__(self, y):
            return y * 2.0

    a = A()

    def change():
        A.__call__ = lambda s, y: y * 3.0

    return (lambda: a(x)), change


@case
def of_getitem_class():
    class A:
        def __getitem__(self, i):
            return 2.0

        def __len__(self):
            return 2

    a = A()

    def change():
        A.__getitem__ = lambda s, y: 3.0

    return (lambda: x * a[0]), change


@case
def of_bool():
    class A:
        def __init__(self):
            self.v = [1]

        def __bool__(self):
            return len(self.v) > 1

    a = A()
    return (lambda: x * (2.0 if a else 3.0)), lambda: a.v.append(2)


@case
def of_getattr_dyn():
    class A:
        def __init__(self):
            self.d = {"p": 2.0}

        def __getattr__(self, n):
            return self.d[n]

    a = A()
    return (lambda: x * a.p), lambda: a.d.update(p=4.0)


@case
def of_descriptor():
    class D:
        def __init__(self):
            self.v = 2.0

        def __get__(self, o, t):
            return self.v

    class A:
        d = D()

    a = A()
    return (lambda: x * a.d), lambda: setattr(A.__dict__["d"], "v", 4.0)


@case
def of_data_descriptor():
    class D:
        def __init__(self):
            self.v = 2.0

        def __get__(self, o, t):
            return self.v

        def __set__(self, o, v):
            self.v = v

    class A:
        d = D()

    a = A()
    return (lambda: x * a.d), lambda: setattr(a, "d", 4.0)


@case
def of_metaclass():
    class M(type):
        k = 2.0

        @property
        def v(cls):
            return cls.k

    class A(metaclass=M):
        pass

    return (lambda: x * A.v), lambda: setattr(M, "k", 5.0)


@case
def of_classmethod():
    class A:
        k = 2.0

        @classmethod
        def g(cls):
            return cls.k

    return (lambda: x * A.g()), lambda: setattr(A, "k", 5.0)


@case
def of_classmethod_inst():
    class A:
        k = 2.0

        @classmethod
        def g(cls):
            return cls.k

    a = A()
    return (lambda: x * a.g()), lambda: setattr(A, "k", 5.0)


@case
def of_super():
    class A:
        def g(self):
            return 2.0

    class B(A):
        def g(self):
            return super().g() + 1.0

    b = B()

    def change():
        A.g = lambda s: 7.0

    return (lambda: x * b.g()), change


@case
def of_arg_obj():
    d = Config()

    def f(d=d):
        return x * d.p

    return f, lambda: setattr(d, "p", 3.0)


@case
def of_weakref():
    d = Config()
    r = weakref.ref(d)
    return (lambda: x * r().p), lambda: setattr(d, "p", 3.0)


@case
def of_hasattr():
    m = Sub()
    return (lambda: x * (2.0 if hasattr(m, "newattr") else 1.0)), lambda: setattr(m, "newattr", 1)


@case
def of_getattr_default():
    d = Config()
    return (lambda: x * getattr(d, "zz", 1.0)), lambda: setattr(d, "zz", 3.0)


@case
def of_isinstance():
    h = [Config()]
    return (lambda: x * (2.0 if isinstance(h[0], Config) else 1.0)), lambda: h.__setitem__(0, Frozen())


@case
def of_isinstance_class():
    d = Config()

    class Other(Config):
        pass

    def change():
        d.__class__ = Other

    return (lambda: x * (2.0 if type(d) is Config else 1.0)), change


@case
def of_complex_obj_eq():
    class A:
        def __init__(self):
            self.v = 1

        def __eq__(self, o):
            return self.v == o.v

        __hash__ = None

    a, b = A(), A()

    def change():
        b.v = 2

    return (lambda: x * (2.0 if a == b else 3.0)), change
