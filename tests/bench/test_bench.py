"""The bench itself: equal steps or none, nothing missing in silence, peaks and tables that say what
was measured.
"""

import copy
import json
import math

import pytest

from tests import hosts
from tests.bench import contenders, engines, gpu, job, kernels, peaks, report
from tests.bench.contenders import Contender, Peer

ROW = {
    "preset": "tiny", "implementation": "TinyGPT", "device": "wasm", "host": "chromium", "threads": 2,
    "precision": "f32", "build": "b",
    "steps": 15, "median_ms": 2.0, "min_ms": 1.5, "max_ms": 4.0, "tokens_per_s": 1e5, "first_step_s": 0.5,
    "peak_bytes": 10**8,
    "python_ms": 0.1,
    "generation_tokens_per_s": 900.0, "first_token_ms": 1.0, "notes": [], "machine": "M", "versions": {"tinygpt": "1"},
}  # fmt: skip
KERNEL = {"kernel": "matmul", "shape": "NN 4x4x4", "launches": 2, "ms": 0.5, "flops": 128, "bytes": 192, "gflop_s": 1.0,
          "gb_s": 2.0, "bound": "compute", "percent": 50.0}  # fmt: skip
RESULT = {
    "preset": "tiny",
    "device": "wasm",
    "host": "node",
    "threads": 1,
    "build": "b",
    "step_ms": 1.2,
    "rows": [KERNEL],
    # fmt: skip
    "peaks": {"threads": 1, "simd": "relaxed", "gflop_s": 50.0, "bandwidth": [{"bytes": 16384, "gb_s": 90.0}]},
}


@pytest.fixture
def folder(tmp_path):
    return tmp_path, job.write("tiny", tmp_path)


def test_the_job_is_what_tinygpt_starts_from(folder):
    place, losses = folder
    about = json.loads((place / "job.json").read_text())
    elements = sum(math.prod(shape) for _, shape in about["shapes"])
    assert (place / "weights.bin").stat().st_size == 4 * elements
    assert (place / "batches.bin").stat().st_size == 4 * 2 * job.BATCHES * about["batch_size"] * about["context"]
    assert len(losses) == 3 and losses[0] == pytest.approx(5.55, abs=0.05) and losses[2] < losses[0]


def test_another_training_step_is_refused_with_its_name_and_its_loss(folder):
    _, losses = folder
    job.check("it", "tiny", losses, losses)
    with pytest.raises(
        job.Disagreement, match=r"it does not make the same training step of tiny: its loss at step 2 is .* instead of"
    ):
        job.check("it", "tiny", [losses[0], losses[1] + 2e-3], losses)
    with pytest.raises(job.Disagreement):
        job.check("it", "tiny", [float("nan")], losses)


def test_pytorch_makes_the_same_first_steps(folder):
    place, losses = folder
    torch = contenders.PyTorch(1, place)
    cold = torch.cold("tiny")
    job.check(torch.name, "tiny", cold["losses"], losses)
    assert cold["first_step_s"] > 0 and cold["peak_bytes"] > 10**7
    assert len(torch.times("tiny", 2)["ms"]) == 2
    torch.close()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("library", ["jax", "tfjs"])
def test_a_peer_makes_the_same_first_steps_and_another_step_is_noticed(folder, library):
    place, losses = folder
    peer = Peer(library, "wasm", 1, place, seconds=60)
    cold = peer.cold("tiny")
    job.check(peer.name, "tiny", cold["losses"], losses)
    assert cold["threads"] == 1 and cold["peak_bytes"] > 10**7 and len(peer.times("tiny", 2)["ms"]) == 2
    about = json.loads((place / "job.json").read_text())
    about["train"]["lr"] *= 30
    (place / "job.json").write_text(json.dumps(about))
    with pytest.raises(job.Disagreement, match="step 2"):
        job.check(peer.name, "tiny", peer.cold("tiny")["losses"], losses)
    peer.close()


@pytest.mark.browser
def test_a_backend_that_is_not_there_is_an_error_with_its_name(folder):
    peer = Peer("jax", "webgpu", 1, folder[0])
    with pytest.raises(hosts.HostError, match="webgpu"):
        peer.cold("tiny")
    peer.close()


def test_what_is_missing_is_in_the_report_with_its_reason():
    absent = report.missing("tiny", Contender("webgpu", "chromium", None), "there is no GPU") | {
        "machine": "M",
        "versions": {},
    }
    text = report.report([ROW, absent])
    assert "| TinyGPT wasm, Chromium, 2 threads | 2.00 (1.50 to 4.00) |" in text
    assert "| TinyGPT WebGPU, Chromium | – |" in text and "- TinyGPT WebGPU, Chromium (tiny): there is no GPU." in text


def test_a_row_of_few_steps_says_so():
    assert "(1.50 to 4.00, 4 steps)" in report.report([ROW | {"steps": 4}])


def test_the_bound_of_webassembly_stands_beside_pytorchs_step():
    torch = ROW | {"implementation": "PyTorch", "device": "cpu", "host": "native", "median_ms": 4.0}
    lines = report.report([torch, ROW | {"matmul_flops": 3e8}], RESULT["peaks"]).split("\n")
    assert "| ms | 6.00 |" in lines and "| times PyTorch's step | 1.50 |" in lines


