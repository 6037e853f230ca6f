"""A share of PyTorch's own sample inputs, of float32 and int64: value, type, shape, gradient and
class of error are PyTorch's. tests/front/opinfo.py runs all. Gradients of gradients in float64:
tests/front/opinfo_twice.py.
"""

import warnings

import pytest

from . import opinfo_twice
from .opinfo import op_db, run

pytestmark = pytest.mark.fast
NAMES = """
    abs add addcdiv addcmul asin atan2 bitwise_and bitwise_left_shift ceil clamp copysign div eq erfinv exp2 float_power
    floor floor_divide fmax fmod frexp gcd heaviside hypot isclose ldexp lerp lgamma log1p logaddexp logical_xor logit
    lt maximum mul nan_to_num neg pow remainder round rsub sign signbit sinc special.i1e special.log_ndtr special.zeta
    sub where xlogy
    all amax aminmax any argmax bincount count_nonzero cummax cumprod cumsum diff dist histc log_softmax logcumsumexp
    logsumexp max mean median mode nanmean nanquantile nansum norm prod quantile softmax std std_mean sum trapezoid
    unique unique_consecutive var bool half int long
    addmm as_strided baddbmm block_diag bmm broadcast_tensors cat cdist cholesky chunk corrcoef cov cross diag_embed
    diagonal diagonal_scatter dsplit eye flip gather index_add index_copy index_fill index_put index_select inner kron
    linalg.det linalg.eigvalsh linalg.inv linalg.lu linalg.matrix_norm linalg.matrix_power linalg.norm linalg.qr
    linalg.slogdet linalg.solve linalg.solve_triangular linalg.svdvals linspace masked_fill masked_scatter masked_select
    meshgrid movedim mv narrow nonzero outer permute put repeat repeat_interleave reshape roll rot90 scatter scatter_add
    searchsorted select_scatter slice_scatter split squeeze stack take take_along_dim tensor_split tensordot tile
    trace transpose tril triu unbind unflatten unfold unsqueeze view vstack
""".split()


@pytest.fixture(scope="module")
def entries():
    found = {}
    for info in op_db():
        found.setdefault(info.name, []).append(info)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_an_op(name, entries):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for info in entries[name][:2]:
            found = run(info, most=3, kinds=("float32", "int64"))
            assert [x for x in found if x[2] == "same"]
            assert not [(x[0], x[1], x[3]) for x in found if x[2] in ("different", "missing")]


TWICE = """
    addmm baddbmm cumprod diff fmod kron logcumsumexp logit nansum outer polygamma roll scatter_reduce take_along_dim
    tile trace linalg.eigvalsh nn.functional.huber_loss nn.functional.interpolate nn.functional.softplus
""".split()


def test_gradients_of_gradients(entries):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [(name, *case) for name in TWICE for info in entries[name] for case in opinfo_twice.run(info, 2) or ()]
    assert not [(name, how) for name, status, how, _ in found if status in ("refused", "different")]
    assert len([1 for _, status, _, _ in found if status == "same"]) > 50
