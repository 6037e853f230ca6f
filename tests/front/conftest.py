"""The front `tinygpt.torch` in a process of TinyGPT's own tests: PyTorch's meaning is on for each
test of this folder, and off behind it.
"""

import pytest
import torch

torch.set_num_threads(1)  # small tensors: on shared cores its threads wait for each other


@pytest.fixture(autouse=True)
def front():
    """The module tinygpt.torch, switched on."""
    import tinygpt.torch as front
    from tinygpt.torch.front import enter, leave

    enter()
    yield front
    leave()
