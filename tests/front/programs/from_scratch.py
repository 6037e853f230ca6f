"""Regressions without torch.nn: closed forms, gradient descent by hand, softmax, k-means."""

import random

import numpy as np
import torch

torch.manual_seed(1)
random.seed(1)


def synthetic_data(w, b, num_examples):
    X = torch.normal(0, 1, (num_examples, len(w)))
    y = torch.matmul(X, w) + b
    y += torch.normal(0, 0.01, y.shape)
    return X, y.reshape((-1, 1))


true_w = torch.tensor([2, -3.4])
true_b = 4.2
features, labels = synthetic_data(true_w, true_b, 200)
print("features:", features[0], "\nlabel:", labels[0])


def data_iter(batch_size, features, labels):
    num_examples = len(features)
    indices = list(range(num_examples))
    random.shuffle(indices)
    for i in range(0, num_examples, batch_size):
        batch_indices = torch.tensor(indices[i : min(i + batch_size, num_examples)])
        yield features[batch_indices], labels[batch_indices]


w = torch.normal(0, 0.01, size=(2, 1), requires_grad=True)
b = torch.zeros(1, requires_grad=True)


def linreg(X, w, b):
    return torch.matmul(X, w) + b


def squared_loss(y_hat, y):
    return (y_hat - y.reshape(y_hat.shape)) ** 2 / 2


def sgd(params, lr, batch_size):
    with torch.no_grad():
        for param in params:
            param -= lr * param.grad / batch_size
            param.grad.zero_()


for epoch in range(4):
    for X, y in data_iter(20, features, labels):
        l = squared_loss(linreg(X, w, b), y)
        l.sum().backward()
        sgd([w, b], 0.1, 20)
    with torch.no_grad():
        train_l = squared_loss(linreg(features, w, b), labels)
        print(f"epoch {epoch + 1}, loss {float(train_l.mean()):f}")
print(f"error of w: {true_w - w.reshape(true_w.shape)}")
print(f"error of b: {true_b - b}")

X = torch.cat([features, torch.ones(200, 1)], 1)
solution = torch.linalg.inv(X.T @ X) @ X.T @ labels
print(solution.squeeze(), torch.linalg.lstsq(X, labels).solution.flatten())
print(torch.linalg.solve(X.T @ X, X.T @ labels).T, torch.linalg.det(X.T @ X / 200))

W = torch.normal(0, 0.01, size=(2, 3), requires_grad=True)
bias = torch.zeros(3, requires_grad=True)
kinds = (features @ torch.randn(2, 3)).argmax(1)


def softmax(X):
    X_exp = torch.exp(X)
    partition = X_exp.sum(1, keepdim=True)
    return X_exp / partition


def cross_entropy(y_hat, y):
    return -torch.log(y_hat[range(len(y_hat)), y])


for step in range(20):
    y_hat = softmax(torch.matmul(features.reshape((-1, W.shape[0])), W) + bias)
    l = cross_entropy(y_hat, kinds)
    l.mean().backward()
    sgd([W, bias], 1.0, 1)
    cmp = y_hat.argmax(axis=1).type(kinds.dtype) == kinds
    print(step, l.mean().item(), float(cmp.type(kinds.dtype).sum()) / len(kinds))

centres = features[torch.randperm(200)[:3]]
for _ in range(4):
    nearest = torch.cdist(features, centres).argmin(1)
    centres = torch.stack([features[nearest == k].mean(0) for k in range(3)])
print(centres, torch.bincount(nearest))
u, s, v = torch.svd(features - features.mean(0))
print(s, (features @ features.T).trace(), np.round(s.numpy(), 2))
dtype = torch.float
x = torch.linspace(-np.pi, np.pi, 200, dtype=dtype)
y = torch.sin(x)
p = torch.tensor([1, 2, 3])
xx = x.unsqueeze(-1).pow(p)
coefficients = torch.linalg.lstsq(xx, y.unsqueeze(-1)).solution
print(coefficients.view(-1))
