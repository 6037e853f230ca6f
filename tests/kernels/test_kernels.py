"""Each kernel on each device equals the float64 oracle, with the same bits for every number of
threads, on a GPU on every run.
"""

import functools
import json
import os

import pytest

from tests.hosts import ROOT
from tests.kernels import execute
from tests.kernels.cases import CASES, DTYPE_NAME
from tests.kernels.compare import HALF, complaint
from tests.kernels.execute import written
from tests.targets import on
from tinygpt import kernels
from tinygpt.devices.webgpu import dispatch_plan, plans  # noqa: F401

SOURCE = """
import json
from tests.kernels.execute import run_cases
run_cases(json.loads((files / "cases.json").read_text()), %r)
"""


@functools.cache
def oracle_answers(kernel):
    return execute.reference_answers(CASES[kernel])


# Kernels whose shaders use subgroup operations where there are any: the others are the same text
# without them.
WITH_SUBGROUPS = (
    "layer_norm", "add_layer_norm", "layer_norm_backward", "rms_norm", "rms_norm_backward", "softmax",
    "softmax_backward", "cross_entropy",
    "attention_decode", "global_norm", "quantize_int8", "matmul",
)  # fmt: skip


# A software GPU compiles a matrix product for seconds: there a test takes so many cases of a
# kernel, evenly out of all of them, unless TINYGPT_ALL_CASES is set. A real GPU takes them all.
MOST_CASES = {"gpu-lavapipe": 40, "gpu-wide": 12, "gpu-least": 12, "gpu-f16": 12, "gpu-chromium": 12}


