"""The rule for printed losses, on lines as well-known training programs print them."""

import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.fast


@pytest.fixture
def rule(monkeypatch):
    package = types.ModuleType("session_without_page")
    package.__path__ = [str(ROOT / "py" / "tinygpt_session")]
    monkeypatch.setitem(sys.modules, "session_without_page", package)
    from session_without_page import torch_lines

    yield torch_lines
    del sys.modules["session_without_page.torch_lines"]


LINES = {
    "step 500: train loss 1.7531, val loss 1.9012": 1.9012,  # a lecture's GPT, nanoGPT
    "step 1000 train loss: 2.1250 test loss: 2.2512": 2.2512,  # makemore
    "val 2.1068": 2.1068,  # print(split, loss.item())
    "train 2.0621": None,
    "\nTest set: Average loss: 0.0512, Accuracy: 9833/10000 (98%)": 0.0512,  # MNIST
    "Train Epoch: 1 [640/60000 (1%)]\tLoss: 2.300039": None,
    "| end of epoch   1 | time: 45.39s | valid loss  6.31 | valid ppl   549.17": 6.31,  # word language model
    "| epoch   1 |   200/ 2983 batches | lr 20.00 | ms/batch 12.31 | loss  7.63 | ppl  2055.94": None,
    "| End of training | test loss  5.02 | test ppl   151.41": 5.02,
    "iter_dt 12.11ms; iter 100: train loss 2.51234": None,  # minGPT
    "iter 20: loss 3.1250, time 61.23ms, mfu 4.11%": None,
    "Epoch 3, Train Loss: 0.1234, Val Loss: 0.2345": 0.2345,
    "Epoch 3 | train_loss=0.12 | val_loss=0.34 | val_acc=0.91": 0.34,
    "{'eval_loss': 0.3512, 'eval_accuracy': 0.91, 'epoch': 1.0}": 0.3512,
    "Validation Loss: 1.2e-3": 0.0012,
    "val loss 3e-05": 3e-05,
    "Test Accuracy: 98.33": None,
    "test: 98.33%": None,
    "Test Acc: 0.9833": None,
    "val took 1.25s": None,
    "val 1.25 s": None,
    "evaluated 3.5": None,
    "====> Test set loss: 105.3841": 105.3841,  # VAE
    "====> Epoch: 1 Average loss: 164.1234": None,
    "[val] loss: 0.4321": 0.4321,
    "   10: train 2.3026 | valid 2.2871": 2.2871,
    "dev_mse 0.25": 0.25,
    "interval 0.5": None,
    "value 0.5": None,
    "val loss nan": None,
    "Episode 10\tLast reward: 12.00\tAverage reward: 10.47": None,
    "1.0: val loss 2.0, again: val loss 1.5": 1.5,
}


@pytest.mark.parametrize("line", LINES)
def test_a_printed_line_names_a_validation_loss_or_none(rule, line):
    assert rule.validation_loss(line) == LINES[line]


def test_a_line_is_put_together_of_what_print_writes(rule):
    lines = rule.Lines()
    assert [lines.completed(text) for text in ("val", " ", "2.5", "\n")] == [[], [], [], ["val 2.5"]]
    assert lines.completed("a\nb\nc") == ["a", "b"] and lines.completed("d\r") == ["cd"]


def test_no_line_takes_long(rule):
    import time

    begun = time.perf_counter()
    for text in ("val " * 10_000, "1" * 10_000, "val" + " " * 10_000, "val loss 1" + "1" * 10_000 + "x"):
        assert rule.validation_loss(text) is None
    assert time.perf_counter() - begun < 1
