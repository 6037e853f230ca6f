"""Numbers, marks, times, the status line and the tab's title are those of the run that is there,
and never of one before.
"""

import re

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("no_complaints")]
FINISHED = "() => /^Finished/.test(document.getElementById('status').textContent)"
READY = "() => document.body.dataset.state === 'ready'"


def choose(tab, **settings):
    for name, value in settings.items():
        (tab.page.select_option if name in ("preset", "corpus") else tab.page.fill)("#setting-" + name, str(value))
        tab.page.dispatch_event("#setting-" + name, "change")


def train(tab, **settings):
    choose(tab, **{"preset": "tiny", "steps": 5, **settings})
    tab.page.click("#run")
    tab.wait(FINISHED)


def seconds(clock):
    minutes, rest = re.match(r"(\d+):(\d\d)", clock).groups()
    return 60 * int(minutes) + int(rest)


def test_a_run_that_resumes_has_no_blank_mark_and_one_time(tab):
    choose(tab, preset="tiny", steps=100_000)
    tab.page.click("#run")
    tab.wait("() => /0:0[4-9]|0:[1-9]/.test(document.getElementById('number-elapsed').textContent)")
    tab.page.click("#stop")
    tab.wait(READY)
    choose(tab, steps=tab.page.evaluate("tinygpt.state().step") + 5)
    tab.page.click("#pause")  # Resume
    tab.wait(FINISHED)
    marks = "[...document.querySelectorAll('#chart .pin')].map((button) => button.ariaLabel)"
    assert all(re.search(r": \S", mark) for mark in tab.page.evaluate(marks)), "none is blank"
    took = int(re.match(r"Finished in (\d+) s", tab.text("#status"))[1])
    assert abs(took - seconds(tab.text("#number-elapsed"))) <= 1 and took >= 4
    tab.page.click("#editor .cm-content")
    tab.page.keyboard.press("Control+Home")
    tab.page.keyboard.type("edited = True\n")
    choose(tab, steps=tab.page.evaluate("tinygpt.state().step") + 5)
    tab.page.click("#pause")
    tab.wait(FINISHED)
    tab.wait("() => %s.some((mark) => mark.includes('edited = True'))" % marks)
    tab.page.click("#revert")


def test_a_finished_run_that_is_loaded_has_no_time_left(tab):
    train(tab, steps=30)
    tab.page.evaluate("tinygpt.save()")
    name = tab.page.evaluate("tinygpt.state().run")
    tab.page.click("#tab-runs")
    row = tab.page.locator("#runs .saved li", has=tab.page.locator("button[aria-label='Load %s']" % name))
    row.locator(".resume").click()
    tab.wait("() => / restored at step 30/.test(document.getElementById('status').textContent)")
    assert tab.text("#number-eta") == "done" and tab.text("#number-step") == "30"


def test_the_title_says_how_far_the_run_is_and_how_it_ended(tab):
    choose(tab, preset="tiny", steps=100_000)
    tab.page.click("#run")
    tab.wait(r"() => /^[\d,]+\/100,000 · loss \d\.\d\d · TinyGPT$/.test(document.title)")
    tab.page.click("#pause")
    tab.wait(r"() => /^Paused · [\d,]+\/100,000 · loss/.test(document.title)")
    tab.page.click("#stop")
    tab.wait(r"() => /^Stopped · [\d,]+\/100,000 · loss/.test(document.title)")
    train(tab, steps=5)
    tab.wait(r"() => /^Finished · 5 steps · loss \d\.\d\d · TinyGPT$/.test(document.title)")
    tab.page.click("#reset")
    tab.wait("() => document.title === 'TinyGPT'")


def test_the_presets_tooltip_ends_where_the_list_ends(tab):
    last = tab.page.locator("#setting-preset option").last.get_attribute("value")
    assert re.search(
        r"from tiny \(70\.\dk parameters.* to %s \(\d+M" % last, tab.page.get_attribute("#setting-preset", "title")
    )


