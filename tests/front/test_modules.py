"""Module, its containers and the layers of linear algebra, embedding and dropout, beside
PyTorch's.
"""

import copy
import pickle
import warnings
from collections import OrderedDict

import pytest
import torch

from tests.front.layers import compare_call, compare_error, compare_module, near

pytestmark = pytest.mark.fast


def wave(*shape, grad=True):
    x = torch.sin(torch.arange(torch.Size(shape).numel()) * 1.7).reshape(shape)
    return x.requires_grad_() if grad else x


LAYERS = [
    ("nn.Linear(4, 3)", (wave(2, 5, 4),)),
    ("nn.Linear(4, 3, bias=False)", (wave(4),)),
    ("nn.Linear(4, 3, dtype=t.float64)", (wave(2, 4).detach().double(),)),
    ("nn.Linear(in_features=4, out_features=3, device='cpu')", (wave(2, 4),)),
    ("nn.Bilinear(4, 3, 5)", (wave(2, 6, 4), wave(2, 6, 3))),
    ("nn.Bilinear(4, 3, 1, bias=False)", (wave(4), wave(3))),
    ("nn.Identity(3, unused=1)", (wave(2, 4),)),
    ("nn.Flatten()", (wave(2, 3, 4),)),
    ("nn.Flatten(0, 1)", (wave(2, 3, 4),)),
    ("nn.Unflatten(1, (2, -1))", (wave(2, 6, 4),)),
    ("nn.Unflatten(-1, t.Size([2, 2]))", (wave(2, 6, 4),)),
    ("nn.Embedding(7, 3)", (torch.tensor([[1, 6, 1], [0, 2, 2]]),)),
    ("nn.Embedding(7, 3, padding_idx=-1)", (torch.tensor([[1, 6, 1], [0, 2, 2]]),)),
    ("nn.Embedding(7, 3, padding_idx=2, scale_grad_by_freq=True)", (torch.tensor([[1, 6, 1], [0, 2, 2]]),)),
    ("nn.Embedding(7, 3, max_norm=0.5, norm_type=1.0)", (torch.tensor([1, 6, 1], dtype=torch.int32),)),
    ("nn.Embedding.from_pretrained(t.arange(6.0).reshape(3, 2), freeze=False, padding_idx=0)", (torch.tensor([0, 1]),)),
    ("nn.EmbeddingBag(7, 3)", (torch.tensor([[1, 6, 1], [0, 2, 2]]),)),
    ("nn.EmbeddingBag(7, 3, mode='sum')", (torch.tensor([1, 6, 1, 2]), torch.tensor([0, 1, 1]), wave(4))),
    ("nn.EmbeddingBag(7, 3, mode='max')", (torch.tensor([1, 6, 1, 2]), torch.tensor([0, 1, 1]))),
    ("nn.EmbeddingBag(7, 3, padding_idx=1)", (torch.tensor([1, 6, 1, 2]), torch.tensor([0, 1, 3]))),
    ("nn.EmbeddingBag(7, 3, include_last_offset=True)", (torch.tensor([1, 6, 1, 2]), torch.tensor([0, 1, 4]))),
    (
        "nn.AdaptiveLogSoftmaxWithLoss(16, 30, [4, 10, 20], div_value=2.0)",
        (wave(9, 16), torch.tensor([0, 3, 5, 29, 11, 4, 19, 20, 2])),
    ),
    ("nn.AdaptiveLogSoftmaxWithLoss(8, 9, [4], head_bias=True)", (wave(8), torch.tensor(7))),
    ("nn.Dropout(0.3)", (wave(5, 4),)),
    ("nn.Dropout(0.3, inplace=True)", (wave(5, 4, grad=False),)),
    ("nn.Dropout(1.0)", (wave(5, 4),)),
    ("nn.Dropout1d(0.4)", (wave(5, 4, 3),)),
    ("nn.Dropout1d(0.4)", (wave(5, 4),)),
    ("nn.Dropout2d(0.4)", (wave(5, 4, 3, 2),)),
    ("nn.Dropout2d(0.4)", (wave(5, 4, 3),)),
    ("nn.Dropout3d(0.4)", (wave(2, 4, 3, 2, 2),)),
    ("nn.AlphaDropout(0.4)", (wave(5, 4),)),
    ("nn.FeatureAlphaDropout(0.4)", (wave(5, 4, 3),)),
    ("nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))", (wave(5, 4),)),
    ("nn.Sequential(nn.Sequential(nn.Linear(4, 3), nn.Tanh()), nn.Dropout(0.2), nn.Linear(3, 2))[:2]", (wave(5, 4),)),
    ("nn.Sequential(nn.Linear(4, 4)) + nn.Sequential(nn.Sigmoid())", (wave(5, 4),)),
]  # fmt: skip
PRINTED = [
    "nn.ModuleList([nn.Linear(2, 3) for _ in range(4)])",
    "nn.ModuleList([nn.Linear(2, 3), nn.Linear(2, 3), nn.ReLU(), nn.Sequential(nn.Linear(2, 3))])", "nn.ModuleList()",
    "nn.ModuleDict({'a': nn.Linear(2, 3), 'b': nn.ModuleList([nn.ReLU()] * 2)})",
    "nn.Sequential(OrderedDict(first=nn.Linear(2, 3), second=nn.Sequential(nn.GELU())))", "nn.Sequential()",
    "nn.ParameterList([t.ones(2, 3), t.ones(1), 'text'])", "nn.ParameterDict({'b': t.ones(2), 'a': t.ones(2, 3)})",
    "nn.LazyLinear(3)", "nn.CrossEntropyLoss()", "nn.Parameter(t.arange(3.0))", "nn.Parameter()",
    "nn.Parameter(t.ones(2, 2), requires_grad=False)", "nn.UninitializedParameter()",
    "nn.EmbeddingBag(3, 2, mode='max')", "nn.Module()", "list(nn.Linear(2, 3).state_dict())",
    "nn.Linear(2, 3).state_dict()._metadata", "nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2)).state_dict()._metadata",
    "nn.Linear(2, 3).load_state_dict({'weight': t.ones(3, 2), 'bias': t.ones(3)})",
    "nn.Linear(2, 3).load_state_dict({'weight': t.ones(3, 2), 'other': t.ones(3)}, strict=False)",
    "[name for name, _ in nn.Sequential(nn.Linear(2, 3)).named_parameters(prefix='p', recurse=True)]",
    "[name for name, _ in nn.Sequential(nn.Linear(2, 3)).named_modules(prefix='p')]",
    "nn.Linear(2, 3).half().weight.dtype", "nn.Sequential(nn.Linear(2, 3)).to(t.float64)[0].bias.dtype",
    "nn.Linear(2, 3).double().float().weight.dtype", "nn.Linear(2, 3).to('cpu', t.bfloat16).weight.dtype",
    "nn.Linear(2, 3).type(t.float64).weight.dtype", "t.nn.init.calculate_gain('tanh')",
    "sorted(dir(nn.Sequential(nn.Linear(2, 3))))[:0]", "nn.Linear(2, 3).weight.grad",
    "(lambda m: (m.register_buffer('b', t.zeros(2), persistent=False), list(m.state_dict()), "
    "len(list(m.buffers()))))(nn.Linear(2, 3))", "F.one_hot(t.tensor([[0, 2], [1, 1]]))",
    "F.one_hot(t.tensor([0, 2]), 5)",
]  # fmt: skip
REFUSED = [
    "nn.AdaptiveLogSoftmaxWithLoss(4, 5, [3, 2])", "nn.AdaptiveLogSoftmaxWithLoss(4, 5, [2])(t.ones(2, 4), t.ones(3))",
    "nn.Linear(2, 3)(t.ones(4))", "nn.Linear(2, 3, True, 'cpu', t.float32, 1)", "nn.Embedding(3, 2)(t.tensor([3]))",
    "nn.Embedding(3, 2)(t.tensor([1.0]))", "nn.Embedding(3, 2, padding_idx=3)",
    "nn.Embedding(3, 2, _weight=t.ones(2, 2))", "nn.Dropout(1.5)", "F.dropout(t.ones(2), -0.1)",
    "F.dropout1d(t.ones(2))", "nn.Unflatten(1, 3)", "nn.Unflatten(0, (2, 2))(t.ones(3))", "nn.Sequential(3)",
    "nn.ModuleList([3])", "nn.ModuleDict({'a': 3})", "nn.ModuleDict({'a.b': nn.ReLU()})",
    "nn.ModuleDict({'keys': nn.ReLU()})", "nn.ModuleList([nn.ReLU()])[1]", "nn.ModuleDict()['a']",
    "nn.ModuleList()(1)", "nn.ParameterList()(1)", "nn.ParameterList(3)", "nn.ParameterDict({1: t.ones(1)})",
    "nn.ParameterDict()['a']", "nn.Linear(2, 3).nothing", "nn.Linear(2, 3).load_state_dict({})",
    "nn.Linear(2, 3).load_state_dict([])",
    "nn.Linear(2, 3).load_state_dict({'weight': t.ones(2, 2), 'bias': t.ones(3)})", "nn.Linear(2, 3).to(t.int64)",
    "nn.Linear(2, 3).register_buffer('weight', t.ones(1))", "nn.Linear(2, 3).register_parameter('a.b', None)",
    "nn.Linear(2, 3).register_parameter('p', t.ones(1))", "nn.Linear(2, 3).add_module('', nn.ReLU())",
    "nn.Linear(2, 3).add_module('weight', nn.ReLU())", "nn.Linear(2, 3).get_submodule('a')",
    "nn.Linear(2, 3).get_parameter('a')", "nn.Linear(2, 3).set_submodule('', nn.ReLU())",
    "nn.Linear(2, 3).set_submodule('weight', nn.ReLU())", "nn.Linear(2, 3).train(1)",
    "setattr(nn.Linear(2, 3), 'weight', t.ones(3, 2))", "setattr(nn.Sequential(nn.ReLU()), '0', t.ones(1))",
    "nn.Module()(1)", "delattr(nn.Linear(2, 3), 'nothing')", "nn.Parameter(t.arange(3))", "nn.Bilinear(0, 2, 3)",
    "nn.Linear(2, 3).requires_grad_('yes')", "nn.UninitializedParameter().shape", "nn.LazyLinear(3).weight + 1",
    "nn.Bilinear(4, 3, 5)(t.ones(2, 4), t.ones(2, 4))", "nn.EmbeddingBag(3, 2)(t.tensor([1, 2]))",
    "F.one_hot(t.tensor([1.0]))", "F.one_hot(t.tensor([-1]))", "F.one_hot(t.tensor([3]), 2)",
    "F.embedding_bag(t.tensor([1]), t.ones(3, 2), t.tensor([0]), mode='most')", "nn.Linear(2, 3).get_extra_state()",
    "pickle.dumps(nn.utils.parametrizations.weight_norm(nn.Linear(2, 3)))", "F.embedding(t.tensor([1]), t.ones(3))",
]  # fmt: skip


