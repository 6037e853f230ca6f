"""Numbers between the page's inputs and Python: a decimal comma is a decimal point, a seed of 64
bits arrives whole, and weights that are not finite end a text with a sentence.
"""

import pytest

from tests.page.test_playground import trained

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("no_complaints")]
SEED = 2**64 - 2  # JavaScript's nearest number is 2^64


def typed(tab, selector, text):
    tab.page.click(selector)
    tab.page.keyboard.press("Control+a")
    tab.page.keyboard.type(text)
    return tab.page.input_value(selector)


def pasted(tab, selector, text):
    tab.page.click(selector)
    tab.page.keyboard.press("Control+a")
    tab.page.keyboard.insert_text(text)
    return tab.page.input_value(selector)


def test_a_decimal_comma_is_a_decimal_point(tab):
    assert typed(tab, "#setting-lr", "0,003") == "0.003"
    assert typed(tab, "#setting-lr", "1,5e-3") == "1.5e-3"
    assert pasted(tab, "#setting-lr", "0,25") == "0.25"
    assert pasted(tab, "#setting-lr", "0,003") == "0.003", "it takes the place of a number with a point"
    tab.page.keyboard.insert_text("1,5")
    assert tab.page.input_value("#setting-lr") == "0.003", "a second point"
    tab.page.fill("#setting-lr", "")
    tab.page.keyboard.insert_text("1,234.5")  # no number of one meaning
    assert tab.page.input_value("#setting-lr") == ""
    assert typed(tab, "#setting-steps", "1,5") == "1.5"
    assert not tab.page.evaluate("() => document.getElementById('setting-steps').checkValidity()")
    assert pasted(tab, "#setting-steps", "20,000") == "20000"
    typed(tab, "#setting-steps", "20,000")  # 20 to a browser
    tab.page.click("#run")
    tab.wait("() => document.getElementById('status').className === 'bad'")
    assert tab.text("#status") == "Steps is 20.000. Enter a whole number of at least 1."
    for name, value in (("lr", "3e-4"), ("steps", "1500")):
        tab.page.fill("#setting-" + name, value)
    tab.page.click("#panel-tabs button:has-text('Generate')")
    assert typed(tab, "#generate-temperature", "0,7") == "0.7"


def test_a_seed_of_64_bits_arrives_whole(tab):
    tab.page.fill("#setting-seed", str(SEED))
    tab.page.dispatch_event("#setting-seed", "change")
    trained(tab, 12)
    assert tab.value("from tinygpt import loop\nstr(loop.current.train_config.seed)") == str(SEED)
    tab.page.fill("#setting-seed", "42")
    tab.page.dispatch_event("#setting-seed", "change")
    answer = tab.page.evaluate("(seed) => tinygpt.generate({tokens: 6, seed})", str(SEED))
    assert answer["seed"] == str(SEED)
    tab.page.click("#panel-tabs button:has-text('Generate')")
    tab.page.fill("#generate-seed", str(SEED))
    tab.page.fill("#generate-tokens", "6")
    tab.page.click(".generate-form button[type=submit]")
    tab.wait("() => /seed/.test(document.querySelector('.generate-status').textContent)")
    assert str(SEED) in tab.text(".generate-status")


def test_no_text_is_drawn_from_weights_that_are_not_finite(tab):
    trained(tab, 12)
    tab.run(
        "from tinygpt import loop\nw = loop.current.kept['model'].blocks[0].mlp.fc.weight.data\nold = float(w[0, 0])"
    )
    tab.run("w[0, 0] = float('nan')")
    tab.page.click("#panel-tabs button:has-text('Generate')")
    tab.page.click(".generate-form button[type=submit]")
    tab.wait("() => !document.querySelector('.generate-error').hidden")
    assert "logits are NaN, so no token can be drawn" in tab.text(".generate-error")
    tab.run("w[0, 0] = old")
    tab.page.click(".generate-form button[type=submit]")
    tab.wait("() => /6 tokens/.test(document.querySelector('.generate-status').textContent)")
