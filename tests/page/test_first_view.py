"""The first view and the frame around everything: the card with the ways in, one primary action a
state, splitters and the folded console, help, the command palette, the notice at a run's end, and
phones.
"""

import pytest

from tests.page.conftest import ROOT, Tab

pytestmark = [pytest.mark.browser]
PRIMARY = "() => [...document.querySelectorAll('#paths button, #actions button')].filter((b) => b.classList.contains('primary')).map(({id}) => id)"
FINISHED = "() => /^Finished/.test(document.getElementById('status').textContent)"
# Layout shifts that no click or key caused, from the first frame on.
SHIFTS = """window.shifts = 0; window.moved = [];
new PerformanceObserver((list) => { for (const entry of list.getEntries()) if (!entry.hadRecentInput) {
    window.shifts += entry.value;
    window.moved.push(entry.value.toFixed(4) + " " + entry.sources.map(({node}) => node?.id || node?.className || node?.nodeName).join(" "));
} }).observe({type: "layout-shift", buffered: true});"""
AXE = """() => axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}).then(({violations}) =>
    violations.map((v) => v.id + ": " + v.nodes.map((node) => node.target.join(" ")).join(" | ")))"""


def tiny(tab, steps):
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.fill("#setting-steps", str(steps))
    tab.page.press("#setting-steps", "Tab")


def finish(tab, steps):
    tiny(tab, steps)
    tab.page.click("#run")
    tab.wait(FINISHED)


def box(tab, selector):
    return tab.page.locator(selector).bounding_box()


@pytest.mark.parametrize("width, height", [(1440, 900), (1024, 768), (390, 844)])
def test_a_fresh_page_says_what_it_is_with_three_ways_in_and_nothing_moves(browser, server, width, height):
    tab = Tab(browser, "about:blank", ready=False, viewport={"width": width, "height": height})
    tab.context.add_init_script(SHIFTS)
    tab.page.goto(server)
    assert tab.page.is_visible("#welcome h2") and tab.page.is_hidden("#chart"), "before any script"
    tab.ready()
    assert tab.text("#welcome h2") == "Train a small GPT in this tab, on Python that you can edit while it runs."
    assert tab.page.locator("#welcome #paths b").all_text_contents() == [
        "See a trained model write",
        "Train one",
        "Start the lessons",
    ]
    assert tab.page.evaluate(PRIMARY) == ["train-own"]
    for way in ("#load-model", "#train-own", "#lessons"):
        assert box(tab, way)["y"] + box(tab, way)["height"] <= height, way
    assert tab.page.is_hidden("#device"), "machine facts are one click away"
    tab.page.click("#abilities-button")
    assert tab.page.is_visible("#device") and tab.text("#device").startswith("CPU · wasm32")
    tab.page.keyboard.press("Escape")
    finish(tab, 20)
    assert tab.page.is_hidden("#welcome") and tab.page.is_visible("#chart")
    assert tab.page.locator("#models #paths button" if width < 720 else "header #paths button").count() == 3
    assert tab.page.evaluate("() => document.documentElement.scrollWidth") <= width
    assert tab.page.evaluate("() => shifts") < 0.05, tab.page.evaluate("() => moved")
    assert tab.complaints == []
    tab.close()


def test_each_state_has_one_primary_action(own_tab):
    tab = own_tab
    tab.page.fill("#setting-lr", "0.002")
    tab.page.press("#setting-lr", "Tab")
    assert tab.page.evaluate(PRIMARY) == ["run"], "somebody has begun to set things up"
    tab.page.select_option("#setting-preset", "medium")
    tab.page.click("#reset-inputs")
    assert [tab.page.input_value("#setting-" + name) for name in ("preset", "lr", "steps")] == ["small", "3e-4", "1500"]
    assert tab.page.is_hidden("#reset-inputs") and tab.page.evaluate(PRIMARY) == ["train-own"]
    tiny(tab, 100000)
    tab.page.click("#run")
    tab.wait("() => tinygpt.state().step > 2")
    assert tab.page.evaluate(PRIMARY) == ["pause"]
    tab.page.click("#editor .cm-content")
    tab.page.keyboard.insert_text("# edited\n")
    assert tab.page.evaluate(PRIMARY) == ["apply"]
    tab.page.click("#revert")
    tab.page.click("#pause")
    tab.wait("() => tinygpt.state().paused")
    assert tab.page.evaluate(PRIMARY) == ["pause"] and tab.text("#pause") == "Resume"
    tab.page.click("#stop")
    tab.wait("() => !tinygpt.state().running")
    assert tab.page.evaluate(PRIMARY) == ["pause"]
    finish(tab, 20)
    assert tab.page.evaluate(PRIMARY) == ["run"]
    assert "at a validation loss of " in tab.text("#status") and "Next: Generate, or edit and Run" in tab.text(
        "#status"
    )


