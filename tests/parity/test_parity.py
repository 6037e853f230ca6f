"""The gate itself: every preset to xl on every host, same bits across threads and runs, and proof that the gate can fail."""

import pytest

from tests.parity import faults
from tests.parity.train import GRADIENT_ERROR, LOSS_DRIFT, WEIGHT_ERROR, compare
from tests.targets import on

STEPS = 50


def check(result):
    """The bars, each with its own message."""
    assert result["max_loss_drift"] <= LOSS_DRIFT, result["losses"]
    assert result["max_grad_error"] <= GRADIENT_ERROR, result["worst_grad"]
    assert result["max_weight_error"] <= WEIGHT_ERROR, result["worst_weight"]
    assert result["losses"][-1] < result["losses"][0]


def run(target, preset, **options):
    return compare(preset, target.device, target.host, STEPS, variant=target.variant, **options)


@pytest.mark.parametrize("preset", ["tiny", "small", "medium"])
@on("native", "node", "chromium")
def test_fifty_steps_equal_pytorch(target, preset):
    check(run(target, preset))


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["large", "xl"])
@on("native", "node", "chromium")
def test_fifty_steps_of_the_larger_presets_equal_pytorch(target, preset):
    check(run(target, preset))


@on("oracle", "node-simd", "node-single")
def test_the_oracle_and_the_other_builds_equal_pytorch(target):
    check(run(target, "tiny"))
    if target.device != "reference":
        check(run(target, "small"))


@on("native", "node", "chromium")
def test_bits_are_equal_across_threads_and_runs(target):
    digests = {run(target, "small", threads=threads)["digest"] for threads in (1, 2, 2)}
    assert len(digests) == 1


@on("native")
def test_eager_training_has_the_bits_of_replayed_training(target):
    assert run(target, "tiny", compiled=False)["digest"] == run(target, "tiny")["digest"]


@pytest.mark.parametrize("options", [
    {"positions": "rotary", "norm": "rms", "mlp": "swiglu", "kv_heads": 1}, {"tie_embeddings": False, "bias": False},
], ids=["rotary rms swiglu grouped", "untied without bias"])  # fmt: skip
@on("native")
def test_model_options_equal_pytorch(target, options):
    check(run(target, "tiny", **options))


@pytest.mark.parametrize("fault", faults.NAMES)
@on("native")
def test_a_planted_fault_fails_the_gate(target, fault):
    assert not run(target, "tiny", fault=fault)["passed"]


@on("native")
def test_no_fault_stays_behind(target):
    check(run(target, "tiny"))
