"""The tuner: before the first step it takes its time and no more, then it measures beside the
replays; and whose measurements they are.
"""

import json
import subprocess

import pytest

from tests.hosts import NODE, ROOT
from tests.targets import on
from tinygpt import kernels
from tinygpt.devices.webgpu import adapter_class, dispatch_fusion, tile_choice, tuner
from tinygpt.devices.webgpu.dispatch_plan import Binder
from tinygpt.tools.wgsl import LIMITS, AssumedDevice

ADAPTERS = [
    ("NVIDIA in Chromium", {"vendor": "nvidia", "architecture": "ampere"}, "discrete"),
    ("GeForce", {"vendor": "nvidia", "description": "NVIDIA GeForce RTX 5090"}, "discrete"),
    ("H200", {"vendor": "nvidia", "architecture": "", "description": "NVIDIA H200"}, "data centre"),
    ("A100", {"vendor": "nvidia", "architecture": "ampere", "description": "NVIDIA A100-SXM4"}, "data centre"),
    ("Radeon", {"vendor": "amd", "architecture": "rdna-3"}, "AMD"),
    ("UHD 620", {"vendor": "intel", "architecture": "gen-9"}, "integrated"),
    ("Iris Xe", {"vendor": "intel", "architecture": "gen-12lp"}, "integrated"),
    ("Arc A770", {"vendor": "intel", "architecture": "xe-hpg"}, "Intel Arc"),
    ("M2", {"vendor": "apple", "architecture": "metal-3", "subgroupMin": 32, "subgroupMax": 32}, "Apple"),
    ("Adreno", {"vendor": "qualcomm", "architecture": "adreno-6xx"}, "mobile"),
    ("Mali", {"vendor": "arm", "architecture": "valhall"}, "mobile"),
    ("Firefox", {"vendor": "", "architecture": "", "description": ""}, "integrated"),
    ("wave64", {"subgroupMin": 64, "subgroupMax": 64}, "AMD"),
    ("lavapipe", {"vendor": "mesa", "architecture": "software", "fallback": True}, "software"),
]  # fmt: skip


@pytest.mark.fast
@pytest.mark.parametrize("info, name", [a[1:] for a in ADAPTERS], ids=[a[0] for a in ADAPTERS])
def test_the_class_of_an_adapter(info, name):
    assert adapter_class.classify(info).name == name


@pytest.mark.fast
def test_software_takes_the_references_tiles():
    for shape in ((1, 2048, 384, 128), (1, 768, 768, 8192), (4, 64, 64, 512)):
        of = [
            tile_choice.ranked(LIMITS, "f32", *shape, True, c)
            for c in (adapter_class.DATA_CENTRE, adapter_class.SOFTWARE)
        ]
        assert of[0] == of[1]


@pytest.mark.fast
@pytest.mark.parametrize("adapter", adapter_class.CLASSES, ids=lambda c: c.name)
def test_tiles_keep_to_a_classs_registers_and_processors(adapter):
    for M, N, K in ((2048, 384, 128), (8192, 768, 3072), (64, 64, 512), (768, 768, 8192)):
        best = tile_choice.ranked(LIMITS, "f32", 1, M, N, K, False, adapter)[0]
        assert best.tm * best.tn <= adapter.sums, best
    for M, N, K in ((64, 64, 512), (768, 768, 8192)):  # gradients of weights
        best, reference = (
            tile_choice.ranked(LIMITS, "f32", 1, M, N, K, True, c)[0] for c in (adapter, adapter_class.DATA_CENTRE)
        )
        assert best.splits <= reference.splits, "K is cut to give every core work"


# ---- the tuner on a device of numbers -----------------------------------------------------------


