"""Each launch of the presets' captured Programs, on each device, equals the float64 oracle at
exactly those shapes.
"""

import functools
import json

import pytest

from tests.kernels import execute
from tests.kernels.compare import complaint
from tests.kernels.programs import program_cases
from tests.kernels.test_kernels import SOURCE
from tests.targets import on

PRESETS = ("tiny", "small", "medium", "large", "xl")


@functools.cache
def oracle_answers(preset):
    return execute.reference_answers(program_cases(preset))


def check(value, target, preset, precision="f32"):
    cases, want = program_cases(preset), oracle_answers(preset)
    assert {"matmul", "attention", "attention_backward", "cross_entropy", "adamw", "batch_windows", "sample"} <= {
        case[1] for case in cases
    }
    got = value(target, SOURCE % (target.threads[:2],), files={"cases.json": json.dumps(cases).encode()})
    wrong = [text for case in cases if (text := complaint(case, got[case[0]], want[case[0]], precision))]
    assert not wrong, "%d of %d launches:\n%s" % (len(wrong), len(cases), "\n".join(wrong[:12]))


@on("native", "node", "node-wide", "node-paired", "chromium")
@pytest.mark.parametrize(
    "preset", [pytest.param(p, marks=pytest.mark.slow if p in ("large", "xl") else ()) for p in PRESETS]
)
def test_program_launches_equal_the_oracle(value, target, preset):
    check(value, target, preset)


# Software adapters manage 1 (SwiftShader) and 5 GFLOP/s (lavapipe).
@pytest.mark.parametrize("preset", ["tiny", "small"])
@on("gpu-lavapipe", "gpu-chromium")
def test_program_launches_on_a_gpu_equal_the_oracle(value, target, preset):
    check(value, target, preset)


@on("gpu-least")
def test_program_launches_within_the_least_that_webgpu_promises_equal_the_oracle(value, target):
    check(value, target, "tiny")


@pytest.mark.slow
@on("gpu-lavapipe")
def test_program_launches_of_medium_on_a_gpu_equal_the_oracle(value, target):
    check(value, target, "medium")


@on("gpu-f16")
def test_program_launches_in_half_precision_equal_the_oracle(value, target):
    check(value, target, "small", "f16")
