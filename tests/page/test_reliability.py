"""Bad input in the tab: one clear sentence each, and the interpreter and the trained state live
on."""

import re

import pytest

from tests import hosts
from tests.targets import on

SETUP = """
import io, tinygpt
from tinygpt import checkpoint, data, loop, optim
from tinygpt.config import ModelConfig
tinygpt.manual_seed(1)
kept = tinygpt.GPT(ModelConfig(vocab_size=256, context=8, layers=1, d_model=16, heads=2))
before = [p.tolist() for p in kept.parameters()]
saved = checkpoint.dumps(kept)
"""

# name -> (source that must fail, words of its sentence)
CASES = {
    "a corrupt checkpoint": ("checkpoint.loads(saved[:-40] + bytes(40)).load_into(kept)", "checksum|damaged|corrupt"),
    "a truncated checkpoint": ("checkpoint.loads(saved[:len(saved) // 2])", "truncated|cut|short|ends"),
    "a foreign file": ("checkpoint.loads(b'\\x89PNG\\r\\n\\x1a\\n' + bytes(1000))", "PNG|picture|not a"),
    "a pickle": ("checkpoint.loads(b'PK\\x03\\x04' + bytes(1000))", "zip|PyTorch|not a"),
    "an empty corpus": ("data.Dataset('', None, 8)", "empty"),
    "a corpus of one byte": ("data.Dataset('a', None, 8)", "one token"),
    "a context longer than the corpus": ("data.Dataset('some text', None, 64)", "64"),
    "a loss that is not a number": (
        "def train(run):\n    for i in run.steps(3):\n        run.log(float('nan'))\nloop.run(train)", "NaN at step 0"),
    "a plan that does not fit": ("tinygpt.empty(1 << 40)", "out of memory.*would not fit"),
    "an index outside the vocabulary": ("kept(tinygpt.tensor([[256]])).sum().item()", "out of range"),
    "shapes that do not fit": ("tinygpt.ones(2, 3) @ tinygpt.ones(4, 5)", r"2x3 and 4x5"),
    "a typo": ("tinygpt.onse(3)", "onse"),
}  # fmt: skip


CHECK = """
try:
    exec(failing)
    said = None
except Exception as error:
    said = "%s: %s" % (type(error).__name__, error)
alive = [p.tolist() for p in kept.parameters()] == before and tinygpt.ones(3).sum().item() == 3.0
checkpoint.loads(saved).load_into(kept)  # a good file still loads
said, alive
"""


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@on("native", "chromium")
def test_bad_input_is_one_sentence_and_the_state_lives_on(target, case):
    failing, words = case
    said, alive = hosts.value(SETUP + "failing = %r\n" % failing + CHECK, target.host, device=target.device)
    assert said is not None and re.search(words, said, re.I), said
    assert "\n" not in said and len(said) < 400
    assert alive


MEMORY = """
import tinygpt
from tinygpt.tools.benchmark import StepBench
from tinygpt.generate import generate
bench = StepBench("medium")
device = bench.device
sizes = [device.memory_bytes()]
for i in range(5):
    bench.time(6)
    sizes.append(device.memory_bytes())
used = device.in_use()
bench.time(6)
sizes, device.in_use() - used
"""


@on("node", "chromium")
def test_memory_never_grows_during_training(target):
    sizes, grown = hosts.value(MEMORY, target.host, device=target.device)
    assert len(set(sizes)) == 1 and grown == 0