class Clocked(AssumedDevice):
    """A device on which each dispatch takes `seconds` of a clock, a compilation `compile_seconds`,
    and the configuration `best` half of it.
    """

    def __init__(self, seconds, compile_seconds=0.05, best=None):
        super().__init__()
        self.now, self.cost, self.compile_seconds, self.best = 0.0, seconds, compile_seconds, best
        self.gpu = self.transfers = self
        self.beside, self.sources, self.ready, self.saved, self.held, self.sizes = False, {}, {}, "", 0, {}
        self.binder = Binder(self._pipeline)

    def clock(self):
        return self.now

    def _pipeline(self, source, letters, label):
        assert self.beside, "no replay waits for a candidate"
        number = self.sources.setdefault(source, len(self.sources))
        self.ready.setdefault(number, self.now + self.compile_seconds)
        return number

    def compiled(self, numbers):
        return all(self.ready[n] <= self.now for n in numbers)

    def refused(self, number):
        return ""

    def pause(self, ms):
        return ms

    def wait(self, ms):
        self.now += ms / 1e3

    def alloc(self, nbytes):
        self.held += 1
        self.sizes[self.held] = nbytes
        return self.held

    def free(self, handle):
        del self.sizes[handle]

    def trim(self):
        pass

    def saveTuning(self, text):
        self.saved = text

    def measure(self, records, repeats):
        times = [self.cost / (1 + i) for i in range(len(repeats))]  # the last candidate is the fastest
        self.now += sum(t * n for t, n in zip(times, repeats)) + 0.001
        return times


def product(M, N, K):
    params = dict.fromkeys(kernels.matmul.Params._fields, 0)
    params.update(batch=1, M=M, N=N, K=K, ta=0, tb=1, lda=K, ldb=K, ldc=N, alpha=1.0)
    buffers = [(i, 0) if i < 3 else None for i in range(len(kernels.matmul.buffers))]
    return dispatch_fusion.GpuLaunch(kernels.matmul, buffers, kernels.matmul.Params(**params), {})


LAUNCHES = [product(64 * i, 96, 64) for i in range(3, 15)]


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    monkeypatch.setattr(tile_choice, "measured", {})
    monkeypatch.setattr(tile_choice, "fastest", {})


@pytest.mark.fast
@pytest.mark.parametrize("seconds", [1e-6, 1e-5, 1e-3, 8e-3, 0.03])
@pytest.mark.parametrize("compile_seconds", [0.0, 0.05, 3.0])
def test_the_first_step_waits_less_than_300_ms(seconds, compile_seconds):
    device = Clocked(seconds, compile_seconds)
    tuning = tuner.Tuning(device, LAUNCHES, device.clock)
    assert len(tuning.waiting) == 12
    tuning.before(tuner.BEFORE_SECONDS)
    assert device.now <= 0.3
    if compile_seconds < 1 and seconds < 1e-3:
        assert tile_choice.measured and json.loads(device.saved)


@pytest.mark.fast
@pytest.mark.parametrize("compile_seconds", [0.0, 3.0])
def test_the_rest_is_measured_beside_the_replays_in_a_share_of_the_time(compile_seconds):
    device = Clocked(1e-3, compile_seconds)
    tuning = tuner.Tuning(device, LAUNCHES, device.clock)
    training, replays = 0.0, 0
    while not tuning.finished and replays < 5000:
        tuning.beside()
        device.now += 0.02  # the replay
        training += 0.02
        replays += 1
        assert device.now - training <= 0.06 + device.now * tuner.SHARE * 1.2
    assert tuning.finished and tuning.changed and len(tile_choice.measured) == 12
    assert device.sizes == {}, "its memory is freed"
    for launch in LAUNCHES:
        tile = tile_choice.measured[tile_choice.key(1, launch.params.M, 96, 64, 0, 1, "f32", False)]
        assert tile == tile_choice.candidates(device, 1, launch.params.M, 96, 64)[-1], "the fastest"


@pytest.mark.fast
def test_a_measurement_beside_replays_keeps_the_bits_and_the_fastest_is_for_the_next_session():
    device = Clocked(1e-3, 0.0)
    launch = product(64, 64, 4096)
    key = tile_choice.key(1, 64, 64, 4096, 0, 1, "f32", True)
    choices = tile_choice.candidates(device, 1, 64, 64, 4096, plain=True)
    estimate, last = choices[0], choices[-1]
    assert not tile_choice.sums_alike(estimate, last), "K is cut in another way"
    tuning = tuner.Tuning(device, [launch], device.clock)
    while not tuning.finished:
        tuning.beside()
        device.now += 0.02
    assert tile_choice.sums_alike(tile_choice.measured[key], estimate)
    assert json.loads(device.saved)[key] == list(last)
    tile_choice.measured.clear()
    tuner.restore(device.saved)
    assert tile_choice.measured[key] == last


@pytest.mark.fast
def test_a_product_that_takes_long_keeps_its_estimate():
    device = Clocked(0.5, 0.0)
    tuning = tuner.Tuning(device, LAUNCHES[:1], device.clock)
    tuning.beside()
    assert tuning.finished and not tuning.changed and device.now < 0.52


