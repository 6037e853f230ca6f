"""PyTorch's names that TinyGPT lacks: what an AttributeError says to do in their place.

A class has a Refused for each (`refuse`): a descriptor costs nothing where other attributes are
looked up, and hasattr stays False. A module has `__getattr__` (`of_module`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_HOOK = "compute what it would in forward(), or between backward() and step()"
_DTYPE = "use .float(), .int() or .bool(): the dtypes are float32, int32 and bool"
_DATA = "its size depends on the data; take .tolist(), or keep the shape with where or masked_fill"
_ASSIGN = "assign the result of %s"
_PLAIN = "leave it out: .item(), .tolist() and .numpy() copy from the device"

TENSOR: Mapping[str, str] = {
    "register_hook": "change .grad between backward() and step()",
    "register_post_accumulate_grad_hook": "change .grad between backward() and step()",
    "retain_grad": "only leaves keep a gradient; make it a leaf with .detach().requires_grad_()",
    "grad_fn": "use .is_leaf to see whether a recorded op made the tensor",
    "norm": "use x.square().sum(dim).sqrt()",
    "cpu": _PLAIN,
    "cuda": "use .to(device)",
    "pin_memory": _PLAIN,
    "share_memory_": _PLAIN,
    "data_ptr": "memory has no address here; use .tolist() or .numpy()",
    "half": _DTYPE,
    "bfloat16": _DTYPE,
    "double": _DTYPE,
    "long": _DTYPE,
    "short": _DTYPE,
    "byte": _DTYPE,
    "type": _DTYPE,
    "is_floating_point": "use x.dtype.is_floating_point",
    "is_cuda": "use x.device",
    "mm": "use matmul or @",
    "bmm": "use matmul or @",
    "mv": "use matmul or @",
    "dot": "use matmul or @",
    "addmm": "use bias + a @ b",
    "clip": "use clamp",
    "clamp_": _ASSIGN % "clamp",
    "clamp_min": "use clamp(min=...)",
    "clamp_max": "use clamp(max=...)",
    "amax": "use .max(dim).values",
    "amin": "use .min(dim).values",
    "logsumexp": "subtract the maximum, then .exp().sum(dim).log(), and add it again",
    "cumsum": "use tril(ones(T, T)) @ x",
    "prod": "use .log().sum(dim).exp() of positive numbers",
    "sort": "use max and argmax, or sort .tolist()",
    "argsort": "use argmax, or sort .tolist()",
    "topk": "use max and argmax, or sort .tolist()",
    "gather": "use (functional.one_hot(index, n) * x).sum(-1)",
    "scatter": "use where with functional.one_hot(index, n)",
    "scatter_": "use where with functional.one_hot(index, n)",
    "scatter_add_": "use functional.one_hot(index, n).float().T @ x",
    "index_add_": "use functional.one_hot(index, n).float().T @ x",
    "index_select": "use x[index]",
    "masked_select": _DATA,
    "nonzero": _DATA,
    "unique": _DATA,
    "repeat": "use expand, or cat of several",
    "repeat_interleave": "use unsqueeze, expand and reshape",
    "unbind": "use tuple(x)",
    "flip": "use x[index] with index = n - 1 - arange(n)",
    "roll": "use cat of two slices",
    "isnan": "use x != x",
    "isinf": "use x.abs() == float('inf')",
    "isfinite": "use x.abs() < float('inf')",
    "floor": "use x // 1",
    "ceil": "use -(-x // 1)",
    "round": "use (x + 0.5) // 1, which rounds halves up",
    "sign": "use (x > 0).float() - (x < 0).float()",
    "log2": "use .log() / math.log(2)",
    "log10": "use .log() / math.log(10)",
    "log1p": "use (1 + x).log()",
    "expm1": "use x.exp() - 1",
    "nelement": "use numel()",
    "ndimension": "use dim()",
    "view_as": "use x.view(other.shape)",
    "reshape_as": "use x.reshape(other.shape)",
    "expand_as": "use x.expand(other.shape)",
    "new_zeros": "use zeros(..., device=x.device)",
    "new_ones": "use ones(..., device=x.device)",
    "new_tensor": "use tensor(..., device=x.device)",
    "new_full": "use full(..., device=x.device)",
    "detach_": _ASSIGN % "detach()",
    "squeeze_": _ASSIGN % "squeeze",
    "unsqueeze_": _ASSIGN % "unsqueeze",
    "transpose_": _ASSIGN % "transpose",
    "resize_": "make a new tensor; reshape sees the same elements",
    "storage": "use .tolist(), or a view",
    "untyped_storage": "use .tolist(), or a view",
    "as_strided": "use narrow, slices, expand and permute",
}
MODULE: Mapping[str, str] = {
    "register_forward_hook": _HOOK,
    "register_forward_pre_hook": _HOOK,
    "register_full_backward_hook": _HOOK,
    "register_full_backward_pre_hook": _HOOK,
    "register_backward_hook": _HOOK,
    "register_state_dict_post_hook": "change what state_dict() returned",
    "register_load_state_dict_pre_hook": "change the values before load_state_dict(values)",
    "register_load_state_dict_post_hook": "look at what load_state_dict(values) returned",
    "cuda": "use .to(device)",
    "cpu": "use .to(device)",
    "half": "parameters are float32; a GPU's precision is a setting of its device",
    "bfloat16": "parameters are float32; a GPU's precision is a setting of its device",
    "double": "parameters are float32; leave it out",
    "float": "parameters are float32; leave it out",
    "type": "parameters are float32; leave it out",
    "to_empty": "use .to(device)",
    "share_memory": "leave it out: a tab is one process",
    "compile": "use tinygpt.compile(function)",
}
_WHOLE = "copy.deepcopy((model, optimizer)) and pickle keep all of it, and a run saves it with the model"
OPTIMIZER: Mapping[str, str] = {
    "state_dict": _WHOLE,
    "load_state_dict": _WHOLE,
    "add_param_group": "make a new optimizer with all parameters, its moments at 0",
    "state": "use state_arrays(model.named_parameters()) for the moments, steps for the counts",
    "defaults": "use param_groups",
    "register_step_pre_hook": "call what it would before step()",
    "register_step_post_hook": "call what it would after step()",
}
_OTHER = "the layers are those of a GPT: Linear, Embedding, LayerNorm, RMSNorm and Dropout"
_LOSS = "use functional.cross_entropy, nll_loss or mse_loss"
MODULES: Mapping[str, Mapping[str, str]] = {
    "tinygpt": {
        "from_numpy": "use tensor(array), a copy",
        "as_tensor": "use tensor(data), a copy",
        "device": "use get_device(name)",
        "cuda": "use get_device(name), or set_device(name)",
        "set_default_device": "use set_device(name)",
        "set_default_dtype": "leave it out: the dtype is float32",
        "set_grad_enabled": "use no_grad() and enable_grad()",
        "inference_mode": "use no_grad()",
        "autocast": "leave it out: a GPU's precision is a setting of its device",
        "float16": "use float32",
        "bfloat16": "use float32",
        "float64": "use float32",
        "half": "use float32",
        "double": "use float32",
        "int64": "use int32",
        "long": "use int32",
        "int16": "use int32",
        "uint8": "use int32",
        "FloatTensor": "use tensor(data, dtype=float32)",
        "LongTensor": "use tensor(data, dtype=int32)",
        "save": "use tinygpt.checkpoint.save, or pickle",
        "load": "use tinygpt.checkpoint.load, or pickle",
        "einsum": "use matmul, permute and sum",
        "bmm": "use matmul or @",
        "mm": "use matmul or @",
        "concat": "use cat",
        "hstack": "use cat or stack",
        "vstack": "use cat or stack",
        "linspace": "use arange",
        "randperm": "use random.sample(range(n), n)",
        "bernoulli": "use rand(shape) < p",
        "topk": "use max and argmax, or sort .tolist()",
        "cumsum": "use tril(ones(T, T)) @ x",
        "isnan": "use x != x",
        "allclose": "use bool(((a - b).abs() < 1e-6).all())",
        "equal": "use bool((a == b).all())",
        "norm": "use x.square().sum(dim).sqrt()",
        "utils": "use tinygpt.data for batches, clip_grad_norm_ for gradients",
    },
    "tinygpt.nn": {
        "init": "write into the parameter: with no_grad(): p.normal_(0.0, 0.02), p.uniform_(-a, a) or p.fill_(0.0)",
        "utils": "use tinygpt.clip_grad_norm_",
        "functional": "use tinygpt.functional",
        "MSELoss": _LOSS,
        "NLLLoss": _LOSS,
        "L1Loss": _LOSS,
        "BCELoss": _LOSS,
        "BCEWithLogitsLoss": _LOSS,
        "KLDivLoss": _LOSS,
        "Softmax": "use functional.softmax",
        "LogSoftmax": "use functional.log_softmax",
        "Sigmoid": "use functional.sigmoid",
        "Identity": "leave it out, or write a Module whose forward returns x",
        "Flatten": "use x.flatten(1)",
        "ParameterList": "assign each Parameter as an attribute, or keep them in modules",
        "ParameterDict": "assign each Parameter as an attribute, or keep them in modules",
        "MultiheadAttention": "use functional.scaled_dot_product_attention",
        "Transformer": "use tinygpt.GPT",
        "TransformerEncoderLayer": "use tinygpt.GPT",
        "LSTM": _OTHER,
        "GRU": _OTHER,
        "RNN": _OTHER,
        "Conv1d": _OTHER,
        "Conv2d": _OTHER,
        "BatchNorm1d": _OTHER,
        "BatchNorm2d": _OTHER,
        "GroupNorm": _OTHER,
        "DataParallel": "leave it out: a tab has one device",
    },
    "tinygpt.functional": {
        "binary_cross_entropy": _LOSS,
        "binary_cross_entropy_with_logits": _LOSS,
        "l1_loss": "use (x - target).abs().mean()",
        "kl_div": _LOSS,
        "normalize": "use x / x.square().sum(-1, keepdim=True).sqrt()",
        "pad": "use cat with zeros",
        "leaky_relu": "use where(x > 0, x, 0.01 * x)",
        "softplus": "use maximum(x, zeros_like(x)) + (1 + (-x.abs()).exp()).log()",
        "logsigmoid": "use minimum(x, zeros_like(x)) - (1 + (-x.abs()).exp()).log()",
        "glu": "use a * sigmoid(b)",
        "conv1d": _OTHER,
        "conv2d": _OTHER,
    },
    "tinygpt.optim": {
        "Adam": "use AdamW(..., weight_decay=0.0), which computes the same",
        "lr_scheduler": 'set group["lr"] of param_groups before step(); tinygpt.schedule has a warm-up',
        "RMSprop": "use SGD or AdamW",
        "Adagrad": "use SGD or AdamW",
        "Adadelta": "use SGD or AdamW",
        "LBFGS": "use SGD or AdamW",
        "Muon": "use SGD or AdamW",
    },
}


class Refused:
    """A name of PyTorch that a class lacks. Not a data descriptor: who assigns it has it."""

    __slots__ = ("sentence",)

    def __init__(self, owner: str, name: str, advice: str) -> None:
        self.sentence = "%s has no %s; %s" % (owner, name, advice)

    def __get__(self, instance: object, owner: type | None = None) -> NoReturn:
        raise AttributeError(self.sentence)


def refuse(owner: type, names: Mapping[str, str]) -> None:
    """Gives a class a Refused for each of the names that it lacks."""
    for name, advice in names.items():
        assert not hasattr(owner, name), name
        setattr(owner, name, Refused("a " + owner.__name__, name, advice))


def of_module(module: str) -> Callable[[str], NoReturn]:
    """The `__getattr__` of a module."""
    names = MODULES[module]

    def missing(name: str) -> NoReturn:
        advice = names.get(name)
        if advice is None:
            raise AttributeError("module %r has no attribute %r" % (module, name))
        raise AttributeError("%s has no %s; %s" % (module, name, advice))

    return missing
