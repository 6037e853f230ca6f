"""The inputs above the editor: a wrong one keeps a run from beginning or going on, and says why at
the field; one that changes while a run trains applies at its next step or says when it will.
"""

import re

import pytest

from tests.page.conftest import ROOT
from tinygpt import config

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("no_complaints")]
# input: what is typed, and the sentence at the field
WRONG = [
    ("steps", "-5", "Steps is -5. Enter a whole number of at least 1."),
    ("steps", "0", "Steps is 0. Enter a whole number of at least 1."),
    ("steps", "1.5", "Steps is 1.5. Enter a whole number of at least 1."),
    ("steps", "3000000000", "Steps is 3000000000. Enter a whole number of at least 1 and at most 2147483647."),
    ("steps", "", "Steps is empty. Enter a whole number of at least 1."),
    ("steps", "-", "Steps is not a number. Enter a whole number of at least 1."),
    ("lr", "-1", "Learning rate is -1. Enter a number of at least 0."),
    ("lr", "1e39", "Learning rate is 1e39. Enter a number of at least 0 and at most 3.4e38."),
    ("batch_size", "0", "Batch is 0. Enter a whole number of at least 1."),
    ("dropout", "1", "Dropout is 1. Enter a number of at least 0 and at most 0.95."),
    ("sample_interval", "-1", "Sample interval is -1. Enter a whole number of at least 0."),
    ("seed", str(2**64), "Seed is %d. Enter a whole number of at least 0 and at most %d." % (2**64, 2**64 - 1)),
]
RIGHT = {"steps": "20", "lr": "3e-4", "batch_size": "16", "dropout": "0", "sample_interval": "200", "seed": "42"}


def ended(tab):
    tab.wait("() => /^(Finished|Stopped)/.test(document.getElementById('status').textContent)")


def typed(tab, name, text):
    tab.page.click("#setting-" + name)
    tab.page.keyboard.press("Control+a")
    tab.page.keyboard.press("Delete")
    tab.page.keyboard.type(text)


def refused(tab, name, sentence):
    """The field has the focus and says what is wrong with it, as the status line does."""
    field = tab.page.locator("#setting-" + name)
    assert tab.page.evaluate("() => document.activeElement.id") == "setting-" + name
    assert field.get_attribute("aria-invalid") == "true"
    note = tab.page.locator("#" + field.get_attribute("aria-describedby"))
    assert note.inner_text() == sentence and note.is_visible() and tab.text("#status") == sentence


@pytest.mark.parametrize(("name", "text", "sentence"), WRONG)
def test_a_wrong_input_refuses_run_with_the_reason_at_the_field(tab, name, text, sentence):
    tab.page.select_option("#setting-preset", "tiny")
    if name == "dropout" and not tab.page.is_visible("#setting-dropout"):
        tab.page.click("#more")
    before = tab.page.evaluate("() => tinygpt.state().run")
    tab.page.click("#tab-samples")
    typed(tab, name, text)
    if name == "sample_interval":
        tab.page.press("#setting-sample_interval", "Tab")
        tab.page.click("#tab-generate")
    if name == "dropout":
        tab.page.press("#setting-dropout", "Tab")
        tab.page.click("#more")
    tab.page.click("#run")
    refused(tab, name, sentence)
    assert not tab.page.evaluate("() => tinygpt.state().running")
    assert tab.page.evaluate("() => tinygpt.state().run") == before
    typed(tab, name, RIGHT[name])
    assert tab.page.get_attribute("#setting-" + name, "aria-invalid") is None
    assert tab.page.locator("#setting-%s-note" % name).count() == 0


def test_a_wrong_input_keeps_its_value_and_the_last_right_one_stays_in_the_link(tab):
    tab.page.select_option("#setting-preset", "tiny")
    typed(tab, "lr", "0.002")
    typed(tab, "lr", "-1")
    tab.page.select_option("#setting-preset", "small")
    assert tab.page.input_value("#setting-lr") == "-1"
    link = tab.page.evaluate("() => tinygpt.share()")
    assert "#share=" in link
    typed(tab, "lr", "0.002")
    tab.page.press("#setting-lr", "Tab")
    assert tab.page.evaluate("() => tinygpt.share()") != link, "-1 was taken for 0.002, or for the default"
    typed(tab, "lr", "3e-4")
    tab.page.press("#setting-lr", "Tab")
    tab.page.select_option("#setting-preset", "tiny")


