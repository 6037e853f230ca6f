"""Modules with PyTorch's names and semantics: parameters by attribute, state_dict, train and eval, and the layers a GPT is made of.

Parameter names and layouts are PyTorch's (Linear weight [out, in]), so a state_dict travels in both directions.
"""

import math

from . import functional as F
from . import program
from .creation import empty, full
from .ops import random
from .state import get_device, no_grad, state
from .tensor import Tensor


class Parameter(Tensor):
    """A leaf tensor that requires a gradient and that a Module lists among its parameters."""

    def __init__(self, data, requires_grad=True):
        super().__init__(data._storage, data.shape, data.dtype, data._offset, data._strides, requires_grad)

    def move_to(self, place):
        """Makes `place`, a dense view of the same shape, this parameter's memory; the values go along."""
        place.copy_(self.detach())
        self._storage, self._offset, self._strides = place._storage, place._offset, place._strides
        state.layout += 1


class Module:
    """Base of all layers: register Parameters and Modules by assigning them as attributes, compute in `forward`."""

    def __init__(self):
        object.__setattr__(self, "_parameters", {})
        object.__setattr__(self, "_modules", {})
        object.__setattr__(self, "_buffers", {})
        object.__setattr__(self, "training", True)

    def __setattr__(self, name, value):
        if "_parameters" not in self.__dict__:
            raise AttributeError("cannot assign %r before Module.__init__() call; call super().__init__() first" % name)
        for table in (self._parameters, self._modules, self._buffers):
            table.pop(name, None)
        state.touch()
        if isinstance(value, Parameter):
            self._parameters[name] = value
        elif isinstance(value, Module):
            self._modules[name] = value
        object.__setattr__(self, name, value)

    def register_buffer(self, name, tensor):
        """A tensor that belongs to the state but is not trained."""
        object.__setattr__(self, name, tensor)
        self._buffers[name] = tensor

    def register_parameter(self, name, parameter):
        if parameter is None:
            object.__setattr__(self, name, None)
        else:
            setattr(self, name, parameter)

    def forward(self, *args, **kwargs):
        raise TypeError("%s has no forward(); define it" % type(self).__name__)

    def __call__(self, *args, **kwargs):
        program.note_module(self)
        return self.forward(*args, **kwargs)

    def children(self):
        return iter(self._modules.values())

    def named_modules(self, prefix=""):
        yield prefix, self
        for name, module in self._modules.items():
            yield from module.named_modules(prefix + "." + name if prefix else name)

    def modules(self):
        return (module for _, module in self.named_modules())

    def named_parameters(self, prefix="", remove_duplicate=True):
        """(name, Parameter) pairs in order of definition; a shared parameter once unless remove_duplicate is False."""
        seen = set()
        for path, module in self.named_modules(prefix):
            for name, parameter in module._parameters.items():
                if remove_duplicate and id(parameter) in seen:
                    continue
                seen.add(id(parameter))
                yield (path + "." + name if path else name), parameter

    def parameters(self):
        return (p for _, p in self.named_parameters())

    def train(self, mode=True):
        state.touch()
        for module in self.modules():
            object.__setattr__(module, "training", bool(mode))
        return self

    def eval(self):
        return self.train(False)

    def apply(self, function):
        """Calls function(module) on every module, children first. Returns self."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def requires_grad_(self, requires_grad=True):
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self):
        for p in self.parameters():
            p.grad = None

    def to(self, device):
        """Moves parameters, gradients and buffers to `device` (a name or a Device), bit by bit; they stay the same objects. Returns self.

        Parameters that an optimizer holds move with all others of that optimizer, and its moments follow at its next step.
        """
        from .moving import move

        move(get_device(device), self)
        return self

    def state_dict(self):
        """{name: Tensor that shares the memory} of parameters and buffers; a shared parameter under each of its names."""
        out = {}
        for path, module in self.named_modules():
            for table in (module._parameters, module._buffers):
                for name, tensor in table.items():
                    out[path + "." + name if path else name] = tensor.detach()
        return out

    def load_state_dict(self, values, strict=True):
        """Copies `values` in. RuntimeError, before anything is written, where names (strict) or shapes differ."""
        own = self.state_dict()
        missing, unexpected = [n for n in own if n not in values], [n for n in values if n not in own]
        problems = []
        if strict and missing:
            problems.append("Missing key(s) in state_dict: %s." % ", ".join(missing))
        if strict and unexpected:
            problems.append("Unexpected key(s) in state_dict: %s." % ", ".join(unexpected))
        for name, tensor in own.items():
            if name in values and tuple(values[name].shape) != tensor.shape:
                problems.append(
                    "size mismatch for %s: the given shape is %s, the current model's is %s."
                    % (name, list(values[name].shape), list(tensor.shape))
                )
        if problems:
            raise RuntimeError("Error(s) in loading state_dict for %s: %s" % (type(self).__name__, " ".join(problems)))
        with no_grad():
            for name, tensor in own.items():
                if name in values:
                    tensor.copy_(values[name].to(tensor.device))
        return missing, unexpected

    def extra_repr(self):
        return ""

    def __repr__(self):
        lines = ["(%s): %s" % (name, "\n  ".join(repr(m).split("\n"))) for name, m in self._modules.items()]
        head = type(self).__name__ + "(" + self.extra_repr()
        return head + ")" if not lines else head + "\n  " + "\n  ".join(lines) + "\n)"


def _uniform_parameter(*shape, bound):
    return Parameter(random.uniform_(empty(*shape), -bound, bound))


class Linear(Module):
    """y = x W^T + b: weight [out_features, in_features], bias [out_features], both uniform in +-1/sqrt(in_features) at first."""

    def __init__(self, in_features, out_features, bias=True):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        bound = 1.0 / math.sqrt(in_features) if in_features else 0.0
        self.weight = _uniform_parameter(out_features, in_features, bound=bound)
        self.register_parameter("bias", _uniform_parameter(out_features, bound=bound) if bias else None)

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self):
        return "in_features=%d, out_features=%d, bias=%s" % (self.in_features, self.out_features, self.bias is not None)


class Embedding(Module):
    """Rows of weight [num_embeddings, embedding_dim] by int32 index; standard normal at first."""

    def __init__(self, num_embeddings, embedding_dim):
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.weight = Parameter(random.normal_(empty(num_embeddings, embedding_dim)))

    def forward(self, index):
        return F.embedding(index, self.weight)

    def extra_repr(self):
        return "%d, %d" % (self.num_embeddings, self.embedding_dim)


def _last_dim(shape):
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if len(shape) != 1:
        raise ValueError("normalized_shape %s: only the last dimension can be normalized" % (list(shape),))
    return shape


class LayerNorm(Module):
    """Layer norm over the last dimension, weight and bias [C] (Ba et al. 2016)."""

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True):
        super().__init__()
        self.normalized_shape, self.eps = _last_dim(normalized_shape), eps
        self.register_parameter("weight", Parameter(full(self.normalized_shape, 1.0)) if elementwise_affine else None)
        self.register_parameter("bias", Parameter(full(self.normalized_shape, 0.0)) if elementwise_affine and bias else None)

    def forward(self, x):
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self):
        return "%s, eps=%g" % (self.normalized_shape, self.eps)


class RMSNorm(Module):
    """RMS norm over the last dimension, weight [C] (Zhang and Sennrich 2019)."""

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True):
        super().__init__()
        self.normalized_shape, self.eps = _last_dim(normalized_shape), eps
        self.register_parameter("weight", Parameter(full(self.normalized_shape, 1.0)) if elementwise_affine else None)

    def forward(self, x):
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self):
        return "%s, eps=%g" % (self.normalized_shape, self.eps)


class Dropout(Module):
    """Zeroes elements with probability p while training."""

    def __init__(self, p=0.5):
        super().__init__()
        if not 0.0 <= p <= 1.0:
            raise ValueError("dropout probability has to be between 0 and 1, but got %r" % (p,))
        self.p = p

    def forward(self, x):
        return F.dropout(x, self.p, self.training)

    def extra_repr(self):
        return "p=%g" % self.p


class GELU(Module):
    """x * Phi(x); approximate="tanh" for the tanh form."""

    def __init__(self, approximate="none"):
        super().__init__()
        self.approximate = approximate

    def forward(self, x):
        return F.gelu(x, self.approximate)


class ReLU(Module):
    def forward(self, x):
        return F.relu(x)


class SiLU(Module):
    def forward(self, x):
        return F.silu(x)


class Tanh(Module):
    def forward(self, x):
        return F.tanh(x)


class Sequential(Module):
    """Modules applied one after the other; indexable."""

    def __init__(self, *modules):
        super().__init__()
        for i, module in enumerate(modules):
            setattr(self, str(i), module)

    def forward(self, x):
        for module in self._modules.values():
            x = module(x)
        return x

    def __iter__(self):
        return iter(self._modules.values())

    def __len__(self):
        return len(self._modules)

    def __getitem__(self, i):
        found = list(self._modules.values())[i]
        return type(self)(*found) if isinstance(i, slice) and isinstance(self, Sequential) else found


class ModuleList(Module):
    """A list of modules, each registered under its number."""

    def __init__(self, modules=()):
        super().__init__()
        for module in modules:
            self.append(module)

    def append(self, module):
        setattr(self, str(len(self._modules)), module)
        return self

    __iter__, __len__ = Sequential.__iter__, Sequential.__len__

    def __getitem__(self, i):
        return list(self._modules.values())[i]


class CrossEntropyLoss(Module):
    def __init__(self, ignore_index=-100, reduction="mean"):
        super().__init__()
        self.ignore_index, self.reduction = ignore_index, reduction

    def forward(self, logits, targets):
        return F.cross_entropy(logits, targets, self.ignore_index, self.reduction)
