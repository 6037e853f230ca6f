"""The front `tinygpt.torch` in a process of TinyGPT's own tests: PyTorch's meaning is on for each
test of this folder, and off behind it.
"""

import pytest
import torch

import tinygpt.torch
from tinygpt.torch.front import enter, leave

torch.set_num_threads(1)  # small tensors: on shared cores its threads wait for each other
leave()  # the import has switched it on, and tests of other folders may come first


@pytest.fixture(autouse=True)
def front():
    """The module tinygpt.torch, switched on."""
    enter()
    yield tinygpt.torch
    leave()
