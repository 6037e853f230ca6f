"""One CPU thread for these small models: more threads only wait for each other. And the float64
device as the tab's side.
"""

import pytest
import torch

import tinygpt

torch.set_num_threads(1)


@pytest.fixture
def oracle_device():
    before = tinygpt.get_device().name
    yield tinygpt.set_device("reference")
    tinygpt.set_device(before)
