"""Submits are cut to about 50 ms: where a step takes longer, by what was measured, and with the
same bits.
"""

import json
import subprocess

import pytest

from tests.hosts import NODE, ROOT
from tests.targets import on

# A GPU whose launches take `real` ms each, of which Python expects `expected`: what each replay is
# cut into, and the ms of its longest piece.
REPLAYS = """
import { cut, Pacing, ProgramPacing } from "./app/bridges/submit_pacing.js";
const { real, expected, replays, bunched } = JSON.parse(process.argv[1]);
const pacing = new Pacing(), program = new ProgramPacing(expected, pacing);
const seen = [];
for (let i = 0; i < replays; i++) {
  const ends = program.pieces(), took = [];
  for (let k = 0, from = 0; k < ends.length; from = ends[k++])
    took.push(real.slice(from, ends[k]).reduce((sum, ms) => sum + ms, 0));
  seen.push([ends.length, Math.max(...took), ends.at(-1)]);
  const total = took.reduce((sum, ms) => sum + ms, 0);
  program.replayed(ends, bunched ? took.map((_, k) => (k ? 0 : total)) : took);
}
console.log(JSON.stringify({ seen, factor: pacing.factor }));
"""


def replays(real, expected, count=12, bunched=False):
    given = json.dumps({"real": real, "expected": expected, "replays": count, "bunched": bunched})
    command = [str(NODE), "--input-type=module", "-e", REPLAYS, given]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.fast
def test_a_short_step_stays_one_submit():
    seen = replays([0.2] * 200, [0.3] * 200)["seen"]
    assert seen == [[1, pytest.approx(40), 200]] * 12


@pytest.mark.fast
@pytest.mark.parametrize("bunched", [False, True], ids=["apart", "bunched"])
def test_a_fast_gpu_that_was_expected_to_be_slow_is_cut_once(bunched):
    pieces = [count for count, _, _ in replays([0.05] * 200, [5.0] * 200, bunched=bunched)["seen"]]
    assert pieces[0] == 20 and pieces[1:] == [1] * 11


@pytest.mark.fast
def test_a_slow_gpu_that_was_expected_to_be_fast_is_cut_from_the_second_replay_on():
    seen = replays([10.0] * 200, [0.01] * 200)["seen"]
    assert seen[0] == [1, 2000.0, 200]
    assert [[count, most] for count, most, _ in seen[1:]] == [[40, 50.0]] * 11


@pytest.mark.fast
def test_launches_unlike_what_was_expected_end_in_pieces_of_about_50_ms():
    real = [30.0 if i % 50 == 0 else 1.0 for i in range(400)]  # 632 ms, of which 8 launches take 240
    seen = replays(real, [1.0] * 400, 24)["seen"]
    assert all(most <= 80 for _, most, _ in seen[8:]) and all(10 <= count <= 16 for count, _, _ in seen[8:])
    assert all(end == 400 for _, _, end in seen), "every launch is submitted"


@pytest.mark.fast
def test_a_launch_that_is_too_long_alone_is_a_piece_alone():
    seen = replays([1.0, 400.0, 1.0, 1.0], [1.0, 400.0, 1.0, 1.0])["seen"]
    assert seen[-1][1] <= 402 and seen[-1][2] == 4


PIECES = """import tinygpt
from tests.webgpu import host_train
device = tinygpt.get_device()

def losses(slow):
    before = device.adapter
    if slow:  # the class expects seconds of a step that takes milliseconds
        device.adapter = before._replace(multiply_adds=1e3, bytes=1e5)
    device._plans.clear()
    device.gpu.paces = slow
    try:
        training = host_train.little()
        got = []
        for _ in range(9):
            rose = host_train.counted(lambda: got.append(training.run().item()))
            submits.append(rose["submits"])
        return got, training.weights()
    finally:
        device.gpu.paces, device.adapter = False, before
        device._plans.clear()

submits = []
losses(False)  # shaders are compiled
submits = []
want, usual = losses(False), submits
submits = []
got = losses(True)
(want == got, usual, submits)
"""


@on("gpu-lavapipe")
def test_pieces_give_the_same_bits_and_a_short_step_is_soon_one_submit(value, target):
    same, usual, cut = value(target, PIECES)
    assert same
    # A step is one submit, and its loss's copy to the host goes with the next or is one more. On a
    # machine that is busy the steps of a software adapter may really take long.
    assert max(usual[2:]) <= 2, usual
    assert max(cut) > 5 and min(cut[4:]) <= 3, cut
