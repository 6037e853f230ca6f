"""What is typed is not lost: files with their undo history, inputs and a console entry come back
after a reload, a crash and a closed tab, and nothing of it runs by itself.
"""

import contextlib

import pytest
from playwright.sync_api import Error

from tests.page.conftest import ROOT, Tab
from tests.page.test_share import HELD, packed

pytestmark = [pytest.mark.browser]
SHIPPED = (ROOT / "py/tinygpt/train.py").read_text()
KEPT = "Restored your unsaved edits."
KEY = "tinygpt draft "
STEPS = 8


def written(page, text):
    """Waits until a draft with this text is in the browser's storage."""
    page.wait_for_function(
        "([key, text]) => Object.keys(localStorage).some(name => name.startsWith(key) && localStorage[name].includes(text))",
        arg=[KEY, text],
    )


def append(page, text, file="train.py"):
    """Types a line at the end of a file, and waits until it is kept."""
    page.click("[data-file='%s']" % file)
    page.click("#editor .cm-content")
    page.keyboard.press("Control+End")
    page.keyboard.insert_text(text)
    page.keyboard.press("Enter")
    written(page, text)


def files(page):
    """{name: text} of the editor's files."""
    texts = {}
    for name in ("model.py", "generate.py", "train.py"):
        page.click("[data-file='%s']" % name)
        texts[name] = page.evaluate(
            "() => document.querySelector('#editor .cm-content').cmTile.view.state.doc.toString()"
        )
    return texts


def source(page):
    return page.evaluate("() => tinygpt.source()")


def undone(page):
    """The shown file's text when as many steps are undone as it can have here."""
    page.click("#editor .cm-content")
    for _ in range(STEPS):
        page.keyboard.press("Control+z")
    return source(page)


def opened(tab, address=""):
    page = tab.context.new_page()
    page.goto(tab.url + address)
    page.evaluate("() => tinygpt.ready")
    return page


def kill(page):
    """Ends the page's process, as a crash does."""
    with contextlib.suppress(Error):
        page.goto("chrome://crash", timeout=2000)
    page.close()


def reload(page):
    page.reload()
    page.evaluate("() => tinygpt.ready")
    page.wait_for_function("() => document.body.dataset.state === 'ready'")


INPUTS = {"#setting-preset": "tiny", "#setting-lr": "0.002", "#setting-dropout": "0.1", "#setting-sample_interval": "7"}
PROMPTS = {"#generate-prompt": "JULIET:", "#generate-temperature": "0.5", "#inside-prompt": "Wherefore"}


def test_files_inputs_and_an_entry_survive_a_reload_and_can_be_discarded(own_tab):
    page = own_tab.page
    rate = page.input_value("#setting-lr")
    page.click("#more")
    page.select_option("#setting-preset", "tiny")
    for selector, value in list(INPUTS.items())[1:3]:
        page.fill(selector, value)
    page.fill("#setting-sample_interval", "7")
    page.select_option("#setting-threads", "1")
    page.select_option("#setting-device", "wasm64")
    page.click("#tab-generate")
    page.fill("#generate-prompt", "JULIET:")
    page.fill("#generate-temperature", "0.5")
    page.click("#tab-inside")
    page.fill("#inside-prompt", "Wherefore")
    page.click("#console-input .cm-content")
    page.keyboard.insert_text("print('unsent')")
    for name in ("model.py", "generate.py"):
        append(page, "# edited %s" % name, name)
    append(page, "print('never by itself')")
    append(page, "# second edit")
    reload(page)
    own_tab.wait("said => document.getElementById('status').textContent === said", KEPT)
    assert {selector: page.input_value(selector) for selector in {**INPUTS, **PROMPTS}} == {**INPUTS, **PROMPTS}
    own_tab.wait("() => document.getElementById('setting-threads').value === '1'")
    own_tab.wait("() => document.getElementById('setting-device').value === 'wasm64'")
    assert page.inner_text("#console-input .cm-line") == "print('unsent')"
    assert "by itself" not in own_tab.text("#console-output") and not page.evaluate("() => tinygpt.state().running")
    texts = files(page)
    assert all("# edited %s" % name in texts[name] for name in ("model.py", "generate.py"))
    edited = SHIPPED + "print('never by itself')\n# second edit\n"
    assert texts["train.py"] == edited
    assert undone(page) == SHIPPED, "the undo history is back too"
    for _ in range(STEPS):
        page.keyboard.press("Control+y")
    assert source(page) == edited
    page.click("text=Discard them")
    assert source(page) == SHIPPED and page.input_value("#setting-lr") == rate and not page.is_visible("#draft-action")
    assert page.input_value("#generate-prompt") == "ROMEO:\n"
    page.click("#editor .cm-content")
    page.keyboard.press("Control+z")
    assert source(page) == edited, "Undo takes Discard back"
    page.keyboard.press("Control+y")
    own_tab.wait("key => !Object.keys(localStorage).some(name => name.startsWith(key))", KEY)
    reload(page)
    assert own_tab.text("#status") == "Ready" and source(page) == SHIPPED
    assert page.input_value("#setting-device") == "wasm" and page.input_value("#setting-threads") == ""