@pytest.mark.fast
def test_a_tuning_that_finds_no_memory_is_left():
    device = Clocked(1e-3)

    def alloc(nbytes):
        raise MemoryError

    device.alloc = alloc
    tuning = tuner.Tuning(device, LAUNCHES, device.clock)
    tuning.before(0.2)
    assert tuning.finished and tile_choice.measured == {}


@pytest.mark.fast
def test_a_tuning_that_is_released_frees_its_memory():
    device = Clocked(1e-3, 9.0)
    tuning = tuner.Tuning(device, LAUNCHES, device.clock)
    tuning.before(0.1)
    assert device.sizes
    tuning.release()
    assert device.sizes == {} and tuning.finished


# ---- whose measurements they are ----------------------------------------------------------------

KEYS = """
import { tuningKey } from "./app/bridges/webgpu.js";
console.log(JSON.stringify(JSON.parse(process.argv[1]).map(tuningKey)));
"""
FACTS = {
    "vendor": "intel", "architecture": "gen-12lp", "description": "", "features": ["subgroups", "shader-f16"],
    "limits": {"maxBufferSize": 1 << 31, "maxComputeWorkgroupStorageSize": 32768}, "subgroupMin": 8, "subgroupMax": 32,
}  # fmt: skip
NAMELESS = {**FACTS, "vendor": "", "architecture": "", "description": " "}


@pytest.mark.fast
def test_measurements_are_kept_by_name_features_and_limits_and_not_at_all_without_a_name():
    others = [
        {**FACTS, "architecture": "gen-9"},
        {**FACTS, "features": ["subgroups"]},
        {**FACTS, "limits": {**FACTS["limits"], "maxBufferSize": 1 << 30}},
        {**FACTS, "subgroupMax": 16},
        {**FACTS, "description": "Intel(R) Iris(R) Xe"},
    ]
    same = {**FACTS, "features": ["shader-f16", "subgroups"], "limits": dict(reversed(FACTS["limits"].items()))}
    given = json.dumps([FACTS, same, *others, NAMELESS])
    command = [str(NODE), "--input-type=module", "-e", KEYS, given]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    first, again, *rest, nameless = json.loads(done.stdout)
    assert first == again and first.startswith("/tuning/") and nameless == ""
    assert len({first, *rest}) == 1 + len(others)


TUNED = """import tinygpt
from tests.webgpu import host_train
from tinygpt.devices.webgpu import tile_choice, tuner
device = tinygpt.get_device()
found = tile_choice.candidates

def two(*args):  # the estimate and one more, of a few shapes: each shader takes seconds to compile here
    _, _, _, N, K, *_ = args
    return found(*args)[: 2 if K == 24 and N > 24 else 1]

def second(shape):  # whatever is faster
    times = measure(shape)
    assert times and set(times) <= set(shape.choices)
    return {**times, shape.choices[-1]: 0.0}

def train(steps):
    training = host_train.little(layers=1)
    return training, training.losses(steps)

_, want = train(8)
share, measure = tuner.SHARE, tuner._Shape.measure
tile_choice.candidates, device.tunes, tuner.SHARE, tuner._Shape.measure = two, True, 0.9, second
device.configure()
device.tuning_seconds = 0.0
try:
    training, got = train(3)
    began, encoded = len(tile_choice.measured), training.run.program._loaded.number
    while training.run.program._loaded.tuning is not None:
        got += training.losses(1)
    measured, again = len(tile_choice.measured), training.run.program._loaded.number != encoded
    got += training.losses(8 - len(got))
finally:
    tile_choice.candidates, device.tunes, tuner.SHARE, tuner._Shape.measure = found, False, share, measure
    tile_choice.measured.clear()
    tile_choice.fastest.clear()
    device.configure()
_, afterwards = train(8)
(want, got, afterwards, began, measured, again, training.run.captures, device.gpu.problem)
"""


@on("gpu-lavapipe")
def test_a_run_that_is_tuned_while_it_trains_learns_the_same(value, target):
    want, got, afterwards, began, measured, again, captures, problem = value(target, TUNED)
    assert began < measured and again and captures == 1 and problem == ""
    assert got[:8] == pytest.approx(want, rel=2e-6) and afterwards == want
