"""`import torch` in the page: a program of plain PyTorch code has PyTorch's numbers, the page's
chart, Pause, Stop and edits, without a change.
"""

import subprocess
import sys

import pytest
import torch

from tests.page.conftest import Tab, slowness

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("no_complaints")]
PROGRAM = """
import torch, torch.nn as nn, torch.nn.functional as F

torch.manual_seed(1337)
model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
x = torch.randn(64, 8)
y = x.sum(1, keepdim=True).sin()

def step():
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss

STEPS = 20
for i in range(STEPS):
    loss = step()
    print(f"{loss.item():.4f}")
    if i == 10:
        print("step 10: val loss", "0.1250")
print(model(x)[:3].detach())
"""


@pytest.fixture(autouse=True)
def idle(tab):
    yield
    if tab.page.evaluate("() => tinygpt.state().running"):
        tab.page.evaluate("() => tinygpt.stop()")
    tab.wait("() => !tinygpt.state().running")
    tab.page.evaluate("() => tinygpt.reset()")


def printed(tab):
    return tab.text("#console-output")


def test_the_console_has_pytorchs_meaning_where_torch_is_imported(tab):
    assert "int32" in tab.value("import tinygpt; str(tinygpt.tensor([1]).dtype)")
    tab.enter("import torch")
    assert "torch.int64" in tab.enter("torch.tensor([1, 2]).dtype")
    assert "2.13.0+tinygpt" in tab.enter("torch.__version__")
    tab.enter("del torch")


