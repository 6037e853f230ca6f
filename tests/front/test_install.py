"""`import torch` is TinyGPT only where it was asked for."""

import subprocess
import sys

import pytest
import torch

pytestmark = pytest.mark.fast


def run(*args, source=None):
    return subprocess.run(
        [sys.executable, *args], input=source, capture_output=True, text=True, env={"PYTHONPATH": "py"}
    )


def test_a_program_runs_with_its_arguments(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import sys, torch\nimport torch.nn as nn\nprint(torch.__version__, sys.argv[1:], __name__)\n")
    answer = run("-m", "tinygpt.torch", str(program), "--steps", "3")
    assert answer.stdout == "2.13.0+tinygpt ['--steps', '3'] __main__\n", answer.stderr


def test_an_installed_pytorch_is_not_shadowed(front):
    assert not torch.__version__.endswith("tinygpt") and front is not torch
    with pytest.raises(RuntimeError, match="PyTorch 2.* is imported in this process already"):
        front.install()


def test_the_process_has_tinygpts_meaning_again(front):
    from tinygpt import tensor
    from tinygpt.torch import front as switch

    assert tensor([1]).dtype is front.int64
    switch.leave()
    assert tensor([1]).dtype is front.int32
    switch.enter()
