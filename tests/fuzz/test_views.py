"""A few thousand random chains of views find nothing (tests/fuzz/views.py has the command for
more); and no sizes reach memory of others.
"""

import pytest

from tests.fuzz import views


@pytest.mark.fast
def test_chains_of_views_equal_pytorch():
    import torch

    assert views.run(2000, 15, torch) == []


@pytest.mark.slow
def test_chains_of_views_read_no_memory_of_others():
    assert views.run_under_asan(2000, 15) == []


@pytest.mark.fast
@pytest.mark.parametrize(
    "shape, offset, strides",
    [
        ((4,), 0, None),
        ((3,), 1, None),
        ((2,), -1, None),
        ((-1, -3), 0, None),
        ((2,), 0, (3,)),
        ((2, 2), 0, (1, 2)),
        ((3,), 2, (-1,)),
        ((-1,), 0, (1,)),
        ((2.0,), 0, (1,)),
        ((2,), 0.0, (1,)),
    ],
)
def test_a_view_that_leaves_its_storage_is_not_made(shape, offset, strides):
    """In the constructor, so that no op can forget it."""
    import tinygpt as tg
    from tinygpt.core.tensor import Tensor

    storage = tg.ones(3, device="native")._storage
    with pytest.raises((RuntimeError, TypeError)):
        Tensor(storage, shape, tg.float32, offset, strides)
    assert Tensor(storage, (2, 0), tg.float32, 7, (9, 1)).tolist() == [[], []]
    assert Tensor(storage, (2, 2), tg.float32, 0, (1, 1)).shape == (2, 2)


@pytest.mark.fast
@pytest.mark.parametrize("name, value", [("shape", (999,)), ("dtype", "int32"), ("device", "native"), ("ndim", 1)])
def test_what_a_tensor_is_cannot_be_set_as_in_pytorch(name, value):
    """Another shape could leave the memory, and another dtype reads other numbers."""
    import torch

    import tinygpt as tg

    for x in (torch.ones(3), tg.ones(3), tg.nn.Parameter(tg.ones(3))):
        before = getattr(x, name)
        with pytest.raises(AttributeError):
            setattr(x, name, value)
        assert getattr(x, name) == before and x.tolist() == [1, 1, 1]