def test_a_program_prints_what_pytorch_prints_and_draws_its_losses(tab, tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    theirs = subprocess.run([sys.executable, tmp_path / "program.py"], capture_output=True, text=True, check=True)
    tab.write(PROGRAM)
    tab.page.click("#run")
    tab.wait("() => /^Finished/.test(document.getElementById('status').textContent)")
    tab.wait("() => document.getElementById('console-output').innerText.includes('tensor([[')")
    lines = printed(tab).split("\n")
    for line in theirs.stdout.strip().split("\n"):
        assert line in lines, (line, "\n".join(lines))
    history = tab.page.evaluate("() => tinygpt.history()")
    assert [step["step"] for step in history] == list(range(20))
    assert "%.4f" % history[3]["loss"] == theirs.stdout.split("\n")[3]
    assert tab.page.evaluate("() => tinygpt.state().val_loss") == 0.125
    # The loop's length is known; the page shows it with its next frame.
    tab.wait("() => document.getElementById('number-steps').innerText.endsWith('20')", seconds=10)
    # What a token is, or a loss measures, the code has not said.
    assert tab.page.inner_text("#number-speed").strip("\u2013") and tab.page.inner_text("#number-batch") == ""
    assert "Steps/s" in tab.page.inner_text("#numbers") and tab.page.inner_text("#meaning") == ""


def test_it_pauses_steps_takes_an_edit_and_stops(tab):
    source = PROGRAM.replace("STEPS = 20", "STEPS = 10**7").replace('    print(f"{loss.item():.4f}")\n', "")
    tab.write(source)
    tab.page.click("#run")
    tab.wait("() => tinygpt.state().step >= 30")
    tab.page.evaluate("() => tinygpt.pause()")
    tab.wait("() => /^Paused before step/.test(document.getElementById('status').textContent)")
    at = tab.page.evaluate("() => tinygpt.state().step")
    tab.page.evaluate("() => tinygpt.step()")
    tab.wait("at => tinygpt.state().step === at + 1", at)
    tab.page.click("#console-input .cm-content")
    tab.page.keyboard.type("optimizer.param_groups[0]['lr'] * 7")
    tab.page.keyboard.press("Enter")
    tab.wait("() => document.getElementById('console-output').innerText.includes('0.07')")
    tab.page.evaluate("() => tinygpt.resume()")
    tab.wait("at => tinygpt.state().step > at + 5", at)
    tab.write(source.replace("F.mse_loss(model(x), y)", "F.mse_loss(model(x), y) + 1000"))
    tab.page.keyboard.press("Control+Enter")
    tab.wait("() => /^Applied at step/.test(document.getElementById('status').textContent)")
    tab.wait("() => tinygpt.state().loss > 900")
    tab.page.evaluate("() => tinygpt.stop()")
    tab.wait("() => /^Stopped/.test(document.getElementById('status').textContent)")
    assert "Variables are kept" in tab.text("#status")


def test_the_state_dicts_are_saved_and_outlive_the_tab(browser, server, tmp_path):
    tab = Tab(browser, server + "?autosave=1")
    source = PROGRAM.replace("STEPS = 20", "STEPS = 10**7").replace('    print(f"{loss.item():.4f}")\n', "")
    tab.wait("() => document.getElementById('memory-needs').innerText.includes('Memory')")
    tab.write(source)
    tab.wait("() => !document.getElementById('memory-needs').innerText", seconds=10)
    tab.page.click("#run")
    tab.wait("() => tinygpt.autosave().step > 5")
    tab.wait("() => /parameters 1 kB, optimizer state 3 kB/.test(document.getElementById('memory-needs').title)")
    autosave = tab.page.evaluate("() => tinygpt.autosave()")
    print("a save: %(python_ms).1f ms in Python, %(store_ms).1f ms in the store, %(bytes)d bytes" % autosave)
    tab.page.reload()  # in the middle of the run, as a tab that is killed
    tab.ready()
    tab.wait("() => document.getElementById('resume-last')?.checkVisibility()")
    assert tab.text("#resume-last").startswith("Load run 1, saved at step ")
    tab.wait("() => !document.getElementById('resume-last').disabled")
    tab.page.click("#resume-last")
    tab.wait("() => /^Run 1 shown at step/.test(document.getElementById('status').textContent)")
    assert 'Run begins it anew, and torch.load("run 1.pt") has the state_dicts of model, optimizer.' in tab.text(
        "#status"
    )
    step = tab.page.evaluate("() => tinygpt.state().step")
    assert step >= autosave["step"] and tab.page.evaluate("() => tinygpt.history().length") > 1
    assert tab.page.evaluate("() => tinygpt.source()") == source
    tab.enter("import torch")
    tab.enter("saved = torch.load('run 1.pt')")
    assert tab.value("saved['step']") == step
    tab.page.click("#tab-runs")
    row = tab.page.locator("#runs .saved li")
    assert row.locator(".resume").inner_text() == "Load"
    with tab.page.expect_download() as waiting:
        row.get_by_role("button", name="Download").click()
        kinds = tab.page.locator(".kinds:popover-open button:visible")
        assert kinds.all_inner_texts() == ["For torch.load: the program's state_dicts (.pt)"]
        kinds.click()
    waiting.value.save_as(tmp_path / "run.pt")
    saved = torch.load(tmp_path / "run.pt", weights_only=True)
    assert saved["step"] == step and saved["source"] == source
    assert saved["optimizer"]["state"][0]["step"] == step
    assert saved["model"]["0.weight"].flatten().tolist() == tab.value("saved['model']['0.weight'].flatten().tolist()")
    assert tab.complaints == []
    tab.close()


def test_a_name_that_is_not_here_says_so(tab):
    status = tab.run_editor("import torch\ntorch.fft\n")
    assert "torch.fft is not in TinyGPT's subset" in status


def test_import_torch_is_quick(tab):
    seconds = tab.value(
        "import sys, time\n"
        "[sys.modules.pop(n) for n in list(sys.modules) if n.startswith(('torch', 'tinygpt.torch'))]\n"
        "begun = time.perf_counter()\nimport torch\ntime.perf_counter() - begun"
    )
    print("import torch: %.0f ms" % (seconds * 1e3))
    assert seconds < 0.06 * slowness() + 0.2


def test_texts_are_files_and_names_of_torch_are_completed(tab):
    assert tab.value("open('stdlib.txt').read(40)") == tab.value("open('/corpora/stdlib.txt').read(40)")
    tab.page.select_option("#setting-corpus", "stdlib")
    assert tab.run_editor("first = open('input.txt').read(40)").startswith("Finished")
    assert tab.value("first == open('stdlib.txt').read(40)")
    assert tab.run_editor("import torch").startswith("Finished")  # and nothing of torch.nn
    tab.write("import torch\n")
    tab.page.keyboard.type("torch.nn.functional.cross_ent")
    tab.wait("() => document.querySelector('.cm-tooltip-autocomplete')?.innerText.includes('cross_entropy')")
    tab.page.keyboard.press("Escape")