@pytest.mark.parametrize(("source", "inputs"), LAYERS, ids=[source for source, _ in LAYERS])
@pytest.mark.parametrize("train", [True, False])
def test_layers(front, source, inputs, train):
    inputs = [x.detach().clone().requires_grad_(x.requires_grad) for x in inputs]
    compare_module(front, source, *inputs, train=train)


def test_lazy(front):
    made = []
    for t in (torch, front):
        t.manual_seed(4)
        layer = t.nn.Sequential(t.nn.LazyLinear(3), t.nn.ReLU(), t.nn.LazyLinear(2, bias=False))
        assert repr(layer[0]) == "LazyLinear(in_features=0, out_features=3, bias=True)"
        assert layer[0].has_uninitialized_params() and layer(t.ones(2, 5)).shape == (2, 2)
        assert type(layer[0]) is t.nn.Linear and type(layer[0].weight) is t.nn.Parameter
        made.append([p.tolist() for p in layer.parameters()])
        other = t.nn.LazyLinear(3)
        other.load_state_dict(layer[0].state_dict())
        assert other.weight.shape == (3, 5)
    assert made[0] == made[1]


@pytest.mark.parametrize("source", PRINTED)
def test_printed_forms(front, source):
    printed = []
    for t in (torch, front):
        printed.append(repr(eval(source, {"t": t, "nn": t.nn, "F": t.nn.functional, "OrderedDict": OrderedDict})))
    assert printed[0] == printed[1]


