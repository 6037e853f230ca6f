"""Programs that say `import torch`, in the style of each family of the field, print under
`python -m tinygpt.torch`, and as a visitor's files in the page, what they print under PyTorch: each
number to 4 digits, all else exactly.
"""

import importlib.util
import io
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

from tests.hosts import ROOT
from tests.page.conftest import browser, no_complaints, server, tab  # noqa: F401 - fixtures
from tests.page.test_files import drop

pytestmark = [pytest.mark.by_file]
FOLDER = ROOT / "tests" / "front" / "programs"
PROGRAMS = """
bigram
mlp
numpy_interop
numpy_memory
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
CLIENTS = (
    "einops", "lion_pytorch", "llms_from_scratch", "loralib", "rotary_embedding_torch", "torchinfo", "vit_pytorch",
)  # fmt: skip
PRINTED = "() => [...document.querySelectorAll('#console-output .out')].map((node) => node.textContent).join('')"
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


def compare(mine, theirs):
    found = list(differences(mine, theirs))
    assert not found, "\n".join(found[:6])
    assert len(NUMBER.findall(theirs)) >= 20


@pytest.mark.fast
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
    assert not answer.returncode, answer.stderr[-1500:]
    compare(answer.stdout, theirs)


@pytest.fixture(scope="module")
def visitor(tab):  # noqa: F811 - the fixture
    """The page with the programs, their texts and the packages of their clients as files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in FOLDER.iterdir():
            if path.is_file():
                archive.write(path, "programs/" + path.name)
        for name in CLIENTS:
            package = pathlib.Path(importlib.util.find_spec(name).origin).parent
            for path in package.rglob("*.py"):
                archive.write(path, "programs/%s/%s" % (name, path.relative_to(package)))
        count = len(archive.namelist())
    drop(tab, {"programs.zip": made.getvalue()})
    tab.wait("count => tinygpt.files().length === count", count)
    return tab


@pytest.mark.browser
@pytest.mark.usefixtures("no_complaints")
@pytest.mark.parametrize("program", [program for program in PROGRAMS if program != "numpy_memory"])
def test_a_program_prints_the_same_in_the_page(program, expected, visitor):
    name, _, arguments = program.partition(" ")
    page = visitor.page
    page.select_option("#files-program", "programs/%s.py" % name)
    page.fill("#files-arguments", arguments)
    page.evaluate("""() => {
        document.getElementById("console-output").replaceChildren();
        document.getElementById("status").textContent = "Starting";
    }""")
    page.click("#run")
    visitor.wait(
        "() => !tinygpt.state().running && !/^(Starting|Running)/.test(document.getElementById('status').textContent)"
    )
    assert visitor.text("#status").startswith("Finished"), visitor.text("#console-output")[-1500:]
    compare(page.evaluate(PRINTED), expected(program))


@pytest.mark.browser
def test_an_array_of_a_tensor_is_read_only_in_the_page(visitor):
    """There tensors have memory of their own, so a write would be lost in silence."""
    text = visitor.value("""
import torch
a = torch.arange(3.0).numpy()
try:
    a[0] = 5
except ValueError as error:
    said = str(error)
b = a.copy()
b[0] = 5
(said, a.tolist(), b.tolist())
""")
    assert text == ["assignment destination is read-only", [0, 1, 2], [5, 1, 2]]


@pytest.mark.fast
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
