"""HTML and pictures in the console and beside the samples: the value of an entry, `display` in code
that runs, and tinygpt.plot.
"""

import pytest

from tests.page.test_console import enter

pytestmark = [pytest.mark.browser]
CLASSES = '''
class Table:
    def _repr_html_(self): return "<table><tr><th>layer<td>3</table>"
    def __repr__(self): return "the table"
class Dot:
    def _repr_svg_(self):
        return '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><rect width="9" height="9"/></svg>'
    def __repr__(self): return "the dot"
class Pixel:
    def _repr_html_(self): return None
    def _repr_png_(self):
        import base64
        return base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
class Wrong:
    def _repr_svg_(self): return 7
'''  # fmt: skip
LAST = "() => document.getElementById('console-output').lastElementChild.%s"


def enter_rich(tab, source, selector):
    """Types an entry, and waits until the console ends with what the selector names, decoded."""
    tab.page.click("#console-input .cm-content")
    tab.page.keyboard.insert_text(source)
    tab.page.keyboard.press("Enter")
    condition = (
        LAST % "matches(arg)" + " && [...document.querySelectorAll('.rich img')].every((img) => img.naturalWidth)"
    )
    tab.wait(condition.replace("()", "(arg)", 1), selector)


def test_an_entry_shows_html_and_pictures_and_what_has_neither_its_repr(tab):
    tab.value(CLASSES)
    enter_rich(tab, "Table()", ".rich-html")
    assert tab.page.locator(".rich-html td").inner_text() == "3"
    assert "the table" not in tab.text("#console-output")
    enter(tab, "_", "")
    enter_rich(tab, "Dot()", ".rich-picture")
    assert tab.page.locator(".rich-picture img").last.get_attribute("alt") == "the dot"
    enter_rich(tab, "Pixel()", ".rich-picture")
    assert tab.page.locator(".rich-picture img").last.get_attribute("src").startswith("data:image/png;base64,iVBOR")
    assert "<class" in enter(tab, "[Table][0]", "Table")
    assert "TypeError: Wrong._repr_svg_ returned int: it must return text or None" in enter(tab, "Wrong()", "None")
    shown = tab.page.locator("#console-output > .rich").count()
    text = enter(tab, "print('before'); display(Dot(), 'a text', Table()); print('after')", "after")
    assert "before" in text and "'a text'" in text and tab.page.locator("#console-output > .rich").count() == shown + 2
    order = tab.page.evaluate("() => [...document.querySelectorAll('#console-output > *')].slice(-5).map((n) => n.className)")  # fmt: skip
    assert order == ["out", "rich rich-picture", "out", "rich rich-html", "out"]
    tab.page.click("#console-input .cm-content")
    tab.page.keyboard.type("displ")
    tab.page.keyboard.press("Control+Space")
    tab.wait("() => document.querySelector('.cm-tooltip-autocomplete')?.textContent.includes('display')")
    tab.page.keyboard.press("Escape")
    tab.page.keyboard.press("Control+a")
    tab.page.keyboard.press("Delete")


def test_a_plot_opens_in_full_size_by_keyboard_and_moves_nothing(tab):
    enter(tab, "import tinygpt", "")
    enter_rich(tab, "tinygpt.plot.line({'train': [3, 2, float('nan'), 1]}, title='loss <1>')", ".rich-picture")
    picture = tab.page.locator(".rich-picture").last
    assert (
        tab.page.locator(".rich-picture img").last.get_attribute("alt") == "<line plot 'loss <1>': 4 points of train>"
    )
    box, output = picture.bounding_box(), tab.page.locator("#console-output").bounding_box()
    assert box["width"] / box["height"] == pytest.approx(560 / 300, rel=0.02)
    assert box["y"] + box["height"] <= output["y"] + output["height"], "the answer is in view"
    picture.focus()
    tab.page.keyboard.press("Enter")
    full = tab.page.locator("dialog.rich-full img").bounding_box()
    assert full["width"] > 2 * box["width"] and full["width"] / full["height"] == pytest.approx(560 / 300, rel=0.02)
    tab.page.keyboard.press("Escape")
    tab.wait("() => !document.querySelector('dialog.rich-full') && document.activeElement.matches('.rich-picture')")


def test_a_loop_of_displays_keeps_the_last_and_the_page_answers(tab):
    tab.value("for i in range(400): display(Dot())\nprint('all', 400)")
    tab.wait("() => document.getElementById('console-output').textContent.endsWith('all 400\\n')")
    assert 10 < tab.page.locator("#console-output > .rich").count() <= 50
    tab.page.evaluate("() => document.getElementById('console-output').scrollTo(0, 0)")
    assert "Earlier pictures and tables are left out: " in tab.text("#console-output .left-out")
    assert "42" in enter(tab, "6 * 7", "42")
    big = "class Big:\n    def _repr_html_(self): return 'x' * 600_000\ndisplay(Big())"
    assert tab.run(big)["ok"]
    tab.wait(
        "() => /HTML of 600,000 characters is not shown/.test(document.getElementById('console-output').textContent)"
    )


def test_what_a_run_displays_is_beside_its_samples_too(tab):
    tab.write(CLASSES + (
        "import tinygpt\nfrom tinygpt import loop\ndef train(run):\n    run.settings(preset='tiny')\n"
        "    for step in run.steps(40):\n        run.log(tinygpt.ones(1).sum())\n"
        "        if step % 10 == 5: display(Dot())\nloop.run(train)"
    ))  # fmt: skip
    tab.page.click("#run")
    tab.wait("() => !tinygpt.state().running && document.querySelectorAll('.sample-display').length === 4")
    heads = tab.page.locator(".sample-display .sample-head").all_text_contents()
    assert heads == ["step %d\n" % step for step in (5, 15, 25, 35)]
    assert tab.page.locator(".sample-display img").count() == 4


def test_a_folded_console_unfolds_for_a_picture_and_shows_the_newest(own_tab):
    tab = own_tab
    tab.wait("() => document.getElementById('console').classList.contains('folded')")
    tab.value(CLASSES + "print('line\\n' * 60)\ndisplay(Dot())")
    tab.wait(
        "() => { const o = document.getElementById('console-output');"
        " return o.querySelector('.rich') && o.clientHeight && o.scrollHeight - o.scrollTop - o.clientHeight < 40 }"
    )


def test_matplotlib_says_what_to_do_and_where_it_is_its_figures_show(tab):
    error = tab.run("import matplotlib.pyplot as plt")["error"]
    assert error.endswith(
        "ModuleNotFoundError: import matplotlib: this page has no wheel of it. Draw with tinygpt.plot.line, heatmap or hist."
        " Who serves the page adds it with `python3 -m tools.add_wheels matplotlib`."
    )
    tab.value(
        "import sys, types\nfigure = sys.modules['matplotlib.figure'] = types.ModuleType('matplotlib.figure')\n"
        "class Figure:\n    def savefig(self, file, format): file.write(Pixel()._repr_png_())\n"
        "figure.Figure = Figure"
    )
    enter_rich(tab, "Figure()", ".rich-picture")
    assert tab.complaints == []
