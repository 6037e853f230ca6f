"""Programs of plain torch code on torch.device("webgpu"), their losses those of the CPU.

The text is that of tests/front/programs with another device. What is drawn on the CPU (weights,
batches) is mt19937's on both; a GPU draws from Philox, so dropout is off here and the VAE's noise
is drawn on the CPU.
"""

import re

import pytest

from tests.hosts import ROOT
from tests.targets import on

FOLDER = ROOT / "tests" / "front" / "programs"
CPU = 'torch.device("cpu")'
GPU = 'torch.device("webgpu")'
# command -> what is replaced, for both devices and for the GPU alone
PROGRAMS = {
    "makemore.py --type transformer --max-steps 12": (
        {},
        {'"--device", type=str, default="cpu"': '"--device", default="webgpu"'},
    ),
    "mingpt.py": (
        {
            "pdrop=0.1": "pdrop=0.0",
            "--max_iters=25": "--max_iters=8",
            "dtype=torch.long)\nn =": "dtype=torch.long).to(trainer.device)\nn =",
        },
        {'device="auto"': 'device="webgpu"'},
    ),
    "mnist_cnn.py --epochs 1": ({"Dropout(0.25)": "Dropout(0.0)", "Dropout(0.5)": "Dropout(0.0)"}, {CPU: GPU}),
    "word_language_model.py --dropout 0": ({}, {CPU: GPU}),
    "vae.py": ({"torch.randn_like(std)": "torch.randn(std.shape).to(std.device)"}, {CPU: GPU}),
}  # fmt: skip
LOSS = re.compile(r"loss:? (-?\d+\.\d+)", re.I)
SOURCE = """
import contextlib, io, os, shutil, sys, tempfile
import tinygpt
import tinygpt.torch
tinygpt.set_device("wasm")
tinygpt.torch.install()
from tinygpt.torch.front import enter, leave
enter()
work = tempfile.mkdtemp()
before, argv = os.getcwd(), sys.argv
os.chdir(work)
for name in ("input.txt", "names.txt"):
    shutil.copy("/repo/tests/front/programs/" + name, name)
sys.argv = %r.split()
printed = io.StringIO()
try:
    with contextlib.redirect_stdout(printed):
        exec(compile((files / "program.py").read_text(), sys.argv[0], "exec"), {"__name__": "__main__"})
finally:
    os.chdir(before)
    sys.argv = argv
    leave()
printed.getvalue()
"""


@pytest.mark.parametrize("command", PROGRAMS)
@on("gpu-lavapipe")
def test_a_program_has_the_losses_of_the_cpu_on_a_gpu(value, target, command):
    text = (FOLDER / command.split()[0]).read_text()
    both, gpu = PROGRAMS[command]
    losses = []
    for replaced in (both, {**both, **gpu}):
        changed = text
        for old, new in replaced.items():
            assert old in changed
            changed = changed.replace(old, new)
        printed = value(target, SOURCE % command, files={"program.py": changed.encode()})
        losses.append([float(found) for found in LOSS.findall(printed)])
    on_cpu, on_gpu = losses
    assert len(on_cpu) >= 8
    assert on_gpu == pytest.approx(on_cpu, rel=2e-3)
