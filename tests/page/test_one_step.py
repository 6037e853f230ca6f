"""The panel Step: what one step works on and what it changes, and slow motion."""

import pytest

from tests.page.conftest import accessible

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("no_complaints")]


def title(tab, text):
    tab.wait("wanted => document.querySelector('.step-which').textContent === wanted", text)


def history(tab):
    return tab.value("[entry for entry in loop.current.history]")


@pytest.fixture(scope="module")
def stepped(tab):
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.fill("#setting-steps", "4")
    tab.page.click("#step")
    return tab


def test_the_first_press_shows_the_batch_and_the_guesses(stepped):
    page = stepped.page
    title(stepped, "Before step 0")
    assert page.get_attribute("#tab-one-step", "aria-selected") == "true"
    assert page.locator(".step-rows p").count() == 3 and page.locator(".step-rows span[data-at]").count() == 3 * 32
    page.focus(".step-rows")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    said = stepped.text(".step-said")
    loss = float(said.split("loss ")[1].split(" ")[0])
    assert 4.5 < loss < 6.5 and "The model's guess:" in said
    assert page.locator(".step-rows .chosen").get_attribute("data-at") == "1 1"
    assert stepped.text(".step-empty").startswith("Press Step")


def test_a_step_shows_gradients_and_updates_by_layer(stepped):
    page = stepped.page
    page.click("#step")
    title(stepped, "Step 0")
    assert [row.split("\t")[0] for row in page.locator(".step-table tbody tr").all_inner_texts()] == [
        "tok_emb", "pos_emb", "blocks.0", "blocks.1", "norm_f",
    ]  # fmt: skip
    figures = page.locator(".step-table td").all_inner_texts()
    assert all(float(text.replace(" %", "")) > 0 for text in figures)
    assert accessible(stepped, "#one-step") == []
    facts = stepped.text(".step-facts")
    assert facts.startswith("loss 5.") and "learning rate 3e-4" in facts and "another batch" not in facts


def test_slow_motion_marks_the_lines_of_each_step_until_it_is_pressed_again(stepped):
    page = stepped.page
    page.evaluate("""() => {
        window.marked = [];
        new MutationObserver(() => marked.push(document.querySelector('.cm-marked-line')?.textContent.trim() ?? ''))
            .observe(document.querySelector('.step-code'), { childList: true, characterData: true, subtree: true });
    }""")
    page.click(".step-slow")
    title(stepped, "Step 1")
    title(stepped, "Step 2")
    page.click(".step-slow")
    assert page.get_attribute(".step-slow", "aria-pressed") == "false"
    assert page.locator(".cm-marked-line").count() == 0
    marked = page.evaluate("() => marked")
    order = [
        "x, y = data.batch(config.batch_size)", "logits, loss = model(x, y)", "loss.backward()", "optimizer.step()",
        "run.log(loss, lr=lr, grad_norm=norm, program=step)",
    ]  # fmt: skip
    places = [marked.index(line) for line in order]
    assert places == sorted(places)
    assert not any(line.startswith(("def ", "@", "#")) for line in marked)


def test_a_watched_run_has_the_losses_of_one_that_nobody_watches(stepped):
    page = stepped.page
    stepped.wait("() => document.body.dataset.phase === 'paused'")
    page.click("#tab-samples")
    page.click("#pause")  # Resume
    stepped.wait("() => document.body.dataset.phase === 'stopped'")
    watched = history(stepped)
    page.click("#run")
    stepped.wait("() => /^Finished/.test(document.getElementById('status').textContent)")
    assert history(stepped) == watched and len(watched) >= 4
    assert stepped.value("__import__('sys').gettrace() is None")


def test_slow_motion_begins_a_run_that_waits_and_ends_with_it(stepped):
    page = stepped.page
    page.fill("#setting-steps", "5")
    page.click("#tab-one-step")
    page.click(".step-slow")
    title(stepped, "Step 4")
    stepped.wait("() => document.querySelector('.step-slow').ariaPressed === 'false'")
    stepped.wait("() => /^Finished/.test(document.getElementById('status').textContent)")
