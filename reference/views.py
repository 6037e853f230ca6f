"""A checkpoint's tensors as PyTorch's. Apart from checkpoint.py, which needs the safetensors
library to write.
"""

import torch


def tensor(view, scale=None):
    """A float32 tensor over a checkpoint's view, not copied; of an int8 view with its rows' scales,
    their product.
    """
    if not len(view.data):
        return torch.empty(view.shape)
    if scale is not None:
        return torch.frombuffer(view.data, dtype=torch.int8).view(view.shape) * tensor(scale)[:, None]
    return torch.frombuffer(view.data, dtype=torch.float32).view(view.shape)
