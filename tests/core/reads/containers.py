"""Cases of lists, tuples, dicts, sets and buffers whose contents change after a recording."""

import collections
import types
import weakref
from typing import NamedTuple

from tests.core.reads.cases import Config, Sub, case

x = None  # calls() of test_reads.py makes it


class Pair(NamedTuple):
    a: float
    b: list


@case
def of_nested_item():
    m = Sub()
    return (lambda: x * m.items[1]["k"][0]), lambda: m.items[1]["k"].__setitem__(0, 5.0)


@case
def of_namedtuple_list():
    t = Pair(1.0, [2.0])
    return (lambda: x * t.a * t.b[0]), lambda: t.b.__setitem__(0, 5.0)


@case
def of_namedtuple_global():
    h = types.SimpleNamespace(t=Pair(1.0, []))
    return (lambda: x * h.t.a), lambda: setattr(h, "t", h.t._replace(a=4.0))


@case
def of_contains():
    class A:
        def __init__(self):
            self.v = [1]

        def __contains__(self, k):
            return k in self.v

        def __iter__(self):
            return iter(self.v)

        def __bool__(self):
            return len(self.v) > 1

    a = A()
    return (lambda: x * (2.0 if 2 in a else 3.0)), lambda: a.v.append(2)


@case
def of_set():
    s = {1, 2}
    return (lambda: x * float(sum(s))), lambda: s.add(5)


@case
def of_deque():
    d = collections.deque([1.0, 2.0])
    return (lambda: x * d[0]), lambda: d.rotate(1)


@case
def of_ordered():
    d = collections.OrderedDict(a=1.0, b=2.0)
    return (lambda: x * list(d.values())[0]), lambda: d.move_to_end("a")


@case
def of_dict_order():
    d = dict(a=1.0, b=2.0)

    def change():
        v = d.pop("a")
        d["a"] = v

    return (lambda: x * list(d.values())[0]), change


@case
def of_defaultdict():
    d = collections.defaultdict(lambda: 3.0)
    return (lambda: x * d.get("a", 1.0)), lambda: d["a"]


@case
def of_counter():
    d = collections.Counter("aab")
    return (lambda: x * float(d["a"])), lambda: d.update("a")


@case
def of_chainmap():
    a = {}
    d = collections.ChainMap(a, {"k": 2.0})
    return (lambda: x * d["k"]), lambda: a.update(k=3.0)


@case
def of_userdict():
    d = collections.UserDict(k=2.0)
    return (lambda: x * d["k"]), lambda: d.update(k=3.0)


@case
def of_weakdict():
    d = Config()
    w = weakref.WeakValueDictionary(k=d)
    return (lambda: x * w["k"].p), lambda: setattr(d, "p", 3.0)


@case
def of_bytearray():
    a = bytearray(b"\x01")
    return (lambda: x * float(a[0])), lambda: a.__setitem__(0, 3)


@case
def of_memoryview():
    b = bytearray(b"\x01")
    a = memoryview(b)
    return (lambda: x * float(a[0])), lambda: b.__setitem__(0, 3)
