"""int64 on the GPU: stored as int32, exact on the way in and out, and never wrapped in silence."""

from tests.targets import on

START = """
import tinygpt
from tinygpt.core import factory
from tinygpt.core.tensor import int64, int32

def sentence(call):
    try:
        return call()
    except RuntimeError as error:
        return str(error)

def whole(*values):
    return factory.tensor(list(values), dtype=int64)

EDGE = 2**31 - 1
"""


@on("gpu-lavapipe")
def test_numbers_of_32_bits_come_back_as_int64(value, target):
    got = value(
        target,
        START
        + """
x = whole(0, 5, -7, EDGE, -EDGE - 1)
moved = x.to("wasm")
slices = [x[1:3].tolist(), x[3].item(), x.reshape(5, 1)[::2].tolist()]
(x.tolist(), moved.tolist(), moved.dtype.name, len(x.tobytes()), slices, (x[:3] * 3 - 1).tolist(), x.to(int32).tolist())
""",
    )
    edge = 2**31 - 1
    assert got[0] == got[1] == [0, 5, -7, edge, -edge - 1]
    assert got[2:4] == ["int64", 40]
    assert got[4] == [[5, -7], edge, [[0], [-7], [-edge - 1]]]
    assert got[5:] == [[-1, 14, -22], [0, 5, -7, edge, -edge - 1]]


@on("gpu-lavapipe")
def test_what_leaves_32_bits_is_a_sentence(value, target):
    got = value(
        target,
        START
        + """
x, f = whole(EDGE, 1, 1 << 16), tinygpt.tensor([3e9])
calls = [
    lambda: whole(EDGE + 1),
    lambda: (x + 1).tolist(),
    lambda: (x * x).tolist(),
    lambda: (whole(-EDGE) - whole(2)).tolist(),
    lambda: x.sum().item(),
    lambda: f.to(int64).tolist(),
    lambda: x + 2**40,
    lambda: factory.full((2,), 2**40, dtype=int64),
]
[sentence(call) for call in calls], (x - 1).tolist()
""",
    )
    sentences, after = got
    assert sentences[0].startswith("int64 is held in 32 bits on WebGPU, which 2147483648 does not fit")
    assert [s.startswith("an int64 left 32 bits in ") for s in sentences[1:6]] == [True] * 5, sentences
    assert all("1099511627776 does not fit" in s for s in sentences[6:]), sentences
    assert after == [2**31 - 2, 0, (1 << 16) - 1], "an error is raised once"


@on("gpu-lavapipe")
def test_a_compiled_function_has_its_intermediates_of_int64_in_the_arena(value, target):
    got = value(
        target,
        START
        + """
def of(x, y):
    z = x * 2 + y
    return (z[2:] * z[:4]).sum(), z.to(int32)

replayed = tinygpt.compile(of)
rounds = []
for i in range(4):
    x, y = whole(*range(i, i + 6)), whole(*range(6))
    total, z = replayed(x, y)
    want, wanted = of(x, y)
    rounds.append((total.item() == want.item(), z.tolist() == wanted.tolist(), total.dtype.name))
rounds
""",
    )
    assert got == [[True, True, "int64"]] * 4
