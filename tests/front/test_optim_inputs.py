"""Optimizers with the settings and the errors of PyTorch's own tests (torch.testing._internal)."""

import sys
import types
import unittest

import numpy as np
import pytest
import torch

from tinygpt import nn, tensor
from tinygpt.torch import optim

pytestmark = [pytest.mark.fast, pytest.mark.filterwarnings("ignore")]


def optim_db():
    """PyTorch's list of optimizers. Its module imports a package for a class that is not used
    here.
    """
    if "expecttest" not in sys.modules:
        stub = types.ModuleType("expecttest")
        stub.TestCase = unittest.TestCase
        sys.modules["expecttest"] = stub
    from torch.testing._internal.common_optimizers import optim_db

    return [info for info in optim_db if info.optim_cls.__name__ != "SparseAdam"]


class Converter:
    """Values of PyTorch's with the front's tensors in their places; what was one tensor is one."""

    def __init__(self):
        self.made = {}

    def __call__(self, value):
        if isinstance(value, torch.Tensor):
            if id(value) not in self.made:
                kind = nn.Parameter if isinstance(value, torch.nn.Parameter) else lambda x: x
                self.made[id(value)] = value, kind(tensor(value.tolist()))
            return self.made[id(value)][1]
        if isinstance(value, dict):
            return {key: self(item) for key, item in value.items()}
        return type(value)(map(self, value)) if isinstance(value, (list, tuple)) else value


def trained(module, parameter, make, name, settings):
    rng = np.random.default_rng(1)
    weight, bias, x = (
        make(rng.standard_normal(shape).astype("f").tolist())
        for shape in ((4, 3), (1, 4) if name == "Muon" else (4,), (5, 3))
    )
    weight, bias = parameter(weight), parameter(bias)
    optimizer = getattr(module, name)([weight, bias], **settings)

    def closure():
        optimizer.zero_grad()
        loss = ((x @ weight.t() + bias) ** 2).mean()
        loss.backward()
        return loss

    return [optimizer.step(closure).item() for _ in range(5)] + weight.tolist() + bias.tolist()


def outcome(call):
    try:
        return call()
    except Exception as error:
        return type(error).__name__, str(error)


@pytest.mark.parametrize("info", optim_db(), ids=lambda info: info.optim_cls.__name__)
def test_inputs_and_errors(info):
    name = info.optim_cls.__name__
    tolerance = 2e-2 if name == "Muon" else 1e-4
    for given in info.optim_inputs_func(device="cpu"):
        theirs, mine = given.kwargs, Converter()(given.kwargs)
        want = outcome(lambda: trained(torch.optim, torch.nn.Parameter, torch.tensor, name, theirs))  # noqa: B023
        got = outcome(lambda: trained(optim, nn.Parameter, tensor, name, mine))  # noqa: B023
        if isinstance(want, tuple):
            assert got == want, given.desc
        else:
            assert not isinstance(got, tuple), (given.desc, got)
            for a, b in zip(got, want):
                np.testing.assert_allclose(a, b, tolerance, tolerance / 10, err_msg=given.desc)
    for wrong in info.optim_error_inputs_func(device="cpu", dtype=torch.float32):
        params, settings = wrong.optimizer_error_input.params, wrong.optimizer_error_input.kwargs
        if any(isinstance(p, torch.Tensor) and p.is_complex() for p in params or ()):
            continue
        convert = Converter()
        mine = convert(params), convert(settings)
        want = outcome(lambda: getattr(torch.optim, name)(params, **settings) and None)  # noqa: B023
        got = outcome(lambda: getattr(optim, name)(mine[0], **mine[1]) and None)  # noqa: B023
        assert got == want, wrong.optimizer_error_input.desc
