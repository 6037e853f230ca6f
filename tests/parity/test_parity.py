"""The gate itself: every preset to xl on every host, on the software GPUs the small ones (the
larger ones need a real GPU), same bits across threads and runs, and proof that the gate can fail.
"""

import pytest

from tests.parity import faults
from tests.parity.train import compare
from tests.targets import TARGETS, marks, on

STEPS = 50


def check(result):
    """The bars, each with its own message."""
    bars = result["bars"]
    assert result["max_loss_drift"] <= bars["loss"], result["losses"]
    assert result["max_grad_error"] <= bars["gradient"], result["worst_grad"]
    assert result["max_weight_error"] <= bars["weight"], result["worst_weight"]
    assert result["passed"]
    assert result["losses"][-1] < result["losses"][0]


def run(target, preset, steps=STEPS, **options):
    return compare(
        preset, target.device, target.host, steps, variant=target.variant, configure=target.configure, **options
    )


@pytest.mark.parametrize("preset", ["tiny", "small", "medium"])
@on("native", "node", "node-wide", "node-paired", "chromium", "chromium-paired", "chromium-wide")
def test_fifty_steps_equal_pytorch(target, preset):
    check(run(target, preset))


@pytest.mark.slow
@on("native", "node", "node-wide", "node-paired", "chromium", "chromium-paired", "chromium-wide")
def test_fifty_steps_of_large_equal_pytorch(target):
    check(run(target, "large"))


# Node has Chromium's engine and the same builds: what is only larger is the same on both.
@pytest.mark.slow
@on("native", "chromium", "chromium-paired", "chromium-wide")
def test_fifty_steps_of_xl_equal_pytorch(target):
    check(run(target, "xl"))


# In software a medium step takes seconds: each preset once in f32, others on the smallest.
GPU_RUNS = [
    ("gpu-chromium", "tiny"), ("gpu-chromium", "small"), ("gpu-least", "tiny"), ("gpu-lavapipe", "tiny"),
    ("gpu-lavapipe", "medium"),
    ("gpu-f16", "tiny"),
]  # fmt: skip


@pytest.mark.parametrize("name, preset", [
    pytest.param(name, preset, marks=(*marks(name), *([pytest.mark.slow] if preset != "tiny" else []))) for name,
    preset in GPU_RUNS
])  # fmt: skip
def test_fifty_steps_on_a_gpu_equal_pytorch(name, preset):
    check(run(TARGETS[name], preset))


@on("oracle", "node-simd", "node-single")
def test_the_oracle_and_the_other_builds_equal_pytorch(target):
    check(run(target, "tiny"))
    if target.device != "reference":
        check(run(target, "small"))


@on("native", "node", "node-wide", "node-paired", "chromium", "chromium-paired", "chromium-wide")
def test_bits_are_equal_across_threads_and_runs(target):
    digests = {run(target, "small", threads=threads)["digest"] for threads in (1, 2, 2)}
    assert len(digests) == 1


@on("gpu-lavapipe")
def test_bits_are_equal_across_runs_on_a_gpu(target):
    assert run(target, "tiny")["digest"] == run(target, "tiny")["digest"]


@on("native")
def test_eager_training_has_the_bits_of_replayed_training(target):
    assert run(target, "tiny", compiled=False)["digest"] == run(target, "tiny")["digest"]


@pytest.mark.parametrize("options", [
    {"positions": "rotary", "norm": "rms", "mlp": "swiglu", "kv_heads": 1}, {"tie_embeddings": False, "bias": False},
], ids=["rotary rms swiglu grouped", "untied without bias"])  # fmt: skip
@on("native", "gpu-lavapipe")
def test_model_options_equal_pytorch(target, options):
    check(run(target, "tiny", **options))


@pytest.mark.parametrize("fault", faults.NAMES)
@on("native", "gpu-lavapipe")
def test_a_planted_fault_fails_the_gate(target, fault):
    few = run(target, "tiny", steps=8, fault=fault)
    # A loss or a first gradient that is off within eight steps is off within fifty; else all of
    # them are needed.
    detected = few["max_loss_drift"] > few["bars"]["loss"] or few["max_grad_error"] > few["bars"]["gradient"]
    assert detected or not run(target, "tiny", fault=fault)["passed"]


@on("native", "gpu-lavapipe")
def test_no_fault_stays_behind(target):
    check(run(target, "tiny"))