def test_a_wrong_input_refuses_apply_step_and_resume_too(tab):
    tab.page.select_option("#setting-preset", "tiny")
    typed(tab, "steps", "100000")
    tab.page.click("#run")
    tab.wait("() => tinygpt.state().step > 5")
    tab.page.click("#pause")
    tab.wait("() => tinygpt.state().paused")
    step = tab.page.evaluate("() => tinygpt.state().step")
    sentence = "Learning rate is empty. Enter a number of at least 0."
    typed(tab, "lr", "")
    for press in ("#pause", "#step"):
        tab.page.click(press)
        refused(tab, "lr", sentence)
    source = tab.page.evaluate("() => tinygpt.source()")
    tab.write(source + "\n# an edit")
    tab.page.click("#apply")
    refused(tab, "lr", sentence)
    assert tab.page.evaluate("() => [tinygpt.state().paused, tinygpt.state().step]") == [True, step]
    tab.page.click("#stop")
    ended(tab)
    tab.page.click("#pause")  # Resume
    refused(tab, "lr", sentence)
    assert not tab.page.evaluate("() => tinygpt.state().running")
    tab.write(source)
    typed(tab, "lr", "3e-4")
    tab.page.press("#setting-lr", "Tab")


def test_the_bounds_of_the_inputs_are_pythons():
    html = (ROOT / "app/index.html").read_text()
    for name, least, most in re.findall(r'id="setting-(\w+)"[^>]*? min="(\S+)" max="(\S+)"', html):
        python = config.LIMITS[name]
        assert python[0] <= float(least) < float(most) <= float(python[1]), name


def test_wrong_inputs_of_generate_leave_the_text_before_as_it_is(tab):
    tab.page.select_option("#setting-preset", "tiny")
    typed(tab, "steps", "12")
    tab.page.click("#run")
    ended(tab)
    tab.page.click("#tab-generate")
    tab.page.fill("#generate-tokens", "8")
    tab.page.click(".generate-form button[type=submit]")
    tab.wait("() => /8 tokens/.test(document.querySelector('.generate-status').textContent)")
    text = tab.page.text_content(".generate-text")
    for name, wrong, right, sentence in (
        ("prompt", "", "ROMEO:", "Prompt is empty. Enter at least one character."),
        ("top_p", "0", "1", "Top-p is 0. Enter a number above 0 and at most 1."),
        ("tokens", "", "8", "Length is empty. Enter a whole number of at least 1 and at most 100000."),
        ("temperature", "-1", "0.8", "Temperature is -1. Enter a number of at least 0 and at most 100."),
    ):
        tab.page.fill("#generate-" + name, wrong)
        tab.page.click(".generate-form button[type=submit]")
        field = tab.page.locator("#generate-" + name)
        assert field.get_attribute("aria-invalid") == "true"
        assert tab.page.evaluate("() => document.activeElement.id") == "generate-" + name
        assert tab.text("#" + field.get_attribute("aria-describedby")) == sentence
        assert tab.page.text_content(".generate-text") == text
        field.fill(right)
        assert field.get_attribute("aria-invalid") is None
    failed = tab.page.evaluate("() => tinygpt.generate({prompt: 'a', top_p: 7}).catch((error) => error.message)")
    assert "top-p is 7" in failed and tab.page.text_content(".generate-text") == text
    tab.page.press("#generate-prompt", "Control+Enter")
    tab.wait("() => !document.querySelector('.generate button[type=submit]').disabled")


def flags(tab, count=0):
    """The marks of the current run on the chart, once there are so many."""
    marks = "[...document.querySelectorAll('.pin:not(.earlier)')].flatMap((pin) => pin.group.map((one) => one.mark))"
    tab.wait("count => %s.length >= count" % marks, count)
    return sorted(tab.page.evaluate("() => %s" % marks), key=lambda mark: mark["step"])


def training(tab, steps=100_000):
    tab.page.click("#reset") if tab.page.is_enabled("#reset") else None
    tab.page.select_option("#setting-preset", "tiny")
    typed(tab, "steps", str(steps))
    tab.page.click("#run")
    tab.wait("() => tinygpt.state().step > 5")