def test_the_engines_stand_beside_chromium_by_their_fastest_steps():
    rows = [
        ROW,
        ROW | {"host": "chromium", "flags": "plain", "min_ms": 3.0},
        ROW | {"host": "firefox", "flags": None, "min_ms": 1.8},
        ROW | {"host": "webkit", "flags": "plain", "min_ms": 2.1},
        report.missing("tiny", Contender("wasm", "webkit", 2), "the engine has no relaxed SIMD"),
    ]
    lines = report.report([row | {"machine": "M", "versions": {"tinygpt": "1"}} for row in rows]).split("\n")
    said = next(line for line in lines if line.startswith("Times Chromium's step"))
    assert "Firefox 1.25" in said and "WebKit 1.5" in said
    assert "| TinyGPT wasm, Chromium, 2 threads, plain SIMD | 2.00 |" in lines
    assert "| TinyGPT wasm, Firefox, 2 threads | 1.20 |" in lines
    assert "| TinyGPT wasm, WebKit, 2 threads, plain SIMD | 1.40 |" in lines
    assert "- TinyGPT wasm, WebKit, 2 threads (tiny): the engine has no relaxed SIMD." in lines
    assert not any("Times Chromium's" in line for line in report.report([ROW]).split("\n"))


def test_an_engine_that_is_not_installed_is_missing_with_its_reason(monkeypatch):
    def absent(source, host):
        raise hosts.HostError("the page did not become ready in %s: firefox-esr is missing" % host)

    monkeypatch.setattr(hosts, "value", absent)
    present, missing = engines.field(2)
    assert [c.name for c in present] == ["TinyGPT (wasm, chromium, 2 threads, simd-mt)"]
    assert len(missing) == 4 and all("is missing" in why for _, why in missing)
    assert present[0].flags == "plain" and {c.host for c, _ in missing} == {"firefox", "webkit"}


def test_the_kernels_of_a_step_are_timed_natively():
    found = kernels.measure("native", 1, "tiny")
    assert found["step_ms"] > 0 and any(row["kernel"] == "matmul" for row in found["rows"])


def test_the_gpus_are_told_apart_and_a_library_that_computes_something_else_is_named():
    mine = ROW | {"device": "webgpu", "flags": "full", "dispatches": 53}
    other = contenders.Peer("tfjs", "webgpu", 1, "")
    wrong = "it does not make the same training step of tiny: its loss is 2"
    rows = [mine | {"machine": "A"}, mine | {"machine": "B", "median_ms": 3.0}]
    rows.append(report.missing("tiny", other, wrong) | {"machine": "B", "flags": "full", "build": "b"})
    a, b = gpu.report([ROW, *rows]).split("## On a GPU: ")[1:]
    assert a.startswith("A\n") and "| tiny | 2.00 (1.50 to 4.00) |" in a and "its loss" not in a
    assert b.startswith("B\n") and "| tiny | 3.00 (1.50 to 4.00) | – |" in b
    assert "- it does not make the same training step as TinyGPT and PyTorch: its loss is 2 (tiny)." in b


@pytest.mark.parametrize("host", ["native", "node", pytest.param("chromium", marks=pytest.mark.browser)])
def test_the_peaks_of_a_host_are_measured(host):
    found = peaks.measure(host, 1)
    assert found["threads"] == 1 and found["gflop_s"] > 2
    assert [level["bytes"] for level in found["bandwidth"]] == peaks.working_sets()
    assert found["bandwidth"][0]["gb_s"] > found["bandwidth"][-1]["gb_s"] > 0.5


def test_the_table_of_kernels_says_share_rate_and_peak():
    lines = kernels.table(RESULT).split("\n")
    assert lines[1].split() == ["matmul", "NN", "4x4x4", "2", "0.5000", "100.0", "1.0", "2.0", "compute", "50"]
    assert (
        "tiny on wasm/node, 1 threads (b): launches 1.00 ms in all, a step 1.20 ms" in lines[2]
        and "50.0 GFLOP/s (relaxed)" in lines[3]
    )


def test_two_measurements_are_compared_kernel_by_kernel():
    after = copy.deepcopy(RESULT)
    after["rows"][0].update(ms=0.25, percent=100.0)
    after["rows"].append(KERNEL | {"kernel": "adamw", "shape": "n 8"})
    lines = kernels.comparison(RESULT, after).split("\n")
    assert "2.00x" in "\n".join(lines) and "50 -> 100" in "\n".join(lines)
    assert any("adamw" in line and "new" in line for line in lines)
    assert any(
        "matmul" in line and "gone" in line for line in kernels.comparison(after, RESULT | {"rows": []}).split("\n")
    )


def test_the_better_of_two_peaks_counts():
    a, b = (
        RESULT["peaks"],
        {"threads": 1, "simd": "relaxed", "gflop_s": 60.0, "bandwidth": [{"bytes": 16384, "gb_s": 80.0}]},
    )
    assert kernels.better(a, b)["gflop_s"] == 60.0 and kernels.better(a, b)["bandwidth"][0]["gb_s"] == 90.0


def test_the_written_report_has_paragraphs_of_at_most_100_columns():
    text = (hosts.ROOT / "docs" / "performance.md").read_text()
    assert report.wrapped(text) == text
    assert report.wrapped("- " + "word " * 40).split("\n")[1].startswith("  word")