@pytest.mark.parametrize("source", REFUSED)
def test_the_class_of_an_error(front, source):
    compare_error(front, source, pickle=pickle)


def test_messages_of_load_state_dict(front):
    messages = []
    for t in (torch, front):
        model = t.nn.Sequential(OrderedDict(a=t.nn.Linear(2, 3), b=t.nn.Linear(3, 1)))
        with pytest.raises(RuntimeError) as error:
            model.load_state_dict({"a.weight": t.ones(2, 2), "c": t.ones(1), "b.x.y": t.ones(1), "b.bias": 3})
        messages.append(str(error.value))
    assert messages[0] == messages[1]


# ---- what happens in an order: each program returns what it saw, for both ------------------------


def hooks_of_forward(t):
    seen = []
    model = t.nn.Sequential(t.nn.Linear(2, 3), t.nn.ReLU())
    x = t.ones(1, 2)
    kept = [
        model.register_forward_pre_hook(lambda m, args: seen.append(("pre", len(args)))),
        model.register_forward_pre_hook(lambda m, args: seen.append("first"), prepend=True),
        model.register_forward_pre_hook(lambda m, args, kwargs: (args, kwargs), with_kwargs=True),
        model.register_forward_hook(lambda m, args, out: seen.append(("out", tuple(out.shape)))),
        model.register_forward_hook(lambda m, args, kwargs, out: out * 0, with_kwargs=True),
        model[0].register_forward_hook(lambda m, args, out: None),
    ]
    seen.append(model(x).sum().item())
    for handle in kept[:4]:
        handle.remove()
    seen.append(model(x).sum().item())
    with model[1].register_forward_pre_hook(lambda m, args: args[0] - 100):
        model(x)
    always = t.nn.Linear(2, 2)
    always.register_forward_hook(lambda m, args, out: seen.append("always"), always_call=True)
    always.register_forward_hook(lambda m, args, out: seen.append("never"))
    try:
        always(t.ones(3))
    except RuntimeError:
        seen.append("raised")
    return [*seen, len(model._forward_hooks), len(model._forward_pre_hooks)]