def test_a_killed_tab_a_second_tab_and_a_restart_of_python(own_tab):
    first = own_tab.page
    append(first, "# first tab")
    second = opened(own_tab)
    assert source(second) == SHIPPED, "the first tab's draft is its own"
    append(second, "# second tab")
    first.evaluate("() => document.getElementById('restart').click()")
    first.wait_for_function("() => document.body.dataset.state === 'ready'")
    for page, text in ((first, "# first tab"), (second, "# second tab")):
        assert source(page) == SHIPPED + text + "\n"
        reload(page)
        assert source(page) == SHIPPED + text + "\n"
    kill(second)
    third = opened(own_tab)
    assert source(third) == SHIPPED + "# second tab\n", "the draft of a tab that is gone"
    third.close()


def test_a_damaged_draft_is_dropped_with_a_word(own_tab):
    page = own_tab.page
    append(page, "# edit")
    draft = page.evaluate("key => localStorage[Object.keys(localStorage).find(name => name.startsWith(key))]", KEY)
    moment, _, text = draft.partition("\n")
    damaged = {
        text[:-9]: "it is cut off or damaged",
        text.replace('"held":false', '"held":7'): "its held is wrong",
        text.replace('"fields":{}', '"fields":{"generate-prompt":[]}'): "its fields is wrong",
        text.replace('{"doc":"', '{"other":"'): "its files is wrong",
        "[" * 5000: "it is nested too deeply (more than 20 levels)",
        "x" * 1_000_001: "it is too long",
    }
    said = page.evaluate(
        """async (texts) => {
            const {checked} = await import("/app/store/draft_content.js");
            return texts.map(text => { try { checked(text); return "taken" } catch (error) { return error.message } });
        }""",
        [text, *damaged],
    )
    assert said == ["taken", *damaged.values()]
    page.goto(own_tab.url + "app/speed.html")  # the page writes when it goes
    foreign = text.replace('"history":{"done":[', '"history":{"done":[{"changes":[7]},', 1)
    write = "([key, text]) => { for (const name in localStorage) if (name.startsWith(key)) localStorage[name] = text }"
    page.evaluate(write, [KEY, moment + "\n" + foreign])
    page.goto(own_tab.url)
    own_tab.ready()
    assert undone(page) == SHIPPED + "# edit\n", "a history that does not fit is left out, the text is not"
    page.goto(own_tab.url + "app/speed.html")
    page.evaluate(write, [KEY, moment + "\n{}"])
    page.goto(own_tab.url)
    own_tab.ready()
    said = "Your unsaved edits could not be restored: its version is wrong."
    own_tab.wait("said => document.getElementById('status').textContent === said", said)
    assert source(page) == SHIPPED


def test_a_link_wins_and_the_draft_is_kept(own_tab):
    page = own_tab.page
    append(page, "# my edit")
    fragment = packed({"files": {"train.py": SHIPPED + "# of the link\n"}})
    page.goto("about:blank")
    page.goto(own_tab.url + fragment)
    own_tab.ready()
    assert source(page) == SHIPPED + "# of the link\n" and own_tab.text("#status") == HELD
    append(page, "# my edit of the link")
    reload(page)
    assert source(page) == SHIPPED + "# of the link\n# my edit of the link\n"
    own_tab.wait("held => document.getElementById('status').textContent === held", HELD)
    page.click("text=Discard them")
    assert source(page) == SHIPPED + "# of the link\n"
    other = opened(own_tab)
    assert source(other) == SHIPPED + "# my edit\n", "the draft from before the link"
    other.close()


def test_edits_of_a_run_stay_when_it_is_resumed(browser, server):
    tab = Tab(browser, server + "?autosave=600")
    page = tab.page
    page.select_option("#setting-preset", "tiny")
    page.fill("#setting-steps", "100000")
    append(page, "# ran")
    page.click("#run")
    tab.wait("() => tinygpt.state().step > 3")
    page.evaluate("() => tinygpt.save()")
    append(page, "# after the save")
    reload(page)
    tab.wait("() => document.getElementById('resume-last')?.checkVisibility()")
    page.click("#resume-last")
    tab.wait("() => tinygpt.state().running && tinygpt.state().step > 5")
    assert source(page).endswith("# ran\n# after the save\n") and page.is_enabled("#apply")
    assert "Your edits are in the editor, not applied." in tab.text("#status")
    page.click("#diff")
    tab.wait("() => document.querySelector('.cm-changedLine')?.textContent === '# after the save'")
    page.click("#stop")
    tab.wait("() => !tinygpt.state().running")
    assert tab.complaints == []
    tab.close()