def share(cases, most):
    """At most `most` cases, evenly out of the list, the last one included."""
    if not most or len(cases) <= most or os.environ.get("TINYGPT_ALL_CASES"):
        return cases
    return [cases[i * (len(cases) - 1) // (most - 1)] for i in range(most)]


# What a GPU refuses with a sentence, all of it: kernels, functions, and element types of a kernel.
# Anything else has to compute.
NOT_ON_GPU = {
    "wide_unary", "wide_unary_backward", "mersenne", "lu", "cholesky", "triangular_solve", "qr", "eigh", "svd",
}  # fmt: skip
FUNCTIONS_NOT_ON_GPU = {"erfcx", "erfinv", "ndtri", "lgamma", "digamma", "i0", "i0e", "i1", "i1e", "zeta"}
FLOAT32_ALONE = {
    "conv", "conv_backward_x", "conv_backward_weight", "max_pool_backward", "avg_pool", "avg_pool_backward",
    "batch_norm", "batch_norm_backward", "recurrent", "recurrent_backward", "math_of_one", "variance",
}  # fmt: skip
WITHOUT_INT8 = {"take", "put", "gather", "scatter", "scan", "sort", "topk", "max_pool", "math_of_two"}
ON_GPU_TYPES = {"float32", "int32", "int8", "int64"}


def on_gpu(case):
    """Whether a GPU has to compute this case."""
    name, kernel, buffers, params = case
    p = kernels.BY_NAME[kernel].Params(*params)
    types = {DTYPE_NAME[getattr(p, word)] for word in ("dtype", "dtype_out", "dtype_x") if hasattr(p, word)}
    types |= {spec["dtype"] for spec in buffers if spec}
    allowed = ON_GPU_TYPES - ({"int8"} if kernel in WITHOUT_INT8 else set())
    allowed -= {"int8", "int64"} if kernel in FLOAT32_ALONE else set()
    allowed -= {"float32"} if kernel == "wide_matmul" else set()
    tables = {"math_of_one": kernels.MATH_OF_ONE, "math_of_two": kernels.MATH_OF_TWO}
    functions = {code for name, code in tables.get(kernel, {}).items() if name in FUNCTIONS_NOT_ON_GPU}
    index = {"int32"} if kernel in ("recurrent", "recurrent_backward", "max_pool_backward") else set()
    return kernel not in NOT_ON_GPU and types <= allowed | index and getattr(p, "op", None) not in functions


def beyond_32_bits(case, want):
    """Whether an int64 of the case's buffers or of the oracle's answer passes 32 bits."""
    numbers = [n for spec in case[2] if spec and spec["dtype"] == "int64" for n in spec["fill"][1:]]
    numbers = [n for found in numbers for n in (found if isinstance(found, list) else [found])]
    for (spec, _), data in zip(written(case), want.get("outputs", ())):
        if spec["dtype"] == "int64" and isinstance(data, bytes):
            numbers += memoryview(data).cast("q")[spec["offset"] : spec["offset"] + spec["n"]].tolist()
    return any(not -(2**31) <= n < 2**31 for n in numbers)


def check(value, target, kernel, precision="f32", chosen=None):
    cases, want = chosen or CASES[kernel], oracle_answers(kernel)
    gpu = target.device == "webgpu"
    if gpu:
        cases = [case for case in cases if on_gpu(case)]
    cases = share(cases, MOST_CASES.get(target.name))
    got = value(target, SOURCE % (target.threads,), files={"cases.json": json.dumps(cases).encode()})
    wrong = []
    for case in cases:
        answer = got[case[0]]
        if gpu and beyond_32_bits(case, want[case[0]]):
            said = "32 bits" in answer.get("error", "")
            problem = None if said else "%s: int64 beyond 32 bits is not refused" % case[0]
        else:
            problem = complaint(case, answer, want[case[0]], precision)
        if problem:
            wrong.append(problem)
    assert not wrong, "%d of %d cases:\n%s" % (len(wrong), len(cases), "\n".join(wrong[:12]))


CPU = (
    "native",
    "node",
    "node-simd",
    "node-single",
    "node-wide",
    "node-paired",
    "chromium",
    "chromium-paired",
    "chromium-wide",
)
ON_GPU = [k.name for k in kernels.KERNELS if k.name not in NOT_ON_GPU]


@pytest.mark.parametrize("kernel", [k.name for k in kernels.KERNELS])
@on(*CPU)
def test_kernel_equals_the_oracle(value, target, kernel):
    check(value, target, kernel)


@pytest.mark.parametrize("kernel", ON_GPU)
@on("gpu-lavapipe", "gpu-chromium")
def test_kernel_on_a_gpu_equals_the_oracle(value, target, kernel):
    check(value, target, kernel)


@pytest.mark.parametrize("kernel", ON_GPU)
@on("gpu-least")
def test_kernel_within_the_least_that_webgpu_promises_equals_the_oracle(value, target, kernel):
    check(value, target, kernel)


@on("gpu-least")
def test_products_without_subgroups_equal_the_oracle(value, target):
    params = kernels.matmul.Params  # few rows or columns: the tiles use none anywhere
    few = [case for case in CASES["matmul"] if min(params(*case[3]).M, params(*case[3]).N) <= 8]
    check(value, target, "matmul", chosen=few)


@pytest.mark.parametrize("kernel", WITH_SUBGROUPS)
@on("gpu-wide")
def test_kernel_with_wider_subgroups_equals_the_oracle(value, target, kernel):
    check(value, target, kernel)


@pytest.mark.parametrize("kernel", HALF)
@on("gpu-f16")
def test_kernel_in_half_precision_equals_the_oracle(value, target, kernel):
    check(value, target, kernel, "f16")


@pytest.mark.fast
def test_every_kernel_has_cases_and_every_dtype_and_option_is_met():
    for kernel in kernels.KERNELS:
        cases = CASES[kernel.name]
        assert cases, "%s has no case" % kernel.name
        for i, declared in enumerate(kernel.buffers):
            present = {case[2][i] is not None for case in cases}
            assert present == ({True, False} if declared.optional else {True}), "%s: %s present %s" % (
                kernel.name,
                declared.name,
                present,
            )


@pytest.mark.fast
def test_a_gpu_refuses_what_is_listed_and_nothing_else():
    assert {k.name for k in kernels.KERNELS if k.name not in dispatch_plan.PLANS} == NOT_ON_GPU
    for kernel in kernels.KERNELS:
        cases = [case for case in CASES[kernel.name] if getattr(kernel.Params(*case[3]), "op", None) is None]
        for case in cases:
            refused = dispatch_plan.refusal(kernel, kernel.Params(*case[3]))
            assert (refused is None) == on_gpu(case), "%s: %s" % (case[0], refused)


@pytest.mark.fast
def test_the_comparison_can_fail():
    cases = CASES["softmax"]
    want = oracle_answers("softmax")
    name = next(case[0] for case in cases if case[3][0] == 65 and case[3][1] == 65)
    case = next(case for case in cases if case[0] == name)
    assert complaint(case, want[name], want[name]) is None
    outputs = bytearray(want[name]["outputs"][0])
    place = 4 * (case[2][0]["offset"] + 100)
    outputs[place + 2] ^= 0x40  # one bit of the mantissa of one element
    assert "softmax" in complaint(case, {**want[name], "outputs": [bytes(outputs)]}, want[name])
    outside = bytearray(want[name]["outputs"][0])
    outside[-1] ^= 1
    assert "outside" in complaint(case, {**want[name], "outputs": [bytes(outside)]}, want[name])
    assert "threads" in complaint(case, {**want[name], "differ": [2]}, want[name])


@pytest.mark.fast
def test_the_c_header_is_generated_from_the_contract():
    header = (ROOT / "wasm_ext" / "contract.h").read_text()
    assert header == kernels.header(), "run `PYTHONPATH=py python3 -m tinygpt.kernels > wasm_ext/contract.h`"
