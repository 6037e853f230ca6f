"""What a notebook shows: tensors of every kind, modules, sizes, summaries in f-strings."""

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)
for t in [
    torch.tensor(3), torch.tensor(2.5), torch.tensor(True), torch.arange(5), torch.arange(5.0), torch.zeros(0),
    torch.tensor([1.0, 2.5]), torch.tensor([1e-8, 1.0]), torch.tensor([1e10, 1.0]), torch.tensor([1000000.0, 0.5]),
    torch.tensor([1, -10, 100]), torch.tensor([True, False]), torch.tensor([float("nan"), 1, float("-inf")]),
    torch.randn(2, 3), torch.randn(2, 2, 2), torch.zeros(2, 0, 3), torch.eye(3), torch.arange(2000),
    torch.zeros(40, 40),
    torch.rand(30, 30), torch.tensor([0.1], dtype=torch.float64), torch.tensor([1], dtype=torch.int32),
    torch.tensor([1.5], dtype=torch.float16), torch.tensor([1.5], dtype=torch.bfloat16),
    torch.tensor([1, 255], dtype=torch.uint8),
    torch.randn(3, requires_grad=True), torch.randn(3, requires_grad=True) * 2, torch.arange(100).reshape(10, 10),
    torch.linspace(0, 1, 11), torch.tensor([[1.0, 0.00001], [12345.678, 3.0]]), torch.full((2, 2), 7),
    torch.empty(0, 3),
    torch.tensor([1e5, 1e-5]), torch.tensor([123456789.0]), torch.tensor(1e-10), torch.tensor([0.99999999, 100.0]),
    torch.randn(2, 12) * 100,
]:  # fmt: skip
    print(t)
    print(t.shape, t.dtype, repr(t.size()), t.device)
x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
loss = (x**2).mean()
print(f"{loss:.4f} {loss.item():8.3f} {x[0, 0]:>10.2f} {loss} {x.shape} {x.dtype} {len(x)}")
print(
    "%.3f %d %s" % (loss, torch.tensor(7), torch.tensor([1, 2])), "{:.2e}".format(loss), format(torch.tensor(5), "03d")
)
print(x, loss, x.sum(0), x.exp(), x.view(-1), x.t(), x.detach(), x[0], x @ x, x.relu(), x.max(1), x.sort(0))
print(F.softmax(x, -1), F.cross_entropy(x, torch.tensor([0, 1])), F.layer_norm(x, (2,)))
loss.backward()
print(x.grad, x.grad_fn, type(loss.grad_fn).__name__, x.is_leaf)
print(nn.Parameter(torch.zeros(2)), nn.Linear(2, 1), nn.Linear(2, 1).weight.shape)
print({"a": torch.tensor([1, 2]), "b": [torch.tensor(1.5)]}, (torch.ones(1), torch.Size([2, 3])))
print(
    nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten(),
        nn.Dropout(0.1), nn.Linear(8, 4, bias=False), nn.LayerNorm(4), nn.GELU(), nn.Embedding(5, 2), nn.LSTM(2, 3, 2),
        nn.ModuleDict({"a": nn.Softmax(dim=-1)}), nn.ModuleList([nn.Tanh(), nn.Sequential(nn.Sigmoid())]),
        nn.CrossEntropyLoss(), nn.MultiheadAttention(4, 2), nn.TransformerEncoderLayer(4, 1, 8),
    )
)  # fmt: skip
torch.set_printoptions(precision=2, linewidth=60)
print(torch.randn(3, 9))
torch.set_printoptions(profile="default")
torch.set_printoptions(sci_mode=False)
print(torch.tensor([1e-6, 2.0]))
torch.set_printoptions(threshold=10, edgeitems=2)
print(torch.arange(60).view(6, 10), torch.arange(30.0))
