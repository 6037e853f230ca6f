"""Sequential, ModuleList and ModuleDict are edited as PyTorch's: random programs over both give the
same names, layers and kinds of error. What PyTorch leaves broken (a module that is none, a gap in
the numbers) is refused.
"""

import random

import pytest
import torch

import tinygpt

pytestmark = pytest.mark.fast


def program(lib, seed):
    """What each step of a random program left: [(step, result, container)]; it ends at an error."""
    r, nn = random.Random(seed), lib.nn
    layers = [nn.Linear(1, 1) for _ in range(5)]
    number = {id(layer): i for i, layer in enumerate(layers)}

    def seen(value):
        if isinstance(value, (nn.Sequential, nn.ModuleList, nn.ModuleDict)):
            names = [(name, number[id(child)]) for name, child in value._modules.items()]
            return type(value).__name__, names, list(value.state_dict()), len(list(value.parameters()))
        return number[id(value)] if isinstance(value, nn.Module) else value

    kind = r.choice((nn.Sequential, nn.ModuleList, nn.ModuleDict))
    first = layers[: r.randrange(4)]
    if kind is nn.ModuleDict:
        c = kind({"abc"[i]: layer for i, layer in enumerate(first)})
    else:
        c = kind(*first) if kind is nn.Sequential else kind(first)
    out = []
    for _ in range(r.randrange(1, 8)):
        m, more = r.choice(layers), [r.choice(layers) for _ in range(r.randrange(3))]
        i, j, name = (
            r.randrange(-4, 5),
            r.randrange(-4, 5),
            r.choice(["a", "b", "c", "d", "keys", "x.y", "", "training"]),
        )
        place = min(max(i, 0), len(c))
        steps = {
            "append": lambda m=m: c.append(m),
            "extend": lambda more=more: c.extend(more),
            "insert": lambda place=place, m=m: c.insert(place, m),
            "pop": lambda i=i: c.pop(i),
            "get": lambda i=i: c[i],
            "slice": lambda i=i, j=j: c[i:j],
            "set": lambda i=i, m=m: c.__setitem__(i, m),
            "del": lambda i=i: c.__delitem__(i),
            "del slice": lambda i=i, j=j: c.__delitem__(slice(i, j)),
            "add": lambda more=more: c + (kind(*more) if kind is nn.Sequential else kind(more)),
            "add in place": lambda more=more: c.__iadd__(kind(*more) if kind is nn.Sequential else more),
            "add a list": lambda more=more: c + more,
            "multiply": lambda i=i: i * c if kind is nn.Sequential else None,
            "multiply in place": lambda i=i: c.__imul__(i) if kind is nn.Sequential else None,
            "iterate": lambda: [seen(x) for x in c],
        }
        if kind is nn.ModuleDict:
            steps = {
                "set": lambda name=name, m=m: c.__setitem__(name, m),
                "del": lambda name=name: c.__delitem__(name),
                "pop": lambda name=name: c.pop(name),
                "get": lambda name=name: c[name],
                "in": lambda name=name: name in c,
                "update": lambda name=name, m=m: c.update({name: m, "z": layers[0]}),
                "update by pairs": lambda name=name, m=m: c.update([(name, m)]),
                "update by an int": lambda: c.update(3),
                "update by triples": lambda: c.update([(1, 2, 3)]),
                "clear": lambda: c.clear(),
                "lists": lambda: (list(c), list(c.keys()), [seen(v) for v in c.values()], len(c)),
                "items": lambda: [(name, seen(v)) for name, v in c.items()],
            }
        step = r.choice(list(steps))
        try:
            out.append((step, seen(steps[step]()), seen(c)))
        except Exception as error:
            return [*out, (step, error)]
    return out


def test_programs_over_containers_are_pytorchs():
    differ = []
    for seed in range(1500):
        ours, theirs = program(tinygpt, seed), program(torch, seed)
        a, b = ours[-1], theirs[-1]
        if len(a) == len(b) == 2:
            same = isinstance(a[1], type(b[1])) and ours[:-1] == theirs[:-1]
        else:
            same = ours == theirs
        if not same:
            differ.append((seed, a, b))
    assert differ == []


@pytest.mark.parametrize("edit", ["append(None)", "insert(0, 'a')", "insert(9, layer)", "__setitem__(0, None)"])
def test_an_edit_that_would_break_the_container_is_refused(edit):
    for container in (tinygpt.nn.Sequential, tinygpt.nn.ModuleList):
        layer = tinygpt.nn.Linear(1, 1)
        c = container(layer) if container is tinygpt.nn.Sequential else container([layer])
        with pytest.raises((TypeError, IndexError), match="is not a Module|index 9 is out of range for a"):
            eval("c." + edit, {"c": c, "layer": layer})
        assert list(c) == [layer]


def test_a_recorded_call_sees_an_edit():
    layers = tinygpt.nn.ModuleList([tinygpt.nn.Linear(2, 2) for _ in range(2)])

    @tinygpt.compile
    def run(x):
        for layer in layers:
            x = layer(x)
        return x

    x = tinygpt.ones(1, 2)
    for _ in range(3):
        run(x)
    for edit in (lambda: layers.pop(0), lambda: layers.insert(0, tinygpt.nn.Tanh()), lambda: layers.extend(layers[:1])):
        edit()
        want = x
        for layer in layers:
            want = layer(want)
        assert run(x).tolist() == want.tolist()


def test_paths_and_buffers_are_pytorchs():
    answers = []
    for lib in (tinygpt, torch):
        net = lib.nn.Sequential(lib.nn.Linear(1, 2), lib.nn.ModuleDict({"a": lib.nn.Linear(2, 1)}))
        net[1].register_buffer("mask", lib.ones(2))
        net.shared = net[0]
        found = [[name for name, _ in net.named_children()], [name for name, _ in net.named_buffers()]]
        found += [len(list(net.buffers())), net.get_submodule("1.a") is net[1]["a"], net.get_submodule("") is net]
        found += [net.get_parameter("1.a.bias") is net[1]["a"].bias, net.get_buffer("1.mask") is net[1].mask]
        for call in (net.get_submodule, net.get_parameter, net.get_buffer):
            for path in ("nowhere", "1.b", "0.weight.x", "1.a", "0"):
                try:
                    call(path)
                    found.append("found")
                except AttributeError:
                    found.append("missing")
        answers.append(found)
    assert answers[0] == answers[1]