def test_the_console_is_a_line_until_it_is_used_and_splitters_keep_their_place(own_tab):
    tab = own_tab
    assert box(tab, "#console")["height"] < 50
    tab.run_editor("print('one')\nprint('two lines')")
    tab.wait("() => document.getElementById('console-last').textContent === 'two lines'")
    assert box(tab, "#console")["height"] < 50
    tab.page.click("#console-last")
    assert box(tab, "#console")["height"] > 100 and "one\ntwo lines" in tab.text("#console-output")
    tab.page.click("#fold")
    assert box(tab, "#console")["height"] < 50
    tab.page.click("#console-input .cm-content")
    assert box(tab, "#console")["height"] > 100
    tab.page.click("#fold")
    tab.run_editor("1/0")
    assert box(tab, "#console")["height"] > 100, "an error is seen"

    before = {name: box(tab, name) for name in ("#code", "#progress", "#console")}
    tab.page.focus("#split-left")
    for _ in range(3):
        tab.page.keyboard.press("ArrowRight")
    assert box(tab, "#code")["width"] > before["#code"]["width"] + 60
    handle = box(tab, "#split-top")
    tab.page.mouse.move(handle["x"] + 100, handle["y"] + 4)
    tab.page.mouse.down()
    tab.page.mouse.move(handle["x"] + 100, handle["y"] - 150, steps=4)
    tab.page.mouse.up()
    assert box(tab, "#progress")["height"] < before["#progress"]["height"] - 100
    tab.page.focus("#split-console")
    tab.page.keyboard.press("ArrowUp")
    sizes = {name: box(tab, name) for name in before}
    assert sizes["#console"]["height"] > before["#console"]["height"]
    tab.page.reload()
    tab.ready()
    assert {name: box(tab, name) for name in before} == sizes
    tab.page.evaluate("() => (localStorage.layout = JSON.stringify({left: 4000, top: 'x', other: 1}))")
    tab.page.reload()
    tab.ready()
    assert box(tab, "#code")["width"] == before["#code"]["width"], "what it should not be is not taken"


@pytest.mark.parametrize("width", [1440, 920])
def test_at_the_ends_of_the_splitters_nothing_covers_anything(browser, server, width):
    tab = Tab(browser, server, viewport={"width": width, "height": 800})
    finish(tab, 3)
    tab.page.click("#more")
    covered = """() => ["#settings label", "#settings-more label", "#numbers dt", "#devices > *", "#actions button", ".legend button, #meaning"].flatMap((names) => {
        const boxes = [...document.querySelectorAll(names)].filter((one) => one.checkVisibility()).map((one) => {
            const range = document.createRange();
            range.selectNodeContents(one);
            const {left, right, top, bottom} = range.getBoundingClientRect();
            return {left, right, top, bottom, name: one.textContent.slice(0, 20)};
        });
        return boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) => a.left < b.right - 1 && b.left < a.right - 1 &&
            a.top < b.bottom - 1 && b.top < a.bottom - 1).map((b) => [a.name, b.name]));
    })"""
    for key in ("Home", "End"):
        for splitter in ("#split-left", "#split-console"):
            tab.page.focus(splitter)
            tab.page.keyboard.press(key)
        assert tab.page.evaluate(covered) == [], key
        assert box(tab, "#code")["width"] >= 330 and box(tab, "#progress")["width"] >= 420
        assert box(tab, "#editor")["height"] > 60
    tab.close()