def test_an_input_changed_in_a_run_applies_at_its_next_step_with_a_mark_of_its_own(tab):
    training(tab)
    typed(tab, "lr", "0.001")
    tab.page.press("#setting-lr", "Tab")
    tab.wait("() => tinygpt.state().lr === 0.001")
    (mark,) = flags(tab, 1)
    assert mark["text"] == "learning rate 3e-4 → 0.001"
    assert tab.text("#status") == "From step %s: %s" % (format(mark["step"], ","), mark["text"])
    rates = {s["step"]: s["lr"] for s in tab.page.evaluate("() => tinygpt.history()")}
    assert rates[mark["step"] - 1] == 3e-4 and rates[mark["step"]] == 0.001

    typed(tab, "batch_size", "8")
    tab.page.press("#setting-batch_size", "Tab")
    note = tab.page.locator("#" + tab.page.get_attribute("#setting-batch_size", "aria-describedby"))
    assert note.inner_text() == "Batch applies at the next run." and note.get_attribute("class") != "bad"
    source = tab.page.evaluate("() => tinygpt.source()")
    tab.page.evaluate("source => tinygpt.apply(source + '\\n# an edit')", source)
    assert [one["text"] for one in flags(tab, 2)] == [mark["text"], "# an edit"], "only the code came in"
    assert tab.text("#number-batch") == "512/step"

    at = tab.page.evaluate("() => tinygpt.state().step")
    typed(tab, "steps", str(at + 3000))
    tab.page.press("#setting-steps", "Tab")
    ended(tab)
    assert tab.page.evaluate("() => tinygpt.state().step") == at + 3000
    assert tab.text("#number-steps") == "of %s" % format(at + 3000, ",")
    assert tab.page.locator("#setting-batch_size-note").count() == 0, "nothing waits for a run that is over"
    saved = tab.value("from tinygpt import loop\nc = loop.current.train_config\n[c.lr, c.steps, c.batch_size]")
    assert saved == [0.001, at + 3000, 16]

    typed(tab, "steps", str(at + 3010))
    tab.page.click("#pause")  # Resume takes the batch too
    tab.wait("at => tinygpt.state().step === at", at + 3010)
    ended(tab)
    assert flags(tab, 4)[-1]["text"] == "batch 16 → 8, steps %d → %d" % (at + 3000, at + 3010)
    tab.wait("() => document.getElementById('number-batch').textContent === '256/step'")
    tab.page.evaluate("source => (tinygpt.reset(), tinygpt.apply(source))", source)
    for name in ("lr", "batch_size"):
        typed(tab, name, RIGHT[name])
        tab.page.press("#setting-" + name, "Tab")


def test_an_input_that_the_code_overrides_says_so(tab):
    source = tab.page.evaluate("() => tinygpt.source()")
    tab.write(source.replace("run.steps(config.steps)", "run.steps(50_000)"))
    training(tab)
    typed(tab, "steps", "20")
    tab.page.press("#setting-steps", "Tab")
    tab.wait("() => /train.py sets steps itself/.test(document.getElementById('status').textContent)")
    assert flags(tab) == [] and tab.page.evaluate("() => tinygpt.state().running")
    tab.page.click("#stop")
    ended(tab)
    tab.write(source)


def test_the_page_knows_which_inputs_a_run_takes_over_at_its_next_step():
    settings = (ROOT / "app/run/settings.js").read_text()
    live = set(re.search(r"const LIVE = \[(.*)\]", settings)[1].replace('"', "").split(", ")) - {"threads"}
    inputs = set(re.findall(r'id="setting-(\w+)"', (ROOT / "app/index.html").read_text()))
    assert live == inputs & set(config.LIVE)


def test_an_input_that_ends_with_the_value_that_the_focus_found_counts(tab):
    """A browser tells of no change there; in between a model was loaded, whose steps are others."""
    finished = "() => /^Finished/.test(document.getElementById('status').textContent)"
    tab.page.select_option("#setting-preset", "tiny")
    typed(tab, "steps", "6")
    tab.page.click("#run")
    tab.wait(finished)
    tab.page.evaluate("async () => { window.kept = await tinygpt.exportModel(); }")
    typed(tab, "steps", "8")
    tab.page.press("#setting-steps", "Tab")
    typed(tab, "steps", "6")
    tab.page.evaluate("() => tinygpt.importModel(kept)")
    typed(tab, "steps", "8")
    tab.page.click("#pause")
    tab.wait("() => tinygpt.state().step === 8 && !tinygpt.state().running")
    assert tab.page.evaluate("() => tinygpt.history().length") == 2
