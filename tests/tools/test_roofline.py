"""tinygpt.tools.roofline: every launch of a step is timed and described, and each rate is compared
with the peak that bounds it.
"""

import time
import types

import pytest

import tinygpt
from tinygpt import kernels
from tinygpt.tools import benchmark, roofline
from tinygpt.tools.profile import flops

pytestmark = [pytest.mark.fast, pytest.mark.usefixtures("native")]
PEAKS = {"threads": 2, "gflop_s": 100.0, "bandwidth": [{"bytes": 1000, "gb_s": 400.0}, {"bytes": 10**6, "gb_s": 20.0}]}


@pytest.fixture(scope="module")
def step():
    before = tinygpt.get_device().name
    tinygpt.set_device("native")
    yield roofline.step_rates("tiny")
    tinygpt.set_device(before)


def test_every_launch_of_the_step_is_in_the_rows(step):
    launches = benchmark.StepBench("tiny", warm_up=3, warm_up_seconds=0).step.program.launches
    assert sum(row["launches"] for row in step["rows"]) == len(launches)
    assert sum(row["flops"] * row["launches"] for row in step["rows"]) == sum(
        flops(k, params) for k, _, params in launches
    )
    assert len({(row["kernel"], row["shape"]) for row in step["rows"]}) > 15
    assert all(0 < row["min_ms"] <= row["ms"] <= row["max_ms"] and row["bytes"] > 0 for row in step["rows"])


@pytest.mark.alone  # it compares times
def test_the_launches_take_about_as_long_as_the_step(step):
    typical, shortest = (sum(row[key] * row["launches"] for row in step["rows"]) for key in ("ms", "min_ms"))
    assert 0.3 * step["step_ms"] < typical and shortest < 3 * step["step_ms"]


def test_a_shape_names_what_decides_the_work(step):
    shapes = {row["shape"] for row in step["rows"] if row["kernel"] == "matmul"}
    assert "NT 512x192x48 bias gelu" in shapes, shapes  # batch x context, 4 C, C
    assert roofline.shape(kernels.unary, (kernels.UNARY["exp"], 64)) == "exp n 64"


def test_the_roofline_is_the_longer_of_arithmetic_and_memory():
    computing = {"ms": 1.0, "flops": 50_000_000, "bytes": 1000}
    assert roofline.roofline(computing, PEAKS) == {
        "gflop_s": pytest.approx(50), "gb_s": pytest.approx(1e-3), "bound": "compute", "percent": pytest.approx(50)
    }  # fmt: skip
    memory_bound = roofline.roofline({"ms": 1.0, "flops": 1000, "bytes": 10**7}, PEAKS)
    assert memory_bound["bound"] == "memory" and memory_bound["percent"] == pytest.approx(
        50
    )  # 10 of the 20 GB/s of the largest level


def test_a_working_set_is_held_against_the_smallest_memory_that_holds_it():
    assert [roofline.ceiling(PEAKS, n) for n in (1, 2000, 2001, 10**9)] == [400.0, 400.0, 20.0, 20.0]


def test_a_clock_of_coarse_steps_gives_every_kernel_a_time(monkeypatch):
    """A browser's clock moves every 5 us, in a page without isolation every 100 us."""
    clock = types.SimpleNamespace(perf_counter=lambda: time.perf_counter() // 1e-4 * 1e-4)
    monkeypatch.setattr(roofline, "time", clock)
    monkeypatch.setattr(roofline, "MOST_LAUNCHES", 2)
    rows = roofline.step_rates("tiny")["rows"]
    peaks = {"threads": 1, "gflop_s": 100.0, "bandwidth": [{"bytes": 1 << 30, "gb_s": 10.0}]}
    assert all(row["min_ms"] > 0 and roofline.roofline(row, peaks)["percent"] > 0 for row in rows)