def test_help_and_every_action_are_a_key_away(own_tab):
    tab = own_tab
    tab.page.click("#editor .cm-content")
    tab.page.keyboard.press("F1")
    assert tab.page.is_visible("#help-dialog") and "Esc, then Tab" in tab.text("#help-dialog")
    tab.page.evaluate((ROOT / "node_modules/axe-core/axe.min.js").read_text() + "\n;0")
    assert tab.page.evaluate(AXE) == []
    tab.page.keyboard.press("Escape")
    assert tab.page.evaluate("() => document.activeElement.closest('#editor') !== null"), "the focus goes back"
    before = tab.page.evaluate("() => tinygpt.files")
    tab.page.keyboard.press("Control+Shift+p")
    assert tab.page.is_visible("#commands")
    assert tab.page.evaluate(AXE) == []
    names = tab.page.locator("#command-list li span").all_text_contents()
    for name in ("Code: Run", "Start: Train one about two minutes on this machine", "Go to: Console", "Panels: Data"):
        assert name in names, name
    assert tab.page.locator("#command-list li[aria-disabled=true] span").all_text_contents()[:1] == ["Code: Pause"]
    tab.page.keyboard.type("pan data")
    assert tab.page.locator("#command-list li").count() == 1
    tab.page.keyboard.press("Enter")
    assert tab.page.is_hidden("#commands") and tab.page.get_attribute("#tab-data", "aria-selected") == "true"
    assert tab.page.evaluate("() => tinygpt.files") == before
    tab.page.keyboard.press("Control+Shift+p")
    tab.page.keyboard.type("no such thing")
    assert tab.text("#command-list") == "No such command."
    tab.page.keyboard.press("Enter")
    tab.page.keyboard.press("Escape")
    # Escape, then Tab leaves the editor, and the page says so meanwhile
    tab.page.click("#editor .cm-content")
    assert tab.page.is_visible("#leave-key")
    tab.page.keyboard.press("Escape")
    tab.page.keyboard.press("Tab")
    assert not tab.page.evaluate("() => document.activeElement.closest('.cm-editor')")


def test_the_end_of_a_run_is_notified_where_that_was_asked_for(browser, server):
    tab = Tab(browser, "about:blank", ready=False)
    tab.context.add_init_script("""window.notices = [];
        window.Notification = class { static permission = "default";
            static async requestPermission() { return (Notification.permission = "granted"); }
            constructor(title, {body}) { notices.push(`${title}: ${body}`); } };
        Object.defineProperty(document, "hidden", {get: () => window.away === true});""")
    tab.page.goto(server)
    tab.ready()
    tab.page.evaluate("() => (window.away = true)")
    finish(tab, 3)
    assert tab.page.evaluate("() => notices") == [], "nobody has asked"
    tab.page.keyboard.press("F1")
    tab.page.check("#notify")
    tab.page.keyboard.press("Escape")
    finish(tab, 4)
    (said,) = tab.page.evaluate("() => notices")
    assert said.startswith("TinyGPT: Finished: tiny: step 4 of 4, loss 5.")
    tab.page.evaluate("() => (window.away = false)")
    finish(tab, 5)
    assert len(tab.page.evaluate("() => notices")) == 1, "the page is in front"
    tab.close()


def test_on_a_phone_run_stays_in_sight_and_load_brings_the_text(browser, server):
    tab = Tab(browser, server, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    for y in (0, 2000):
        tab.page.evaluate("y => scrollTo(0, y)", y)
        run = box(tab, "#run")
        assert 700 < run["y"] and run["y"] + run["height"] <= 844 and box(tab, "#status")["y"] < 844
    tab.page.evaluate("() => scrollTo(0, 0)")
    finish(tab, 20)
    tab.page.evaluate("() => scrollTo(0, 0)")
    tab.page.tap("#tab-models")
    tab.page.get_by_role("button", name="Generate: Shakespeare after 100 steps").tap()
    tab.wait("() => document.getElementById('status').textContent.includes('model loaded')")
    tab.wait("() => document.querySelectorAll('.generate-text [data-token]').length > 20")
    tab.wait(
        "() => document.querySelector('.generate-text').getBoundingClientRect().bottom"
        " <= document.getElementById('dock').getBoundingClientRect().top"
    )
    assert box(tab, "#tab-generate")["y"] > -2, "the text is in sight"
    assert tab.page.evaluate("() => document.documentElement.scrollWidth") == 390
    assert tab.complaints == []
    tab.close()


def test_at_200_percent_nothing_leaves_the_window(browser, server):
    tab = Tab(browser, server, viewport={"width": 720, "height": 450})
    finish(tab, 3)
    outside = """() => [...document.querySelectorAll("header button, header a, #actions button")].filter((one) => one.checkVisibility())
        .filter((one) => { const {left, right} = one.getBoundingClientRect(); return left < 0 || right > innerWidth; }).map(({id}) => id)"""
    assert tab.page.evaluate(outside) == []
    assert tab.page.evaluate("() => document.documentElement.scrollWidth") <= 720
    tab.close()
