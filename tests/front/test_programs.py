"""Programs that say `import torch`, in the style of each family of the field, print under
`python -m tinygpt.torch` what they print under PyTorch: each number to 4 digits, all else exactly.
"""

import re
import shutil
import subprocess
import sys

import pytest

from tests.hosts import ROOT

pytestmark = [pytest.mark.fast, pytest.mark.by_file]
FOLDER = ROOT / "tests" / "front" / "programs"
PROGRAMS = """
bigram
mlp
numpy_interop
batchnorm
backprop
wavenet
lecture_gpt
makemore --type bigram
makemore --type mlp
makemore --type bow
makemore --type rnn
makemore --type gru
makemore --type transformer
mingpt
nanogpt
annotated_transformer
grokking
grokking --model mlp
word_language_model
word_language_model --model GRU --tied
word_language_model --model Transformer
mnist_cnn
vae
gan
resnet
unet
dqn
triplet
lora
vit
llama
custom_function
second_order
lbfgs
from_scratch
datasets
sentiment
char_rnn
checkpoints
schedules
seq2seq
translation
reinforce
printing
clients gpt
clients llama
clients qwen
clients lora
clients lion
clients einops
clients rotary
clients vit
clients torchinfo
""".split("\n")[1:-1]
SECONDS = 120  # of one program, on a busy machine
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?|[-+]?\b(?:nan|inf)\b")


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """program -> what it prints under PyTorch, whose process runs ahead of the tests."""
    texts, work = tmp_path_factory.mktemp("texts"), tmp_path_factory.mktemp("pytorch")
    place_files(work)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.front.pytorch_programs", str(texts), *PROGRAMS],
        stdout=subprocess.PIPE,
        stderr=(texts / "errors.txt").open("w"),
        text=True,
        cwd=work,
        env=environment(),
    )
    ready = {}

    def text(program):
        place = PROGRAMS.index(program)
        while place not in ready:
            line = process.stdout.readline()
            assert line, (texts / "errors.txt").read_text()[-2000:]
            done, code = map(int, line.split())
            ready[done] = code
        assert ready[place] == 0, (texts / "errors.txt").read_text()[-2000:]
        return (texts / ("%d.txt" % place)).read_text()

    yield text
    process.terminate()
    process.wait()


def environment():
    return {"PYTHONPATH": "%s:%s" % (ROOT / "py", ROOT), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}


def place_files(work):
    """The texts that programs open by name."""
    for name in ("names.txt", "input.txt"):
        shutil.copy(FOLDER / name, work)


def differences(mine, theirs):
    """Lines of two printed texts that differ: a number from its 4th digit, and by more than one
    unit of its last printed place; anything else at all.
    """
    mine, theirs = mine.splitlines(), theirs.splitlines()
    if len(mine) != len(theirs):
        yield "%d lines, PyTorch prints %d" % (len(mine), len(theirs))
    for place, (a, b) in enumerate(zip(mine, theirs), 1):
        if "".join(NUMBER.sub("#", a).split()) != "".join(NUMBER.sub("#", b).split()) or not all(
            map(close, NUMBER.findall(a), NUMBER.findall(b))
        ):
            yield "line %d: %s\n  PyTorch: %s" % (place, a, b)


def close(a, b):
    if a == b:
        return True
    if not re.search(r"[.e]", a + b) or "n" in a + b:  # whole numbers, nan and inf
        return False
    digits, _, power = b.lower().partition("e")
    unit = 10.0 ** (int(power or 0) - len(digits.partition(".")[2]))
    return abs(float(a) - float(b)) <= max(1.01 * unit, 1e-4 * abs(float(b)), 2e-6)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_prints_the_same(program, expected, tmp_path):
    place_files(tmp_path)
    name, *arguments = program.split()
    answer = subprocess.run(
        [sys.executable, "-m", "tinygpt.torch", str(FOLDER / (name + ".py")), *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(),
        timeout=SECONDS,
    )
    theirs = expected(program)
    found = list(differences(answer.stdout, theirs))
    assert not answer.returncode, answer.stderr[-1500:]
    assert not found, "\n".join(found[:6])
    assert len(NUMBER.findall(theirs)) >= 20


def test_a_program_that_needs_what_is_not_here_ends_with_a_sentence_of_it():
    answer = subprocess.run(
        [sys.executable, "-m", "tinygpt.torch", str(FOLDER / "llama_complex.py")],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=SECONDS,
    )
    last = answer.stderr.strip().splitlines()[-1]
    assert answer.returncode == 1 and "torch.view_as_complex is not in TinyGPT's subset of PyTorch" in last
    assert "complex numbers are two tensors" in last
