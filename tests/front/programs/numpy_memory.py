"""Arrays and tensors over one memory: a write into either is seen in the other."""

import numpy as np
import torch

buffer = np.zeros((2, 3), dtype=np.float32)
shared = torch.from_numpy(buffer)
shared[0] = 1
shared.add_(0.5)
buffer[1, 2] = 7
print(buffer, shared)
copied = torch.tensor(buffer)
buffer[:] = -1
print(copied, np.asarray(shared), np.array(shared).sum())
x = torch.arange(6.0).reshape(2, 3)
seen = x.numpy()
seen[0, 1] = 10
x[1] -= 1
print(x, seen, seen[:, ::2])
x.t().numpy()[:] *= 2
print(x, seen)
print(torch.from_numpy(np.arange(3)).dtype)
