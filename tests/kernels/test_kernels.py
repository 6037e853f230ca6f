"""Each kernel on each device equals the float64 oracle, with the same bits for every number of
threads, on a GPU on every run.
"""

import functools
import json
import os

import pytest

import tinygpt
from tests.hosts import ROOT
from tests.kernels import execute
from tests.kernels.cases import CASES
from tests.kernels.compare import HALF, complaint
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
    tinygpt.set_device("reference")
    return execute.run_cases(CASES[kernel])


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


def refused(target, answer):
    """Whether a GPU says in a sentence that it has no such kernel, or not for this type."""
    return target.device == "webgpu" and "is not on WebGPU" in answer.get("error", "")


def check(value, target, kernel, precision="f32", chosen=None):
    cases = chosen or CASES[kernel]
    if target.device == "webgpu":
        launched = kernels.BY_NAME[kernel]
        cases = [case for case in cases if not dispatch_plan.refusal(launched, launched.Params(*case[3]))]
    cases, want = share(cases, MOST_CASES.get(target.name)), oracle_answers(kernel)
    got = value(target, SOURCE % (target.threads,), files={"cases.json": json.dumps(cases).encode()})
    wrong = [
        text
        for case in cases
        if not refused(target, got[case[0]]) and (text := complaint(case, got[case[0]], want[case[0]], precision))
    ]
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
# What a GPU has no shader for it refuses: tests/tools/test_wgsl.py.
ON_GPU = [k.name for k in kernels.KERNELS if k.name in dispatch_plan.PLANS]


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