def test_an_error_ends_with_what_it_was_about(tab):
    choose(tab, preset="tiny", steps=100_000)
    tab.page.click("#run")
    tab.wait("() => tinygpt.state().step > 3")
    tab.page.click("#editor .cm-content")
    tab.page.keyboard.press("Control+Home")
    tab.page.keyboard.type("1 +\n")
    tab.page.click("#apply")
    tab.wait("() => /^Not applied/.test(document.getElementById('status').textContent)")
    tab.page.click("#revert")
    tab.wait("() => !/^Not applied/.test(document.getElementById('status').textContent)")
    assert tab.page.get_attribute("#status", "class") == ""
    tab.page.click("#stop")
    tab.wait(READY)
    tab.write("raise ValueError('no')")
    tab.page.keyboard.press("Control+Enter")
    tab.wait("() => /ValueError/.test(document.getElementById('status').textContent)")
    tab.pause(200)
    assert tab.page.get_attribute("#status", "class") == "bad", "it stays for as long as its code does"
    choose(tab, seed=3)
    assert "ValueError" not in tab.text("#status")
    tab.page.click("#revert")


def test_stopping_ends_when_the_entry_has(tab):
    tab.page.click("#console-input .cm-content")
    tab.page.keyboard.type("while True: pass")
    tab.page.keyboard.press("Enter")
    tab.page.keyboard.press("Enter")
    tab.wait("() => document.body.dataset.state === 'running'")
    tab.page.keyboard.press("Control+c")
    tab.wait(READY)
    tab.pause(200)
    assert not tab.text("#status").startswith("Stopping")


def test_an_error_about_a_pasted_text_ends_with_the_next_letter(tab):
    tab.page.click("#tab-data")
    tab.page.get_by_role("button", name="Paste", exact=True).click()
    tab.page.click(".data-paste button[type=submit]")
    assert tab.page.is_visible(".data-paste .data-error")
    tab.page.fill(".data-paste textarea", "some")
    assert tab.page.is_hidden(".data-paste .data-error")


def test_a_model_that_is_loaded_replaces_the_numbers_of_the_run_before(tab):
    train(tab, steps=20)
    before = tab.text("#number-loss")
    tab.page.click("#load-model")
    tab.wait("() => document.getElementById('status').textContent.startsWith('Shakespeare model loaded')")
    tab.wait("() => document.getElementById('number-step').textContent === '1,900'")
    assert tab.text("#number-loss") != before and tab.text("#number-val") == "1.461"
    assert "10.8M parameters" in tab.text("#facts") and "0 threads" not in tab.text("#facts")
    assert tab.text("#number-speed") == "–" and not tab.text("#number-eta").startswith("about")


def test_the_prompt_is_of_the_runs_text_until_somebody_writes_one(tab):
    prompt = "document.getElementById('generate-prompt').value"
    assert tab.page.evaluate(prompt) == "ROMEO:\n"
    tab.page.click("#reset")  # the loaded model, which Run would ask about
    tab.wait("() => document.getElementById('status').textContent.startsWith('Reset.')")
    train(tab, corpus="stdlib", steps=2)
    assert tab.page.evaluate(prompt) == "def "
    assert tab.page.input_value("#inside textarea") == "def forward(self, x):"
    tab.page.click("#tab-data")
    tab.page.get_by_role("button", name="Paste", exact=True).click()
    tab.page.fill(".data-paste textarea", "Call me Ishmael. Some years ago, never mind how long.\n" * 40)
    tab.page.click(".data-paste button[type=submit]")
    tab.wait("() => document.getElementById('setting-corpus').value === 'pasted'")
    train(tab, corpus="pasted", steps=2)
    tab.wait("() => %s === 'Call me Ishmael.'" % prompt)
    tab.page.click("#tab-generate")
    tab.page.fill("#generate-prompt", "mine")
    train(tab, corpus="shakespeare", steps=2)
    assert tab.page.evaluate(prompt) == "mine"
