"""What the next run will hold in memory: shown beside the inputs, and a run that cannot fit is
refused before anything is lost.
"""

import pytest

from tests.page.conftest import Tab
from tinygpt.devices.base import size_text

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("no_complaints")]

SHOWN = "() => /^Memory: /.test(document.getElementById('memory-needs').textContent)"
OTHER = "before => document.getElementById('memory-needs').textContent !== before"


def needs(tab):
    tab.wait(SHOWN)
    return tab.text("#memory-needs")


def after(tab, change):
    """The text once it differs from what it was before `change()`."""
    before = needs(tab)
    change()
    tab.wait(OTHER, before)
    return tab.text("#memory-needs")


def megabytes(text):
    amount, unit = text.split()[1:3]
    return float(amount) * {"MB": 1, "GB": 1000}[unit.rstrip(";")]


def test_python_and_the_page_have_the_same_words_for_a_size(tab):
    sizes = [0, 12_345, 999_499, 1e6, 41_234_567, 999_900_000, 1e9, 2**32, 2**34]
    words = tab.page.evaluate("async (sizes) => sizes.map((await import('/app/ui/format.js')).bytes)", sizes)
    assert [size_text(size) for size in sizes] == words


def test_the_memory_of_the_next_run_is_shown_and_follows_the_inputs(tab):
    small = needs(tab)
    assert small.endswith(" MB of 4.29 GB available")
    xl = after(tab, lambda: tab.page.select_option("#setting-preset", "xl"))
    assert 200 < megabytes(xl) < 400 and megabytes(small) < 60
    assert "activations" in tab.page.get_attribute("#memory-needs", "title")
    tab.page.click("#more")
    less = after(tab, lambda: tab.page.select_option("#setting-recompute", "true"))
    assert megabytes(less) < 0.7 * megabytes(xl)
    more = after(tab, lambda: tab.page.fill("#setting-batch_size", "16") or tab.page.keyboard.press("Tab"))
    assert megabytes(more) > megabytes(less)


def test_a_run_that_cannot_fit_is_refused_and_the_run_before_could_go_on(tab):
    tab.page.select_option("#setting-recompute", "false")
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.fill("#setting-batch_size", "16")
    tab.page.fill("#setting-steps", "8")
    tab.page.click("#run")
    tab.wait("() => /^Finished/.test(document.getElementById('status').textContent)")
    tab.page.select_option("#setting-preset", "xl")
    tab.page.fill("#setting-batch_size", "1000")
    tab.page.keyboard.press("Tab")
    tab.wait("() => document.getElementById('memory-needs').classList.contains('bad')")
    tab.page.click("#run")
    tab.wait("() => document.getElementById('status').className === 'bad'")
    said = tab.text("#status")
    assert (
        said.startswith("This run needs about ")
        and "only 17.18 GB is available here" in said
        and "take a batch of at most" in said
    )
    assert tab.page.evaluate("() => [tinygpt.state().running, tinygpt.state().step, document.body.dataset.phase]") == [
        False,
        8,
        "stopped",
    ]
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.fill("#setting-batch_size", "16")
    tab.page.fill("#setting-steps", "12")
    tab.page.click("#pause")  # Resume
    tab.wait("() => tinygpt.state().step === 12 && !tinygpt.state().running")


def test_while_a_model_trains_the_next_ones_memory_is_counted_between_two_steps(tab):
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.fill("#setting-steps", "100000")
    tab.page.click("#run")
    tab.wait("() => tinygpt.state().step > 5")
    text = after(tab, lambda: tab.page.select_option("#setting-preset", "large"))
    assert megabytes(text) > 100
    step = tab.page.evaluate("() => tinygpt.state().step")
    tab.wait("step => tinygpt.state().step > step + 5", step)
    assert tab.page.evaluate("() => tinygpt.state().running")
    tab.page.click("#stop")
    tab.wait("() => !tinygpt.state().running")
    assert tab.value("from tinygpt import loop\nloop.current.compiled.captures") == 1, (
        "the count has not made the run record again"
    )


COUNTED = """
from tinygpt.training import memory_estimate
counted, made = memory_estimate._counted, []
memory_estimate._counted = lambda *about: made.append(about) or counted(*about)
"""


def test_a_run_takes_the_count_that_the_page_has_shown(tab):
    tab.value(COUNTED)
    after(tab, lambda: tab.page.select_option("#setting-preset", "medium"))
    tab.page.fill("#setting-steps", "3")
    tab.page.click("#run")
    tab.wait("() => /^Finished/.test(document.getElementById('status').textContent)")
    assert tab.value("memory_estimate._counted = counted\nlen(made)") == 1


def test_a_recomputed_run_trains(tab):
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.select_option("#setting-recompute", "true")
    tab.page.fill("#setting-steps", "10")
    tab.page.click("#run")
    tab.wait("() => /^Finished/.test(document.getElementById('status').textContent)")
    assert tab.value("loop.current.kept['model'].config.recompute") is True
    tab.page.select_option("#setting-recompute", "false")


def test_memory_that_runs_out_in_a_run_is_a_sentence_and_python_lives_on(browser, server):
    tab = Tab(browser, server)
    tab.value(
        "import tinygpt\nheld = tinygpt.empty((4 << 28) - (12 << 18))  # all but 12 MB of 4 GiB, none of it touched\nheld.numel()"
    )
    tab.page.select_option("#setting-preset", "large")
    tab.page.fill("#setting-steps", "5")
    tab.page.click("#run")
    tab.wait("() => document.getElementById('status').className === 'bad'")
    said = tab.text("#status")
    assert "out of memory" in said and "would not fit beside the" in said and "4.29 GB that it holds at most" in said
    assert tab.value("del held\ntinygpt.ones(3).sum().item()") == 3.0
    tab.page.click("#run")
    tab.wait("() => /^Finished/.test(document.getElementById('status').textContent)")
    assert tab.complaints == []
    tab.close()
