"""Modules and functions of torch.nn beside PyTorch's: the same source, weights and inputs."""

import warnings

import numpy
import torch


def converted(front, x):
    """A tensor of PyTorch's as one of the front's."""
    from tinygpt.core.factory import tensor

    if not isinstance(x, torch.Tensor):
        return x
    if x.dtype in (torch.float16, torch.bfloat16):
        out = tensor(x.detach().float().numpy()).to(getattr(front, str(x.dtype)[6:]))
    else:
        out = tensor(x.detach().numpy())
    return out.requires_grad_() if x.requires_grad else out


def near(theirs, ours, what, rtol=2e-5, atol=2e-6):
    """Asserts that both have one dtype, one shape and nearly the same numbers."""
    assert str(ours.dtype) == str(theirs.dtype), (what, ours.dtype, theirs.dtype)
    assert tuple(ours.shape) == tuple(theirs.shape), (what, ours.shape, theirs.shape)
    a, b = (numpy.array(x.detach().tolist(), dtype="float64") for x in (theirs, ours))
    assert numpy.allclose(b, a, rtol=rtol, atol=atol, equal_nan=True), (
        what,
        numpy.abs(a - b).max(),
        a.flat[:9],
        b.flat[:9],
    )


def flat(value):
    """The tensors of a result."""
    return [x for v in value for x in flat(v)] if isinstance(value, (tuple, list)) else [value]


def check(front, function, theirs, ours, what, **tolerance):
    """Compares function(module, inputs...) of both, and the gradients of what requires them.

    theirs, ours: (the module `torch`, its inputs).
    """
    results = [flat(function(t, *inputs)) for t, inputs in (theirs, ours)]
    assert len(results[0]) == len(results[1]), what
    for a, b in zip(*results, strict=True):
        near(a, b, what, **tolerance)
    for t, outputs in zip((torch, front), results, strict=True):
        total = None
        for i, out in enumerate(outputs):
            if out.requires_grad:
                weight = torch.sin(torch.arange(max(out.numel(), 1), dtype=torch.float64) + i + 1)
                weight = weight[: out.numel()].reshape(tuple(out.shape)).to(getattr(torch, str(out.dtype)[6:]))
                term = (out * (weight if t is torch else converted(front, weight))).sum()
                total = term if total is None else total + term
        if total is not None:
            total.backward()


def compare_module(front, source, *inputs, seed=1, train=True, **tolerance):
    """The same module made by both: printed form, names, first values, results and gradients."""
    modules = []
    for t in (torch, front):
        t.manual_seed(seed)
        modules.append(eval(source, {"nn": t.nn, "t": t}).train(train))
    theirs, ours = modules
    assert repr(ours) == repr(theirs), (source, repr(ours), repr(theirs))
    values = theirs.state_dict()
    assert list(ours.state_dict()) == list(values), source
    for name, value in ours.state_dict().items():
        near(values[name], value, (source, name))
    ours.load_state_dict({name: converted(front, value) for name, value in values.items()})
    copies = [converted(front, x) for x in inputs]
    for t in (torch, front):
        t.manual_seed(seed + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(
            front,
            lambda t, *xs: (theirs if t is torch else ours)(*xs),
            (torch, inputs),
            (front, copies),
            source,
            **tolerance,
        )
    for a, b in zip(inputs, copies, strict=True):
        if isinstance(a, torch.Tensor) and a.grad is not None:
            near(a.grad, b.grad, (source, "gradient of an input"), **tolerance)
    named = dict(ours.named_parameters())
    for name, p in theirs.named_parameters():
        assert (p.grad is None) == (named[name].grad is None), (source, name)
        if p.grad is not None:
            near(p.grad, named[name].grad, (source, "gradient of " + name), **tolerance)


def compare_call(front, source, *inputs, seed=1, **tolerance):
    """The same expression of x, y, z and t (torch), F: results and gradients."""
    names = dict(zip("xyzw", inputs, strict=False))
    copies = {name: converted(front, x) for name, x in names.items()}

    def run(t, *_):
        t.manual_seed(seed)
        return eval(source, {"t": t, "F": t.nn.functional, **(names if t is torch else copies)})

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(front, run, (torch, ()), (front, ()), source, **tolerance)
    for name, x in names.items():
        if isinstance(x, torch.Tensor) and x.requires_grad:
            assert (x.grad is None) == (copies[name].grad is None), (source, name)
            if x.grad is not None:
                near(x.grad, copies[name].grad, (source, "gradient of " + name), **tolerance)
                x.grad = None


def compare_error(front, source, **names):
    """Both raise, and the front's exception is of PyTorch's class."""
    raised = []
    for t in (torch, front):
        given = {k: v if t is torch else converted(front, v) for k, v in names.items()}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                eval(source, {"t": t, "nn": t.nn, "F": t.nn.functional, **given})
        except Exception as error:
            raised.append(error)
        else:
            raised.append(None)
    theirs, ours = raised
    assert theirs is not None, (source, "PyTorch raises nothing")
    assert isinstance(ours, type(theirs)), (source, repr(theirs), repr(ours))