def hooks_of_backward(t):
    seen = []

    def note(name):
        def hook(module, given, out=None):
            for part in (given, out):
                seen.append((name, None if part is None else [None if g is None else g.tolist() for g in part]))

        return hook

    model = t.nn.Sequential(t.nn.Linear(2, 2, bias=False), t.nn.Tanh())
    t.nn.init.constant_(model[0].weight, 0.5)
    model[0].register_full_backward_hook(note("linear"))
    model[1].register_full_backward_hook(lambda m, gi, go: (gi[0] * 2,))
    model[1].register_full_backward_pre_hook(note("tanh"))
    handle = model.register_full_backward_pre_hook(lambda m, go: (go[0] * 3,))
    for requires_grad in (True, False):
        x = t.tensor([[0.0, 0.0]], requires_grad=requires_grad)
        model(x).sum().backward()
        seen.append(model[0].weight.grad.tolist())
        seen.append(None if x.grad is None else x.grad.tolist())
        handle.remove()
    return seen


def hooks_of_all_modules(t):
    seen = []
    module = t.nn.modules.module
    handles = [
        module.register_module_forward_pre_hook(lambda m, args: seen.append("pre " + type(m).__name__)),
        module.register_module_forward_hook(lambda m, args, out: seen.append("out " + type(m).__name__)),
        module.register_module_full_backward_hook(lambda m, gi, go: seen.append("back " + type(m).__name__)),
    ]
    x = t.ones(1, 2, requires_grad=True)
    t.nn.Sequential(t.nn.Linear(2, 2), t.nn.ReLU())(x).sum().backward()
    for handle in handles:
        handle.remove()
    t.nn.Linear(2, 2)(x)
    return seen


def hooks_of_state(t):
    seen = []
    model = t.nn.Sequential(t.nn.Linear(2, 2))
    model.register_state_dict_pre_hook(lambda m, prefix, keep: seen.append(("pre", prefix, keep)))
    model.register_state_dict_post_hook(lambda m, values, prefix, meta: values.update(more=t.ones(1)))
    model[0]._register_state_dict_hook(lambda m, values, prefix, meta: seen.append((prefix, sorted(values))))
    model.register_load_state_dict_pre_hook(lambda m, values, *rest: values.pop("more"))
    model.register_load_state_dict_post_hook(lambda m, keys: keys.unexpected_keys.clear())
    values = model.state_dict()
    values["odd"] = t.ones(1)
    seen.append(repr(model.load_state_dict(values)))
    return [
        *seen,
        list(values),
        values["0.weight"].requires_grad,
        model.state_dict(keep_vars=True)["0.weight"].requires_grad,
    ]


