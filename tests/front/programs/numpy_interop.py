"""NumPy and torch in turn: a network trained on arrays, results back as arrays."""

import numpy as np
import torch
from torch import nn

np.random.seed(0)
torch.manual_seed(0)
X = np.random.randn(120, 5)
w = np.array([1.5, -2.0, 0.0, 0.5, 1.0])
y = X @ w + 0.1 * np.random.randn(120)
X_train, y_train = torch.from_numpy(X[:100]).float(), torch.from_numpy(y[:100].astype(np.float32)).unsqueeze(1)
X_test, y_test = torch.tensor(X[100:], dtype=torch.float32), torch.as_tensor(y[100:], dtype=torch.float32)[:, None]
print(X_train.dtype, torch.from_numpy(X).dtype, X_train.shape, torch.from_numpy(np.arange(3, dtype=np.int64)).dtype)
mean, std = X_train.mean(0).numpy(), X_train.std(0).numpy()
print(mean.round(3), std.dtype, np.allclose(mean, X[:100].mean(0), atol=1e-6))
model = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 1))
loss_fn, optimizer = nn.MSELoss(), torch.optim.Adam(model.parameters(), lr=0.02)
history = []
for epoch in range(20):
    order = np.random.permutation(100)
    for start in range(0, 100, 25):
        index = order[start : start + 25]
        loss = loss_fn(model(X_train[index]), y_train[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        pred = model(X_test)
        history.append((loss.item(), nn.functional.l1_loss(pred, y_test).item()))
    print("epoch %d train %.5f test %.5f" % (epoch, *history[-1]))
history = np.array(history)
print(history.min(axis=0), np.argmin(history[:, 1]) >= 0)
pred = model(X_test).detach().cpu().numpy()
print(pred.shape, pred.dtype, np.corrcoef(pred[:, 0], y[100:])[0, 1])
print(torch.tensor(np.float64(2.5)), torch.tensor([np.int64(3), np.int64(4)]), np.mean(torch.arange(4.0).numpy()))
print(np.concatenate([torch.ones(2).numpy(), np.zeros(1)]), np.stack([t.numpy() for t in torch.eye(2)]))
mask = torch.tensor(X[:, 0] > 0)
print(mask.sum(), X[mask.numpy()].shape, torch.from_numpy(X)[mask].shape, torch.tensor(X)[X[:, 1] > 1].shape)
try:
    model[0].weight.numpy()
except RuntimeError as error:
    print(error)
print([float(v) for v in model[2].bias], torch.linspace(0, 1, 5).tolist(), torch.from_numpy(X[:2, ::-1].copy()).sum())
