"""Functions with a gradient of their own: straight-through signs, a linear layer, hooks."""

import torch
import torch.nn as nn
from torch.autograd import Function, gradcheck


class LegendrePolynomial3(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return 0.5 * (5 * input**3 - 3 * input)

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        return grad_output * 1.5 * (5 * input**2 - 1)


class Binarize(Function):
    @staticmethod
    def forward(ctx, x, limit):
        ctx.save_for_backward(x)
        ctx.limit = limit
        return x.sign()

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (x.abs() <= ctx.limit).to(g.dtype), None


class GradReverse(Function):
    @staticmethod
    def forward(ctx, x, scale=1.0):
        ctx.scale = scale
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad):
        return -ctx.scale * grad, None


class MyLinear(Function):
    @staticmethod
    def forward(ctx, input, weight, bias=None):
        ctx.save_for_backward(input, weight, bias)
        output = input.mm(weight.t())
        if bias is not None:
            output += bias.unsqueeze(0).expand_as(output)
        return output

    @staticmethod
    def backward(ctx, grad_output):
        input, weight, bias = ctx.saved_tensors
        grad_input = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_input = grad_output.mm(weight)
        if ctx.needs_input_grad[1]:
            grad_weight = grad_output.t().mm(input)
        if bias is not None and ctx.needs_input_grad[2]:
            grad_bias = grad_output.sum(0)
        return grad_input, grad_weight, grad_bias


torch.manual_seed(0)
x = torch.linspace(-3.14, 3.14, 200)
y = torch.sin(x)
a = torch.full((), 0.0, requires_grad=True)
b = torch.full((), -1.0, requires_grad=True)
c = torch.full((), 0.0, requires_grad=True)
d = torch.full((), 0.3, requires_grad=True)
learning_rate = 5e-5
P3 = LegendrePolynomial3.apply
for t in range(20):
    y_pred = a + b * P3(c + d * x)
    loss = (y_pred - y).pow(2).sum()
    print(t, loss.item())
    loss.backward()
    with torch.no_grad():
        for p in (a, b, c, d):
            p -= learning_rate * p.grad
            p.grad = None
print(f"Result: y = {a.item()} + {b.item()} * P3({c.item()} + {d.item()} x)")

inputs = (
    torch.randn(4, 5, dtype=torch.double, requires_grad=True),
    torch.randn(3, 5, dtype=torch.double, requires_grad=True),
)
print(gradcheck(MyLinear.apply, inputs, eps=1e-6, atol=1e-4))
layer = nn.Parameter(torch.randn(3, 5))
bias = nn.Parameter(torch.zeros(3))
data = torch.randn(6, 5)
grads = []
layer.register_hook(lambda g: grads.append(g.norm().item()))
bias.register_hook(lambda g: g * 0.5)
for step in range(5):
    out = Binarize.apply(MyLinear.apply(data, layer, bias), 1.0)
    loss = ((out - 0.5) ** 2).mean() + 0.01 * GradReverse.apply(layer, 2.0).pow(2).sum()
    loss.backward()
    with torch.no_grad():
        for p in (layer, bias):
            p.sub_(p.grad, alpha=0.1)
            p.grad.zero_()
    print(step, loss.item(), grads[-1])
print(Binarize.apply(layer, 1.0).grad_fn.name(), out.grad_fn is not None)