def extra_state(t):
    class Counter(t.nn.Module):
        def __init__(self):
            super().__init__()
            self.count = 0

        def get_extra_state(self):
            return {"count": self.count}

        def set_extra_state(self, state):
            self.count = state["count"]

    model, other = t.nn.Sequential(Counter()), t.nn.Sequential(Counter())
    model[0].count = 7
    values = model.state_dict()
    out = [list(values.items()), repr(other.load_state_dict(values)), other[0].count]
    with pytest.raises(RuntimeError, match="_extra_state"):
        other.load_state_dict({})
    return out


def assigned_state(t):
    model = t.nn.Linear(2, 2)
    given = {"weight": t.ones(2, 2, dtype=t.float64), "bias": t.nn.Parameter(t.zeros(2))}
    model.load_state_dict(given, assign=True)
    return [str(model.weight.dtype), model.bias is given["bias"], isinstance(model.weight, t.nn.Parameter)]


def tables(t):
    model = t.nn.Linear(2, 2)
    first = t.nn.Parameter(t.zeros(2, 2))
    model._parameters["weight"] = first
    out = [model.weight is first, model.__dir__().count("weight") > 0]
    del model._parameters["weight"]
    out += [hasattr(model, "weight"), [name for name, _ in model.named_parameters()]]
    model.weight = t.ones(2, 2)
    out += ["weight" in model._parameters, model(t.ones(1, 2)).shape[1]]
    model._buffers["b"] = t.ones(3)
    model._modules["child"] = t.nn.ReLU()
    other = copy.deepcopy(model)
    other._parameters["bias"] = None
    out += [model.b.tolist(), type(model.child).__name__, other.bias, model.bias is None]
    model.buffer = t.nn.Buffer(t.arange(2.0), persistent=False)
    model.kept = t.nn.Buffer(t.arange(2.0))
    out += [list(model.state_dict()), [name for name, _ in model.named_buffers()]]
    shallow = copy.copy(model)
    return [*out, shallow.kept is model.kept, shallow.child is model.child]


def shared(t):
    class Tied(t.nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.out = t.nn.Embedding(3, 2), t.nn.Linear(2, 3, bias=False)
            self.out.weight = self.embed.weight
            self.again = self.embed

    model = Tied()
    moved = copy.deepcopy(model).double()
    return [
        [name for name, _ in model.named_parameters()],
        [name for name, _ in model.named_parameters(remove_duplicate=False)],
        [name for name, _ in model.named_modules(remove_duplicate=False)],
        [name for name, _ in model.named_children()], list(model.state_dict()),
        moved.out.weight is moved.embed.weight, len(list(pickle.loads(pickle.dumps(t.nn.Linear(2, 2))).parameters())),
    ]  # fmt: skip


def modes(t):
    class Frozen(t.nn.Module):
        def train(self, mode=True):
            return super().train(False)

    model = t.nn.Sequential(Frozen(), t.nn.Dropout(0.5))
    names = []
    model.apply(lambda m: names.append(type(m).__name__))
    model.requires_grad_(False)
    out = [model.train()[0].training, model[1].training, model.eval() is model, names]
    layer = t.nn.Linear(2, 1)
    layer(t.ones(1, 2)).sum().backward()
    layer.zero_grad(set_to_none=False)
    return [*out, layer.weight.grad.tolist(), layer.zero_grad(), layer.weight.grad, layer.double().weight.grad]


def cast_gradients(t):
    layer = t.nn.Linear(2, 1)
    layer(t.ones(1, 2)).sum().backward()
    weight = layer.weight
    layer.to(t.float64)
    return [layer.weight is weight, str(weight.grad.dtype), weight.grad.tolist(), weight.is_leaf, weight.requires_grad]


def containers(t):
    nn = t.nn
    layers = nn.ModuleList([nn.Linear(1, i + 1) for i in range(3)])
    layers.insert(1, nn.ReLU())
    layers[0] = nn.Tanh()
    layers += [nn.GELU()]
    del layers[-2]
    stack = nn.Sequential(nn.Linear(1, 1)).append(nn.ReLU()).extend([nn.Tanh(), nn.GELU()]).insert(1, nn.SiLU())
    stack.pop(0)
    named = nn.ModuleDict({"a": nn.ReLU(), "b": nn.Tanh()})
    named.update({"c": nn.GELU()})
    values = nn.ParameterList([t.ones(1)]).append(t.zeros(2)).extend([nn.Parameter(t.ones(3))])
    values[0] = t.ones(4)
    pairs = nn.ParameterDict({"x": t.ones(1)}) | nn.ParameterDict({"y": t.ones(2)})
    pairs.setdefault("z", t.ones(3))
    pairs.pop("x")
    return [
        repr(layers), repr(layers[1:]), repr(layers + [nn.ReLU()]), repr(stack), repr(stack * 2), repr(stack[-1]),
        repr(named), repr(named.pop("a")), list(named), "c" in named, repr(values), len(values), repr(values[1:]),
        [p.requires_grad for p in values], list(pairs.keys()), [n for n, _ in pairs.named_parameters()], repr(pairs),
    ]  # fmt: skip


def submodules(t):
    model = t.nn.Sequential(OrderedDict(body=t.nn.Sequential(t.nn.Linear(2, 2))))
    model.set_submodule("body.0", t.nn.ReLU())
    model.set_submodule("body.1", t.nn.Tanh())
    return [repr(model), repr(model.get_submodule("body.1")), model.get_submodule("") is model]


PROGRAMS = [
    hooks_of_forward, hooks_of_backward, hooks_of_all_modules, hooks_of_state, extra_state, assigned_state, tables,
    shared, modes, cast_gradients, containers, submodules,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=[p.__name__ for p in PROGRAMS])
def test_programs(front, program):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(1), front.manual_seed(1)
        assert program(front) == program(torch)


def test_paths_of_pytorchs_files(front):
    from tinygpt.torch.nn.modules.linear import Linear
    from tinygpt.torch.nn.modules.loss import _Loss
    from tinygpt.torch.nn.modules.module import Module, _addindent, _IncompatibleKeys

    from tinygpt.torch.nn.common_types import _size_2_t
    from tinygpt.torch.nn.modules.utils import _pair
    from tinygpt.torch.nn.parameter import Parameter

    assert (Linear, Module, Parameter) == (front.nn.Linear, front.nn.Module, front.nn.Parameter)
    assert _size_2_t and _addindent("a\nb", 2) == "a\n  b" and _IncompatibleKeys([], []).missing_keys == []
    assert _pair(3) == (3, 3) and issubclass(front.nn.MSELoss, _Loss)


def test_a_module_is_tinygpts(front):
    import tinygpt

    assert front.nn.Module is tinygpt.nn.Module and front.nn.Linear is tinygpt.nn.Linear
    assert front.nn.Embedding is tinygpt.nn.Embedding and front.nn.Sequential is tinygpt.nn.Sequential
    from tinygpt.torch.front import leave

    leave()
    with pytest.raises(AttributeError, match="Module has no register_forward_hook"):
        tinygpt.nn.Linear(2, 2).register_forward_hook  # noqa: B018
    assert repr(tinygpt.nn.GELU()) == "GELU()"


def test_a_hook_runs_in_each_call_of_a_compiled_function(front):
    import tinygpt

    layer, seen = front.nn.Linear(2, 2), []
    step = tinygpt.compile(lambda x: layer(x))
    x = front.ones(1, 2)
    step(x), step(x)
    handle = layer.register_forward_hook(lambda m, args, out: seen.append(1))
    with pytest.warns(RuntimeWarning, match="hook"):
        step(x)
    step(x)
    assert len(seen) == 2
    handle.remove()
    normed = front.nn.utils.weight_norm(front.nn.Linear(2, 2))
    step = tinygpt.compile(lambda x: normed(x))
    first = step(x)
    with tinygpt.no_grad():
        normed.weight_g.mul_(2.0)
    second = step(x)
    assert step.program is not None  # the hook is the package's own: it is replayed
    near(torch.tensor(((first - normed.bias) * 2).tolist()), second - normed.bias, "replayed")


def test_inplace_dropout_writes(front):
    compare_call(front, "(lambda a: (F.dropout(a, 0.4, True, True), a))(x * 1.0)", wave(4, 5))
